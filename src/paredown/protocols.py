"""What one shelf asks of another. The wiring is in `api.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from paredown.model import Model, TensorSpec

T = TypeVar("T")
Array = NDArray[np.generic]


class Session(Protocol):
    """A compiled model that answers. Feeds and answers are keyed by tensor name."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]: ...


class Progress(Protocol):
    """Wraps an iterable so that a person sees what is being done and the time left."""

    def __call__(self, items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]: ...


def silent(items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
    """The Progress that shows nothing."""
    return items


def most(items: Iterable[object], limit: int) -> int | None:
    """How many of the items a loop over the first `limit` of them sees; None where they do not tell."""
    return min(len(items), limit) if isinstance(items, Sized) else None


ImageTensors = Callable[[], Iterable[NDArray[np.generic]]]
"""Restartable source of preprocessed inputs, each (1, C, H, W) or (1, H, W, C), always in the same order."""


@dataclass(frozen=True)
class NodeTimes:
    """What each node of a model costs where it runs.

    seconds: by node name; a fused kernel counts for one of its nodes. unmapped_s: of kernels without a node.
    """

    seconds: Mapping[str, float]
    unmapped_s: float = 0.0

    @property
    def total_s(self) -> float:
        return sum(self.seconds.values()) + self.unmapped_s


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
