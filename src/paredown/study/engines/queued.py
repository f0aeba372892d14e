"""What engines share: a queue that the gate opens, and another try for a unit whose process was killed."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paredown.study.engines.engine import CRASHES, ORDER, Done, Running, Unit, killed
from paredown.study.engines.gate import Placed, next_to_start


class Lost(Exception):
    """The process of a call did not live to answer. starved: memory ran out, as it would again. tries: how
    often its unit is started in all before that is its result."""

    def __init__(self, how: str, starved: bool = False, tries: int = CRASHES) -> None:
        super().__init__(how)
        self.how, self.starved, self.tries = how, starved, 1 if starved else tries


@dataclass
class Call:
    """A unit that runs. handle: what the engine knows it by."""

    placed: Placed
    handle: Any
    since_s: float


class Queued(ABC):
    """An engine but for how a call is begun, waited for and answered."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._waiting: list[Unit] = []
        self._lost: Counter[Unit] = Counter()  # how often a unit's process was lost

    @abstractmethod
    def slots(self) -> Mapping[str, int]:
        """Machine -> how many units it takes side by side."""

    @abstractmethod
    def begin(self, placed: Placed) -> Any:
        """Starts the call; its handle."""

    @abstractmethod
    def wait(self, timeout_s: float) -> Sequence[Call]:
        """The calls that have ended, at most after so long."""

    @abstractmethod
    def answer(self, call: Call) -> Any:
        """What the function gave, or what it raised raised. Raises Lost."""

    def submit(self, units: Sequence[Unit]) -> None:
        self._waiting = sorted((*self._waiting, *units), key=lambda unit: ORDER[unit.kind])

    def done(self, timeout_s: float) -> Sequence[Done]:
        running, slots = [call.placed for call in self.calls], self.slots()
        while placed := next_to_start(self._waiting, running, slots):
            self._waiting = [u for u in self._waiting if u is not placed.unit]
            self.calls.append(Call(placed, self.begin(placed), time.time()))
            running.append(placed)
        if not self.calls:
            return ()
        return [found for call in self.wait(timeout_s) if (found := self._end(call)) is not None]

    def running(self) -> Sequence[Running]:
        return [Running(call.placed.unit, call.placed.place, call.since_s) for call in self.calls]

    def withdraw(self, which: Callable[[Unit], bool]) -> Sequence[Unit]:
        found = [u for u in self._waiting if which(u)]
        self._waiting = [u for u in self._waiting if not which(u)]
        return found

    def _end(self, call: Call) -> Done | None:
        """What came of the call; None where its unit goes back to the head of the queue."""
        self.calls.remove(call)
        unit, seconds = call.placed.unit, time.time() - call.since_s
        try:
            return Done(unit, self.answer(call), seconds=seconds)
        except Lost as lost:
            self._lost[unit] += 1
            if self._lost[unit] < lost.tries:
                self._waiting.insert(0, unit)
                return None
            error = killed(unit, lost.how, lost.starved, self._lost[unit])
            return Done(unit, error=error, seconds=seconds)
        except Exception as e:  # the unit's own
            return Done(unit, error=e, seconds=seconds)
