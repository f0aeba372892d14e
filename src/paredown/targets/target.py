"""The noun `Target`: a device profile, the runtime that stands for it here, and whether this CPU fits it."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from paredown.errors import TargetError
from paredown.hosts import cpu, open_host
from paredown.model import Model
from paredown.profile import DOT_PRODUCTS, Profile
from paredown.protocols import Host, NodeTimes, Session, TimeNodes

_SINGLE = frozenset({"reference", "null"})  # runtimes that take one thread whatever is asked


@dataclass(frozen=True)
class Target:
    """Where a model runs. `module` is the runtime's file; it is imported when something is compiled.

    `unfit` says why this machine is not the device, one reason each; empty where it is. `timer`: the module
    that times a model node by node, where the runtime tells. own_file: whether the user wrote the profile.
    """

    name: str
    profile: Profile
    module: str
    unfit: tuple[str, ...] = ()
    timer: str | None = None
    own_file: bool = False
    host: Host = field(default_factory=open_host)

    @property
    def runs_here(self) -> bool:
        """Whether a time taken on this machine is a time of the target."""
        return not self.unfit

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why accuracy measured on this machine may differ from the device's own, one sentence each."""
        if self.runs_here:
            return ()
        return (f"measured on this machine, which is not {self.name}: {'; '.join(self.unfit)}",)

    def used_threads(self, asked: int = 0) -> int:
        """The threads that a session gets: those asked for, else the device's, else all usable cores.

        The number of cores a profile names is that of the device, so on another machine it is not taken.
        """
        if self.profile.runtime in _SINGLE:
            return 1
        device = self.profile.threads if self.runs_here else None
        return asked or device or cpu.usable_cores()

    def compile(
        self,
        model: bytes | Path,
        *,
        threads: int = 0,
        extra_outputs: Sequence[str] = (),
        optimized_path: Path | None = None,
    ) -> Session:
        """A session of `model` on this machine that answers with `extra_outputs` besides the outputs.

        threads: see `used_threads`. optimized_path: where the runtime's own
        optimized graph is written, on runtimes that have one.
        """
        used = self.used_threads(threads)
        session = importlib.import_module(self.module).compile(
            model, threads=used, extra_outputs=extra_outputs, optimized_path=optimized_path
        )
        return cast(Session, session)

    def time_nodes(self, threads: int = 0) -> TimeNodes | None:
        """What times models node by node; None where this machine is not the target, or its runtime mute."""
        if not self.runs_here or self.timer is None:
            return None
        module, used = self.timer, self.used_threads(threads)

        def timed(models: Sequence[Model]) -> list[NodeTimes]:
            times: list[NodeTimes] = importlib.import_module(module).node_times(models, threads=used)
            return times

        return timed

    def require_timing(self) -> None:
        """Nothing, or TargetError: a latency taken on another machine would be no latency of this target."""
        if not self.runs_here:
            raise TargetError(
                f"latency on {self.name!r} cannot be measured on this machine",
                got="; ".join(self.unfit),
                hint="run paredown on the device itself; accuracy can be measured here",
            )


def unfit_reasons(profile: Profile) -> tuple[str, ...]:
    """Why this machine is not the profile's device: another architecture, board or instruction set."""
    here = cpu.arch()
    if profile.arch and profile.arch != here:
        return (f"the profile is for {profile.arch}, this CPU is {here}",)
    names = f"{cpu.board_name()} {cpu.model_name()}"
    if profile.board and profile.board not in names:
        return (f"this machine does not call itself a {profile.board}",)
    if not profile.isa:
        return ()
    if not cpu.features_known():
        return ("this system does not tell its instruction sets",)
    wanted, have = frozenset(profile.isa), cpu.features()
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
