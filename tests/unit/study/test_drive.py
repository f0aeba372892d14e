"""Parts on their way through an engine: which is concluded as it ends, what is told of one that waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paredown.study.drive import drive
from paredown.study.engines.engine import Done, Kind, Running, Unit
from paredown.study.flow import Flow
from paredown.study.index import Entry
from paredown.study.status import Journal, read_status
from paredown.study.unfinished import waits_path


class Part:
    """A flow that has ended once all its units have."""

    def __init__(self, *units: Unit) -> None:
        self.part = SimpleNamespace(label=units[0].part)
        self.jobs: list[Any] = []
        self.work = "made ready"
        self._new, self._left = list(units), len(units)

    @property
    def ended(self) -> bool:
        return self._left == 0

    def units(self) -> list[Unit]:
        found, self._new = self._new, []
        return found

    def take(self, done: Done) -> None:
        self._left -= 1

    def waits(self, unit: Unit) -> str:
        return ""


class InTurn:
    """An engine of which all runs at once, and ends in the order given. at_end: called when one ends."""

    name = "in turn"

    def __init__(self) -> None:
        self.units: list[Unit] = []

    def submit(self, units: Sequence[Unit]) -> None:
        self.units += units

    def done(self, timeout_s: float) -> Sequence[Done]:
        return [Done(self.units.pop(0))]

    def running(self) -> Sequence[Running]:
        return [Running(u, "local", 0.0) for u in self.units]

    def withdraw(self, which: Callable[[Unit], bool]) -> Sequence[Unit]:
        return []

    def close(self) -> None: ...


def unit(part: str, kind: Kind, host: str = "", alone: bool = False) -> Unit:
    return Unit(kind, part, "int8", len, host=host, alone=alone)


HERE, BOARD = ("local", True), ("ssh:board", True)


@pytest.mark.parametrize(
    ("units", "timed"),
    [
        ([unit("a", "time", *HERE), unit("b", "make")], ["a"]),  # b ends with no timing: it was timed before
        ([unit("a", "time", *HERE), unit("b", "time", *BOARD)], ["a", "b"]),
        ([unit("a", "time", *BOARD), unit("b", "time", *HERE)], ["b"]),  # a report would disturb b's timing
        ([unit("a", "time", *BOARD), unit("b", "make"), unit("b", "time", *BOARD)], ["a", "b"]),
    ],
)
def test_a_part_is_concluded_when_its_last_timing_ends_and_nothing_is_timed_here(
    tmp_path: Path, units: list[Unit], timed: list[str]
) -> None:
    parts = [Part(*(u for u in units if u.part == label)) for label in "ab"]
    engine, found = InTurn(), list[str]()
    engine.submit(units)
    for part in parts:
        part.units()
    drive(parts, engine, Journal(tmp_path, "in turn"), lambda: None, lambda f: found.append(f.part.label))  # type: ignore[arg-type]
    assert found == timed


def test_what_a_timing_waits_for_is_said_once(tmp_path: Path) -> None:
    said: list[str] = []
    entry, part = Entry("net", "net", "local", "local", "local", 0), SimpleNamespace(label="net")
    flow = Flow(part, None, tmp_path, entry, None, None, said.append)  # type: ignore[arg-type]
    timing = unit("net", "time", *HERE)
    assert flow.waits(timing) == ""
    note = waits_path(tmp_path, "int8")
    note.parent.mkdir(parents=True)
    note.write_text("waiting: another run times on local")
    assert flow.waits(timing) == flow.waits(timing) == "waiting: another run times on local"
    assert said == ["net int8: waiting: another run times on local"]
    assert flow.waits(unit("net", "judge")) == ""
    assert read_status(tmp_path) is None
