"""What runs the units of a study: who may start, and what becomes of a unit whose process is killed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paredown.errors import OutOfMemory, UnknownName
from paredown.study.engines import local, open_engine
from paredown.study.engines.engine import Done, Engine, Killed, Kind, Unit
from paredown.study.engines.gate import Placed, next_to_start
from paredown.study.engines.local import LocalEngine
from units import killing_itself, refusing, temporary

BOARD = "ssh:board"


def unit(kind: Kind = "make", label: str = "", host: str = "", alone: bool = False) -> Unit:
    return Unit(kind, "part", label, len, host=host, alone=alone)


MAKE, TIME = unit(), unit("time", host="local", alone=True)
THERE, JUDGED_THERE = unit("time", host=BOARD, alone=True), unit("judge", host=BOARD)


@pytest.mark.parametrize(
    ("waiting", "running", "starts"),
    [
        ([MAKE], [], MAKE),
        ([MAKE], [MAKE, MAKE], None),  # no room
        ([TIME, MAKE], [MAKE], None),  # the machine comes to rest for what times on it
        ([MAKE, TIME], [], TIME),
        ([MAKE], [TIME], None),
        ([TIME], [TIME], None),
        ([THERE], [MAKE, MAKE], THERE),  # a board is timed from here whatever is done here
        ([MAKE], [THERE], MAKE),
        ([THERE], [JUDGED_THERE], None),
        ([JUDGED_THERE, MAKE], [THERE], MAKE),
        ([TIME], [THERE], TIME),
    ],
)
def test_what_times_has_its_host_to_itself(
    waiting: list[Unit], running: list[Unit], starts: Unit | None
) -> None:
    found = next_to_start(waiting, [Placed(u, "local") for u in running], {"local": 2})
    assert (None if found is None else found.unit) is starts


def test_several_machines_share_the_work_and_rest_one_by_one() -> None:
    slots = {"local": 2, "other": 4}
    first = next_to_start([MAKE], [], slots)
    assert first is not None
    second = next_to_start([MAKE], [first], slots)
    assert second is not None
    assert {first.place, second.place} == {"local", "other"}
    beside = next_to_start([MAKE], [Placed(TIME, "local")], slots)
    assert beside is not None
    assert beside.place == "other"


def ended(engine: Engine, *units: Unit) -> list[Done]:
    engine.submit(units)
    found: list[Done] = []
    deadline = time.monotonic() + 60
    while len(found) < len(units) and time.monotonic() < deadline:
        found += engine.done(1.0)
    return found


def call(label: str, function: Callable[..., Any], *given: object) -> Unit:
    return Unit("make", "part", label, function, (), given)


def test_killed_units_are_tried_again_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = [tmp_path / name for name in ("often", "crashing", "starved")]
    for count in counts:
        count.write_text("")
    engine = LocalEngine(1)
    try:
        often, crashing, told = ended(
            engine,
            call("often", killing_itself, counts[0], 3),
            call("crashing", killing_itself, counts[1], 9, signal.SIGABRT),
            call("refusing", refusing),
        )
        assert often.value == 4
        assert isinstance(crashing.error, Killed)
        assert "by SIGABRT, 2 times" in str(crashing.error)
        assert isinstance(told.error, ValueError)
        kills = iter((7, 8))
        monkeypatch.setattr(local, "memory_kills", lambda: next(kills))
        (starved,) = ended(engine, call("starved", killing_itself, counts[2], 9))
        assert isinstance(starved.error, OutOfMemory)
        assert counts[2].read_text() == "1"  # another try would end the same way
        monkeypatch.undo()
        (folder,) = ended(engine, call("folder", temporary))
    finally:
        engine.close()
    assert not Path(folder.value).exists()


def test_units_are_taken_back_before_they_start_and_prepared_first() -> None:
    engine = LocalEngine(1)
    units = [unit("make", "a"), unit("judge", "b"), unit("prepare", "c")]
    engine.submit(units)
    assert engine.withdraw(lambda u: u.kind == "judge") == [units[1]]
    assert engine.withdraw(lambda u: True) == [units[2], units[0]]
    assert engine.done(0.0) == ()
    engine.close()


def test_an_engine_that_is_none_is_refused() -> None:
    with pytest.raises(UnknownName, match="unknown engine 'rya'"):
        open_engine("rya")
