"""Where a study tries its models: the runtimes asked for, each a Target on the study's device and host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from paredown.errors import MissingDependency, UnknownName, UsageError
from paredown.runtimes import RUNTIMES, STAND_INS, runtime
from paredown.targets import Target

ALL = "all"


@dataclass(frozen=True)
class Places:
    """`tried`: one Target each. `left_out`: a sentence for each runtime that is not installed here."""

    tried: tuple[Target, ...]
    left_out: tuple[str, ...] = ()


def places(usual: Target, runtimes: Sequence[str]) -> Places:
    """The places that the names stand for; none: the usual one alone.

    usual: where the float model runs that all are compared with. Raises: UnknownName; MissingDependency for a
    runtime that was asked for by its name and is not installed.
    """
    if not runtimes:
        return Places((usual,))
    check_runtimes(runtimes)
    if ALL not in runtimes:
        return Places(tuple(_at(usual, name) for name in dict.fromkeys(runtimes)))
    tried, left_out = [], []
    for name in (usual.runtime, *(n for n in RUNTIMES if n not in STAND_INS and n != usual.runtime)):
        try:
            runtime(name).version()
        except MissingDependency as error:
            left_out.append(f"not tried: the runtime {name} is not installed ({error.hint})")
        else:
            tried.append(_at(usual, name))
    return Places(tuple(tried), tuple(left_out))


def check_runtimes(runtimes: Sequence[str]) -> None:
    """Nothing, or what `places` would raise of the names alone: before a model is read."""
    if ALL in runtimes and len(runtimes) > 1:
        raise UsageError("all runtimes are asked for, and some by name", got=",".join(runtimes))
    for name in runtimes:
        if name not in (ALL, *RUNTIMES):
            raise UnknownName("runtime", name, (ALL, *(n for n in RUNTIMES if n not in STAND_INS)))
        if name != ALL:
            runtime(name).version()


def _at(usual: Target, name: str) -> Target:
    return usual if name == usual.runtime else replace(usual, runtime=name)
