"""What one shelf asks of another. The wiring is in `api.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from paredown.device import Device
from paredown.machine import Counters, Machine
from paredown.model import Model, TensorSpec
from paredown.policy import Policy

T = TypeVar("T")
Array = NDArray[np.generic]


class Session(Protocol):
    """A compiled model that answers. Feeds and answers are keyed by tensor name."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def run(self, feeds: Feeds) -> dict[str, Array]: ...


@runtime_checkable
class SessionAhead(Session, Protocol):
    """A session on another machine, which is sent the next images while it answers one."""

    def run_each(self, feeds: Iterable[Feeds]) -> Iterator[dict[str, Array]]:
        """The outputs for each, in their order."""
        ...


@dataclass(frozen=True)
class Artifact:
    """What a runtime opens: made of one model for one device, once, before anything is timed.

    files: the one to open, then what must lie beside it; none where it is held in memory. sha256: of their
    bytes in this order. size_bytes: of all. build_s: seconds that making it took, no part of loading it.
    note: what is left to do on the device, in words.
    """

    files: tuple[Path, ...]
    sha256: str
    size_bytes: int
    build_s: float = 0.0
    data: bytes = field(default=b"", repr=False)
    note: str = ""

    @property
    def source(self) -> Path | bytes:
        """What is opened: a file, or bytes."""
        return self.files[0] if self.files else self.data


@dataclass(frozen=True)
class Shipping:
    """How what a runtime built is opened where there is no Paredown.

    module, opener: a function of ours (files, threads) -> Session. A bundle carries its lines and all that
    they use, which is `package`, as pip calls it, and numpy. names: of the files of a model "model", the one
    to open first. made: how the files come about, in words.
    exact_products: whether the opener has a setting of that name (`graph.session_options`).
    """

    module: str
    opener: str
    package: str
    names: tuple[str, ...]
    made: str
    exact_products: bool = False


class Runtime(Protocol):
    """What a file in `runtimes/` gives: the module itself is the runtime."""

    SUMMARY: str  # the numbers that it computes in, and the files that it opens
    MULTITHREADED: bool  # else one thread is taken, whatever is asked
    SHIPS: Shipping

    def policy(self, device: Device) -> Policy:
        """What it computes in integers there. Needs none of the runtime's packages."""
        ...

    def build(self, model: bytes | Path, device: Device, folder: Path, precision: str = "") -> Artifact:
        """What it opens for this ONNX model; files that it makes are in `folder`, named as its own.

        May take minutes. precision: of the float part ("float16"), "" as the model is written. Raises
        ModelError, TargetError.
        """
        ...

    def open(self, artifact: Artifact, *, threads: int = 0, taps: Sequence[str] = ()) -> Session:
        """A session in this process. threads: 0 takes all usable physical cores. taps: inner tensors that it
        answers with besides the outputs. Raises ModelError, TargetError."""
        ...

    def version(self) -> str:
        """Of the package that computes. Raises MissingDependency where it is not installed."""
        ...

    @property
    def node_times(self) -> Callable[..., list[NodeTimes]] | None:
        """(models, threads) -> the seconds of every node of each; None where it does not tell."""
        ...


class Process(Protocol):
    """A program on a host. It reads bytes and writes bytes; the end of its input ends it."""

    @property
    def stdin(self) -> IO[bytes]: ...

    @property
    def stdout(self) -> IO[bytes]: ...

    def wait(self, timeout_s: float) -> int | None:
        """The exit code, minus the signal's number where one ended it; None where it still runs."""

    def kill(self) -> None:
        """End it by force, if it has not ended, and wait until it has."""

    def lost(self) -> bool:
        """Whether the way to it broke, rather than the program."""

    def errors(self) -> str:
        """What it wrote to stderr so far."""

    def close(self) -> None:
        """Give back what it holds; a program that still runs is ended by force."""


class Host(Protocol):
    """A machine that models run on. Whatever is asked of a machine is asked through this."""

    @property
    def name(self) -> str:
        """As the user spells it: "local", "ssh:pi@board"."""

    @property
    def times(self) -> bool:
        """Whether a time taken there means anything; an emulated processor only answers."""

    def facts(self) -> Machine:
        """What the machine is, read anew."""

    def counters(self, pids: Sequence[int] = ()) -> Counters:
        """What the machine counts now; `pids`: processes there whose seconds are ours."""

    def put(self, file: Path) -> str:
        """Where a program of the host finds this file. It is sent once, known there by its sha256."""

    def with_modules(self, modules: Sequence[str]) -> Host:
        """The same machine, where those modules of ours can be imported by name: that of a runtime."""

    def spawn(self, module: str, arguments: Sequence[str] = ()) -> Process:
        """`python -m module` in a fresh process there. Raises TargetError where it cannot be started."""


class Progress(Protocol):
    """Wraps an iterable so that a person sees what is being done and the time left."""

    def __call__(self, items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]: ...


def silent(items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
    """The Progress that shows nothing."""
    return items


def most(items: Iterable[object], limit: int) -> int | None:
    """How many of the items a loop over the first `limit` of them sees; None where they do not tell."""
    return min(len(items), limit) if isinstance(items, Sized) else None


Feeds = Mapping[str, Array]
"""A value for each input of a model, by name: an image, (1, C, H, W) or (1, H, W, C), and what else."""

FeedSource = Callable[[], Iterable[Feeds]]
"""Restartable source of what a model is fed, one image after the other, always in the same order."""


@dataclass(frozen=True)
class NodeTimes:
    """What each node of a model costs where it runs.

    seconds: by node name; a fused kernel counts for one of its nodes. unmapped_s: of kernels without a node.
    run_s: what a run of the whole takes by the clock: its kernels and what is between them; 0 if not known.
    others: of all cores, what other processes (or a virtual machine's host) used while it was timed.
    """

    seconds: Mapping[str, float]
    unmapped_s: float = 0.0
    run_s: float = 0.0
    others: float = 0.0

    @property
    def total_s(self) -> float:
        """Of all kernels."""
        return sum(self.seconds.values()) + self.unmapped_s

    @property
    def latency_s(self) -> float:
        """By the clock, else of all kernels."""
        return self.run_s or self.total_s


TimeNodes = Callable[[Sequence[Model]], "list[NodeTimes]"]
"""Times models of the same inputs in turns, on the device that they are made for."""


@dataclass(frozen=True)
class Lost:
    """Points of accuracy that a model loses against the float model on the same images.

    noise: standard error of the points, from resampling the images. metric: "map50_95", "fidelity_top1", ...
    images: which, in words.
    """

    points: float
    noise: float
    metric: str
    images: str


Judge = Callable[[Model], Lost]
"""Judges a candidate on images that are neither calibrated nor reported on."""
