"""The noun `Target`: a device, a runtime on it, and the host that stands for it."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from paredown.device import DOT_PRODUCTS, Device
from paredown.errors import MissingDependency, TargetError
from paredown.machine import Machine, taken
from paredown.model import Model
from paredown.policy import Policy
from paredown.protocols import Artifact, Host, NodeTimes, Session, TimeNodes
from paredown.runtimes import SIMULATED_BY
from paredown.runtimes import runtime as find_runtime
from paredown.targets import built


@dataclass(frozen=True)
class Target:
    """Where a model runs: the value that is handed on, never looked up again by its name.

    runtime: a key of RUNTIMES; the module is imported when something is asked of it. unfit: why the host is
    not the device, one reason each; empty where it is. own_file: whether the user wrote the device's table.
    """

    name: str
    device: Device
    runtime: str
    host: Host
    unfit: tuple[str, ...] = ()
    own_file: bool = False

    @property
    def policy(self) -> Policy:
        """What the runtime computes in integers on the device."""
        return find_runtime(self.runtime).policy(self.device)

    @property
    def answering(self) -> str:
        """The runtime that answers here: the target's own, or what simulates it where that cannot run."""
        other = SIMULATED_BY.get(self.runtime)
        if other is None:
            return self.runtime
        try:
            find_runtime(self.runtime).version()
        except MissingDependency:
            return other
        return self.runtime

    @property
    def simulated(self) -> bool:
        """Whether answers given here are those of another runtime that computes the same file."""
        return self.answering != self.runtime

    def version(self) -> str:
        """Of the package that computes. Raises MissingDependency where it is not installed."""
        answering = self.answering
        version = find_runtime(answering).version()
        return version if answering == self.runtime else f"(simulated by {answering} {version})"

    @property
    def runs_here(self) -> bool:
        """Whether the host is the device."""
        return not self.unfit

    @property
    def is_this_machine(self) -> bool:
        """Whether the host is the machine that this process runs on."""
        return self.host.name == "local"

    @property
    def can_time(self) -> bool:
        """Whether a time taken on the host is a time of the target."""
        return self.runs_here and self.host.times and not self.simulated

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why accuracy measured on this machine may differ from the device's own, one sentence each."""
        found = []
        if self.simulated:
            found.append(
                f"{self.runtime} cannot run on this machine: {self.answering} computed the same file in its "
                "stead, float parts in float32, which simulates its answers and tells nothing of its speed"
            )
        if not self.runs_here:
            found.append(f"measured on this machine, which is not {self.name}: {'; '.join(self.unfit)}")
        return tuple(found)

    def used_threads(self, asked: int = 0) -> int:
        """The threads that a session gets: those asked for, else the device's, else all usable cores.

        The number of cores a table names is that of the device, so on another machine it is not taken.
        """
        if not find_runtime(self.answering).MULTITHREADED:
            return 1
        device = self.device.threads if self.runs_here else None
        return asked or device or self.host.facts().cores_usable

    def build(self, model: bytes | Path, folder: Path, precision: str = "") -> Artifact:
        """What the runtime opens for an ONNX model on the device; files that it makes are in `folder`.

        precision: of the float part; "" is the one that the file says it is for, else float32.
        """
        wanted = precision or import_module("paredown.runtimes.proto").precision_of(model)
        return built.build(find_runtime(self.runtime), self.runtime, model, self.device, folder, wanted)

    def open(self, artifact: Artifact, *, threads: int = 0, taps: Sequence[str] = ()) -> Session:
        """A session in this process that answers with the inner tensors `taps` besides the outputs.

        threads: see `used_threads`.
        """
        return find_runtime(self.answering).open(artifact, threads=self.used_threads(threads), taps=taps)

    def compile(self, model: bytes | Path, *, threads: int = 0, taps: Sequence[str] = ()) -> Session:
        """`build` and `open` in one: what is built is kept as long as the session."""
        folder = TemporaryDirectory(prefix="paredown-")
        try:
            artifact = self.build(model, Path(folder.name))
            session = self.open(artifact, threads=threads, taps=taps)
        except BaseException:
            folder.cleanup()
            raise
        if any(Path(folder.name).iterdir()):
            weakref.finalize(session, folder.cleanup)
        else:
            folder.cleanup()
        return session

    def time_nodes(self, threads: int = 0) -> TimeNodes | None:
        """What times models node by node, in this process; None where this machine is not the target, or its
        runtime mute."""
        node_times = find_runtime(self.runtime).node_times
        if not (self.is_this_machine and self.can_time) or node_times is None:
            return None
        return partial(_watched, self.host, partial(node_times, threads=self.used_threads(threads)))

    def require_timing(self) -> None:
        """Nothing, or TargetError: a latency taken on another machine would be no latency of this target."""
        if not self.can_time:
            raise TargetError(
                f"latency on {self.name!r} cannot be measured on this machine",
                got="; ".join(self.unfit)
                or (f"{self.runtime} cannot run here" if self.simulated else "")
                or f"the host {self.host.name} answers, but not in the device's time",
                hint="run paredown on the device itself; accuracy can be measured here",
            )


def _watched(host: Host, time_nodes: TimeNodes, models: Sequence[Model]) -> list[NodeTimes]:
    """The times, and what others used of the host meanwhile."""
    start = host.counters()
    times = time_nodes(models)
    found = taken(start, host.counters(), host.facts().cores_logical)
    return [replace(t, others=sum(found)) for t in times]


def unfit_reasons(device: Device, machine: Machine) -> tuple[str, ...]:
    """Why the machine is not the device: another architecture, board or instruction set."""
    if device.arch and device.arch != machine.arch:
        return (f"the device is {device.arch}, this CPU is {machine.arch}",)
    names = f"{machine.board} {machine.cpu}"
    if device.board and device.board not in names:
        return (f"this machine does not call itself a {device.board}",)
    if not device.isa:
        return ()
    if not machine.tells_instruction_sets:
        return ("this system does not tell its instruction sets",)
    wanted, have = frozenset(device.isa), machine.instruction_sets
    lacking, reasons = wanted - have, []
    if lacking:
        reasons.append(f"this CPU lacks {', '.join(sorted(lacking))}")
    surplus = (have - wanted) & DOT_PRODUCTS
    if surplus:
        # Not merely faster: another kernel runs, with other rounding or without the saturation.
        reasons.append(
            f"this CPU has {', '.join(sorted(surplus))}, which the device lacks, and runs other kernels"
        )
    return tuple(reasons)
