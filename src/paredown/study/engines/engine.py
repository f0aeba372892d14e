"""The nouns of an engine: `Unit`, what is to be called; `Running`; `Done`, what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

from paredown.errors import MEMORY_HINT, OutOfMemory, ParedownError

HERE = "local"  # the host that the study is started on
CRASHES = 2  # of a unit whose process crashes: a second time it is no chance
KILLS = 20  # of a unit whose process is ended from outside, which says nothing of the unit

Kind = Literal["prepare", "time", "judge", "make"]
ORDER: dict[Kind, int] = {kind: i for i, kind in enumerate(get_args(Kind))}
"""What goes first of that which waits: what cannot be tried is known early, what is begun is finished."""


@dataclass(frozen=True)
class Unit:
    """One call: a function of a module, by name for other processes, and plain values.

    part, label: of which part of the study, and of which recipe there. host: the board that it keeps busy
    besides the machine it runs on, "" for none; the machine that it needs to itself where it is `alone`.
    """

    kind: Kind
    part: str
    label: str
    function: Callable[..., Any] = field(repr=False, compare=False)
    shared: tuple[Any, ...] = field(repr=False, compare=False, default=())
    given: tuple[Any, ...] = field(repr=False, compare=False, default=())
    host: str = ""
    alone: bool = False


@dataclass(frozen=True)
class Running:
    """A unit that runs. place: the machine, as the engine calls it. since_s: seconds of the epoch."""

    unit: Unit
    place: str
    since_s: float


@dataclass(frozen=True)
class Done:
    """What came of a unit: a value, or the error that it raised."""

    unit: Unit
    value: Any = None
    error: Exception | None = None
    seconds: float = 0.0


class Engine(Protocol):
    """Runs units, in the order of `ORDER` and as given where nothing speaks against it."""

    name: str

    def submit(self, units: Sequence[Unit]) -> None:
        """Take them in. Nothing is started before `done`."""
        ...

    def done(self, timeout_s: float) -> Sequence[Done]:
        """Start what may run, and wait for something to end: what ended, at most after so long."""
        ...

    def running(self) -> Sequence[Running]: ...

    def withdraw(self, which: Callable[[Unit], bool]) -> Sequence[Unit]:
        """Take back those of the units that have not started."""
        ...

    def close(self) -> None:
        """End everything that still runs."""
        ...


class Killed(ParedownError):
    """The process of a unit did not live to answer, again and again."""


def killed(unit: Unit, how: str, out_of_memory: bool, times: int) -> ParedownError:
    """The error of a unit whose process did not live to answer. how: "by SIGKILL"."""
    what = f"the process of this unit ({unit.kind}) was ended"
    if out_of_memory:
        return OutOfMemory(f"out of memory: {what} by the system", got=how, hint=MEMORY_HINT)
    return Killed(what, got=f"{how}, {times} times", hint="the same command with --resume tries it again")
