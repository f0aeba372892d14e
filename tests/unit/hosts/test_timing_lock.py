"""One timing at a time on a machine, over SSH too: the second waits and says so, whatever becomes of the
first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from paredown._measure.timing.interleaved import TimingPlan
from paredown._measure.timing.latency import measure_latency
from paredown._measure.timing.lock import WAITING, TimingLock
from paredown.errors import ConnectionLost, TargetError
from paredown.hosts import open_host
from paredown.hosts.program import Program
from paredown.hosts.timing_lock import FILE
from paredown.protocols import Host
from paredown.study.waits import read_wait, telling_waits
from paredown.targets import target
from sshd import Board, needs_sshd

FEEDS = {"x": np.zeros((1, 4), np.float32)}
QUICK = TimingPlan(min_runs=4, min_seconds=0.02, min_rounds=4, turn_s=0.01, warmup_s=0.01, timeout_s=60)
HOLDER = """
import sys
from paredown._measure.timing.lock import TimingLock
from paredown.hosts import open_host
with TimingLock(open_host(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


class Heard:
    """A Progress that keeps what it was told."""

    def __init__(self) -> None:
        self.waits: list[str] = []
        self.waiting = threading.Event()

    def __call__(self, items: Iterable, what: str, total: int | None = None) -> Iterable:
        for item in items:
            if what.startswith(WAITING):
                self.waits.append(what)
                self.waiting.set()
            yield item


@pytest.fixture
def own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock file of this test alone."""
    monkeypatch.setenv(FILE, str(tmp_path / "timing.lock"))
    return tmp_path / "timing.lock"


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    return thread, found


def another_run(host: str) -> subprocess.Popen[bytes]:
    """Another process of Paredown, which holds the lock of that host until its input ends."""
    words = [sys.executable, "-c", HOLDER, host]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


@needs_sshd
def test_a_second_run_on_a_board_waits_and_says_so(board: Board, tiny: Path) -> None:
    other, heard = another_run("ssh:board"), Heard()
    place = target("local", open_host("ssh:board"))
    with other:
        thread, found = in_thread(
            lambda: measure_latency(tiny, tiny, place, FEEDS, threads=1, plan=QUICK, progress=heard)
        )
        assert heard.waiting.wait(60)
        assert not found
        other.stdin.close()
        thread.join(60)
    assert heard.waits[0].startswith(f"{WAITING} ssh:board (process ")
    quantities, _, doubts = found[0]
    assert next(q for q in quantities if q.name == "latency_s").value > 0
    assert not {"unlocked", "cut"} & {d.kind for d in doubts}


@needs_sshd
def test_a_run_that_is_killed_or_cut_off_keeps_no_board(board: Board) -> None:
    host = open_host("ssh:board")
    other = another_run("ssh:board")
    with other:
        other.send_signal(signal.SIGKILL)
    with TimingLock(host) as lock:
        assert lock.doubts() == ()
        board.cut()
        with pytest.raises(ConnectionLost, match=r"off ssh:board was lost"):
            _until_it_raises(lock)
        assert lock.lost()
        with TimingLock(host) as again:
            assert again.doubts() == ()


def _until_it_raises(lock: TimingLock) -> None:
    for _ in range(100):
        lock.doubts()
        threading.Event().wait(0.05)


def test_two_runs_here_wait_for_each_other(own_lock: Path) -> None:
    host, heard = open_host(), Heard()
    with TimingLock(host):
        thread, found = in_thread(lambda: _held(host, heard))
        assert heard.waiting.wait(30)
        assert not found
    thread.join(30)
    assert found == [()]
    assert f"process {os.getpid()}" not in heard.waits[0]  # a process of its own holds it
    assert own_lock.stat().st_mode & 0o666 == 0o666  # other accounts wait too


def _held(host: Host, heard: Heard) -> object:
    with TimingLock(host, heard) as lock:
        return lock.doubts()


@pytest.mark.parametrize("kind", ["missing folder", "link", "pipe", "folder"])
def test_where_there_can_be_no_lock_that_is_a_doubt(
    own_lock: Path, monkeypatch: pytest.MonkeyPatch, tiny: Path, kind: str
) -> None:
    if kind == "missing folder":
        monkeypatch.setenv(FILE, str(own_lock / "further"))
    elif kind == "link":
        own_lock.symlink_to(tiny)
    elif kind == "pipe":
        os.mkfifo(own_lock)
    else:
        own_lock.mkdir()
    before = tiny.read_bytes()
    _, _, doubts = measure_latency(tiny, tiny, target("local"), FEEDS, threads=1, plan=QUICK)
    (doubt,) = (d for d in doubts if d.kind == "unlocked")
    assert "nothing keeps another run from timing here" in doubt.text
    assert tiny.read_bytes() == before


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("echo nonsense; read x", "does not tell whether it is locked"),
        ("echo broken >&2; exit 3", r"was lost[\s\S]*broken"),
        ("""echo '{"waits_for": "someone"}'; exit 3""", "was lost"),
    ],
)
def test_a_lock_that_misbehaves_is_an_error(script: str, text: str) -> None:
    class Scripted:
        name = "scripted"

        def spawn(self, module: str) -> Program:
            return Program(["/bin/sh", "-c", script])

    with pytest.raises(TargetError, match=text), TimingLock(Scripted()):  # type: ignore[arg-type]
        pass


def test_a_unit_of_a_study_says_that_it_waits_while_it_does(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    note = tmp_path / "int8.waits"
    note.write_text("left by a process that was killed")
    progress = telling_waits(note)
    assert read_wait(note) == ""
    for _ in progress([1], f"{WAITING} ssh:board (process 7 of pi), seconds"):
        assert read_wait(note) == f"{WAITING} ssh:board (process 7 of pi)"
    assert list(progress([1], "timing")) == [1]
    assert read_wait(note) == ""
    assert capfd.readouterr() == ("", "")
