"""A host over SSH: a real sshd on loopback, whose connections are cut, throttled and refused."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from paredown._measure import doctor
from paredown._measure.environment import environment
from paredown._measure.there import session_on_host
from paredown._measure.timing.interleaved import TimingPlan
from paredown._measure.timing.latency import measure_latency
from paredown.errors import ConnectionLost, StorageError, TargetError, UsageError
from paredown.hosts import board_link, open_host
from paredown.hosts.ssh_connection import REMOTE, Address, command, parse_address
from paredown.targets import target
from sshd import Board, needs_sshd

pytestmark = needs_sshd

ORT = "paredown.runtimes.onnxruntime"
QUICK = TimingPlan(min_runs=6, min_seconds=0.05, min_rounds=4, turn_s=0.01, warmup_s=0.01, timeout_s=60)
LONGER = replace(QUICK, min_seconds=0.6)
FEEDS = {"x": np.linspace(-1, 1, 4, dtype=np.float32).reshape(1, 4)}


@pytest.mark.parametrize(
    "text", ["", "-oProxyCommand=id", "a b", "pi@", "x;id", "board:0", "board:port", "a@b@c"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no address of a board"):
        parse_address(text)


def test_an_address_reaches_ssh_as_one_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAREDOWN_SSH_CONFIG", "/a folder/config")
    words = command(parse_address("pi@board.local:2222"))
    assert words[-3:] == ["--", "pi@board.local", REMOTE]
    assert words[1:3] == ["-F", "/a folder/config"]
    assert words[words.index("-p") + 1] == "2222"
    assert open_host("ssh:pi@board.local:2222").name == "ssh:pi@board.local:2222"


def test_the_remote_command_means_the_same_in_every_shell() -> None:
    """One word in single quotes, without what csh or fish would read in them."""
    assert REMOTE.count("'") == 2
    assert not set("\\!\n") & set(REMOTE)


def test_it_tells_the_facts_of_the_board(board: Board) -> None:
    host, here = open_host("ssh:board").with_modules([ORT]), open_host().facts()
    there = host.facts()
    assert replace(there, packages={}) == replace(here, packages={})
    assert there.packages["onnxruntime"] == here.packages["onnxruntime"]
    assert there.packages["paredown"] == here.packages["paredown"]
    assert host.counters().busy_s > 0
    assert environment(host)["cores_usable"] == here.cores_usable


def test_doctor_looks_at_the_board(board: Board) -> None:
    findings = doctor.check(target("local", open_host("ssh:board")))
    assert any(f.what.startswith("the same work") for f in findings)


def test_a_model_is_timed_there_and_sent_once(board: Board, tiny: Path) -> None:
    place = target("local", open_host("ssh:board"))
    for _ in range(2):
        quantities, _, _ = measure_latency(tiny, tiny, place, FEEDS, threads=1, plan=QUICK)
        assert next(q for q in quantities if q.name == "latency_s").value > 0
    sent = list(board.kept.glob("files/*/tiny.onnx"))
    assert [path.read_bytes() for path in sent] == [tiny.read_bytes()]
    assert not [p for p in board.kept.rglob("*") if p.name.startswith(("tmp", ".part"))]


def test_a_cut_in_mid_measurement_costs_that_measurement(board: Board, tiny: Path) -> None:
    place, cuts = target("local", open_host("ssh:board")), []

    def progress(items, what, total=None):
        for i, item in enumerate(items):
            if i == 2 and len(cuts) < 2:
                cuts.append(board.cut())
            yield item

    quantities, _, doubts = measure_latency(
        tiny, tiny, place, FEEDS, threads=1, plan=LONGER, progress=progress
    )
    assert [n >= 3 for n in cuts] == [True, True]  # two workers and the link
    assert next(q for q in quantities if q.name == "latency_s").value > 0
    assert any("cut 2 times" in d.text for d in doubts)


def test_cuts_without_end_are_an_error(board: Board, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paredown._measure.timing.latency._MOST_CUTS", 2)

    def progress(items, what, total=None):
        for item in items:
            board.cut()
            yield item

    with pytest.raises(ConnectionLost, match="in each of 2 attempts"):
        measure_latency(
            tiny, tiny, target("local", open_host("ssh:board")), FEEDS, plan=QUICK, progress=progress
        )


def test_a_board_that_starts_again_is_waited_for(board: Board) -> None:
    host = open_host("ssh:board")
    before = host.facts()
    board.stop()
    shutil.rmtree(board.kept / "code")  # it may have been emptied
    back = threading.Timer(0.7, board.start)
    back.start()
    assert host.facts() == before
    back.join()


def test_a_board_that_stays_away_is_an_error(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_link, "PATIENCE_S", 0.5)
    host = open_host("ssh:board")
    host.facts()
    board.stop()
    with pytest.raises(ConnectionLost, match="refused"):
        host.facts()
    board.start()


def test_a_board_that_never_answered_is_not_waited_for(board: Board) -> None:
    board.stop()
    started = time.monotonic()
    with pytest.raises(ConnectionLost, match="refused"):
        open_host("ssh:board").facts()
    assert time.monotonic() - started < 20
    board.start()


def test_what_hangs_there_ends_with_its_connection(board: Board) -> None:
    host = open_host("ssh:board")
    program = host.spawn(
        "timeit", ["-n", "1", "import os, time; print(os.getpid(), flush=True); time.sleep(99)"]
    )
    pid = int(program.stdout.readline())
    board.cut()
    assert program.lost()
    program.close()
    host.facts()  # whose link ends what is left
    gone = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie":
        assert time.monotonic() < gone
        time.sleep(0.02)


def test_a_program_killed_there_is_no_lost_connection(board: Board) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    program = open_host("ssh:board").spawn("timeit", ["-n", "1", code])
    assert program.wait(10) == -9
    assert not program.lost()
    program.close()


def test_arguments_arrive_as_they_are(board: Board) -> None:
    text = "a b; $(touch x) `id` \"quoted\" 'single' \\ ! * ~ é"
    program = open_host("ssh:board").spawn("timeit", ["-n", "1", "-r", "1", f"print({text!r})"])
    assert program.stdout.readline().decode().rstrip("\n") == text
    assert program.wait(10) == 0
    program.close()


def test_answers_come_from_there_also_after_cuts(board: Board, tiny: Path) -> None:
    place = target("local", open_host("ssh:board"))
    with session_on_host(place, tiny.read_bytes()) as session:
        assert [(s.name, s.shape, s.dtype) for s in session.inputs] == [("x", (1, 4), "float32")]
        for _ in range(3):
            np.testing.assert_array_equal(session.run(FEEDS)["y"], np.maximum(FEEDS["x"], 0))
            assert board.cut() >= 1


def test_an_error_there_is_the_same_error_here(board: Board, tiny: Path) -> None:
    place = target("local", open_host("ssh:board"))
    with (
        session_on_host(place, tiny.read_bytes()) as session,
        pytest.raises(TargetError, match="does not fit"),
    ):
        session.run({"x": np.zeros((1, 5), np.float32)})


def test_a_slow_link_changes_nothing_but_the_wait(board: Board, tiny: Path, tmp_path: Path) -> None:
    proxy = tmp_path / "proxy.py"
    proxy.write_text(SLOW.format(port=board.port))
    board.configure(f"ProxyCommand {sys.executable} {proxy}")
    host = open_host("ssh:board")
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom(300_000))
    host.facts()
    started = time.monotonic()
    assert Path(host.put(big)).read_bytes() == big.read_bytes()
    assert time.monotonic() - started > 0.5
    quantities, _, _ = measure_latency(tiny, tiny, target("local", host), FEEDS, threads=1, plan=QUICK)
    assert next(q for q in quantities if q.name == "latency_s").value < 0.01


SLOW = """
import os, select, socket, time
there = socket.create_connection(("127.0.0.1", {port}))
while True:  # 300 kB/s each way, and 5 ms
    ready, _, _ = select.select([0, there], [], [])
    for end in ready:
        data = os.read(0, 4096) if end == 0 else there.recv(4096)
        if not data:
            raise SystemExit
        time.sleep(0.005 + len(data) / 300e3)
        there.sendall(data) if end == 0 else os.write(1, data)
"""


def test_another_host_key_is_refused(board: Board) -> None:
    known = board.folder / "known_hosts"
    other = (board.folder / "key.pub").read_text().split()[1]  # of the same kind, and not the board's
    address, kind, _ = known.read_text().split()
    for text in (f"{address} {kind} {other}\n", ""):
        known.write_text(text)
        with pytest.raises(TargetError, match=r"cannot be reached\n.*[\s\S]*find out why"):
            open_host("ssh:board").facts()


def test_a_key_that_is_not_let_in_is_refused(board: Board) -> None:
    (board.folder / "key.pub").write_text((board.folder / "host_key.pub").read_text())
    with pytest.raises(TargetError, match="ssh-copy-id"):
        open_host("ssh:board").facts()


def test_what_a_login_prints_is_passed_over(board: Board, tiny: Path) -> None:
    (board.folder / "profile").write_text("echo 'Welcome to the board'; echo; printf '[1]\\n'\n")
    host = open_host("ssh:board")
    assert Path(host.put(tiny)).read_bytes() == tiny.read_bytes()
    with session_on_host(target("local", host), tiny.read_bytes()) as session:
        np.testing.assert_array_equal(session.run(FEEDS)["y"], np.maximum(FEEDS["x"], 0))


def test_an_account_that_may_not_log_in_is_told(board: Board) -> None:
    (board.folder / "profile").write_text("echo This account is currently not available.; exit 1\n")
    with pytest.raises(TargetError, match=r"exit code 1[\s\S]*currently not available"):
        open_host("ssh:board").facts()


def test_a_file_that_does_not_fit_is_refused_whole(board: Board, tmp_path: Path) -> None:
    host = open_host("ssh:board")
    host.facts()
    board_link.close_links()
    (board.folder / "profile").write_text("ulimit -f 200\n")  # of 512 bytes: what the board may write
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom(300_000))
    with pytest.raises(StorageError, match=r"big\.bin cannot be kept"):
        host.put(big)
    assert not list(board.kept.glob("files/*/*big*")) + list(board.kept.glob("files/*/tmp*"))
    assert host.facts().arch  # the connection goes on


def test_the_link_is_this_process_s_own(board: Board) -> None:
    address = Address("board")
    link = board_link.link_to(address)
    assert board_link.link_to(address) is link
    assert board_link._link_to(address, os.getpid() + 1) is not link
