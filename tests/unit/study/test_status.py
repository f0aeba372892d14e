"""What a running study says of itself, and whether it still runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from paredown.errors import StorageError
from paredown.study.engines.engine import Done, Kind, Running, Unit
from paredown.study.lock import Lock, holder
from paredown.study.status import FILE, Busy, Journal, busy_with, read_status


def done(kind: Kind, seconds: float) -> Done:
    return Done(Unit(kind, "part", "int8", len), seconds=seconds)


def test_the_time_left_is_that_of_units_like_those_before(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "local")
    for unit in (done("make", 10.0), done("make", 20.0), done("judge", 4.0)):
        journal.took(unit)
    assert journal.left_s({"make": 2, "judge": 2}, jobs=2) == 19.0
    assert journal.left_s({"make": 2, "time": 1}, jobs=2) is None  # nobody knows how long a timing takes
    journal.took(done("time", 7.0))
    assert journal.left_s({"make": 2, "time": 2}, jobs=2) == 29.0  # timings never run side by side
    assert journal.left_s({}, jobs=0) == 0.0


def test_a_status_reads_as_it_was_written_and_no_oftener_than_it_may(tmp_path: Path) -> None:
    journal, heard = Journal(tmp_path, "local"), list[str]()
    running = Running(Unit("time", "part", "int8", len, host="ssh:board", alone=True), "local", 12.5)
    assert read_status(tmp_path) is None
    say = journal.telling(heard.append)
    say("one\ntwo")
    first = read_status(tmp_path)
    assert first is not None
    assert (first.engine, first.said, heard) == ("local", ("one", "two"), ["one\ntwo"])
    journal.write(3.0, [busy_with(running)])
    assert read_status(tmp_path) == first  # it was written a moment ago
    journal._written_s = 0.0
    journal.write(3.0, [busy_with(running, "waiting: ...")])
    second = read_status(tmp_path)
    assert second is not None
    assert second.busy == (Busy("time", "part", "int8", "ssh:board", 12.5, "waiting: ..."),)
    assert second.left_s == 3.0
    (tmp_path / FILE).write_text(json.dumps({"engine": "local"}))
    with pytest.raises(StorageError, match="cannot be read"):
        read_status(tmp_path)


def test_a_journal_of_a_directory_that_is_not_ours_yet_writes_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "run", ready=False)
    assert list(journal.following(lambda items, what, total=None: items)([1, 2], "images")) == [1, 2]
    assert not list(tmp_path.iterdir())


def test_who_holds_a_lock_is_known_without_taking_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert holder(path) is None
    lock = Lock(path)
    assert holder(path) == os.getpid()
    lock.release()
    lock.release()
    assert holder(path) is None
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    path.write_text(str(ended.pid))
    assert holder(path) is None
    path.write_text(str(os.getpid()))
    os.utime(path, (1.0, 1.0))  # older than the process that has the number now
    assert holder(path) is None
