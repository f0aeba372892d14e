"""What a host answers, and that a host elsewhere is one file: a made-up one, reached through a shell."""

from __future__ import annotations

import hashlib
import os
import pickle
import shlex
import shutil
import subprocess
import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from paredown._measure import doctor
from paredown._measure.environment import environment
from paredown._measure.timing.interleaved import TimingPlan
from paredown._measure.timing.latency import measure_latency
from paredown._measure.timing.steadiness import steadiness
from paredown.errors import TargetError, UnknownName, UsageError
from paredown.hosts import HOSTS, open_host
from paredown.hosts.program import Program
from paredown.machine import Counters, Machine
from paredown.protocols import Host
from paredown.targets import target

QUICK = TimingPlan(min_runs=6, min_seconds=0.05, min_rounds=4, turn_s=0.01, warmup_s=0.01, timeout_s=60)


@dataclass(frozen=True)
class Elsewhere:
    """A host as one over SSH would be: files are sent to its folder, a shell starts its programs."""

    folder: Path
    name: str = "elsewhere:board"
    times: bool = True

    def facts(self) -> Machine:
        return replace(open_host().facts(), board="a board elsewhere", cpu="Cortex-A76", cores_logical=4)

    def counters(self, pids: Sequence[int] = ()) -> Counters:
        (self.folder / "asked").write_text(" ".join(map(str, pids)))
        return replace(open_host().counters(), ours_s=0.0)

    def put(self, file: Path) -> str:
        there = self.folder / hashlib.sha256(file.read_bytes()).hexdigest() / file.name
        if not there.exists():
            there.parent.mkdir()
            shutil.copy(file, there)
        return str(there)

    def with_modules(self, modules: Sequence[str]) -> Host:
        return self

    def spawn(self, module: str, arguments: Sequence[str] = ()) -> Program:
        words = [sys.executable, "-P", "-m", module, *arguments]
        with (self.folder / "started").open("a") as log:
            log.write(f"{module}\n")
        return Program(["sh", "-c", f"cd {shlex.quote(str(self.folder))}; {shlex.join(words)}; exit $?"])


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """The made-up host, opened by its name as any."""
    folder = tmp_path / "there"
    folder.mkdir()
    module = types.ModuleType("made_up_host")
    module.open = lambda address: Elsewhere(folder, f"elsewhere:{address}")
    monkeypatch.setitem(sys.modules, "made_up_host", module)
    monkeypatch.setitem(HOSTS, "elsewhere", "made_up_host")
    return open_host("elsewhere:board")


def test_a_host_is_opened_by_its_name() -> None:
    assert open_host().name == open_host("local").name == "local"
    with pytest.raises(UnknownName, match="unknown host 'lokal'"):
        open_host("lokal")
    with pytest.raises(UsageError, match="no address"):
        open_host("local:there")


def test_a_host_and_what_it_says_travel_to_another_process() -> None:
    host = open_host()
    for value in (host, host.facts(), host.counters()):
        assert pickle.loads(pickle.dumps(value)) == value


def test_this_machine_tells_its_facts() -> None:
    machine = open_host().facts()
    assert machine.arch == os.uname().machine
    assert 1 <= machine.cores_usable <= (machine.cores_logical or 1)
    assert machine.memory_bytes > 2**28
    assert machine.packages["numpy"] == np.__version__
    assert machine.python == ".".join(map(str, sys.version_info[:3]))


def test_the_seconds_of_our_processes_are_counted() -> None:
    host = open_host()
    work = "input(); import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
    command = [sys.executable, "-c", work + "print(flush=True); input()"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    before, alone = host.counters([process.pid]), host.counters()
    process.stdin.write(b"\n")
    process.stdin.flush()
    process.stdout.readline()
    after, alone_after = host.counters([process.pid]), host.counters()
    process.communicate(b"\n")
    assert after.ours_s - before.ours_s >= 0.25
    assert alone_after.ours_s - alone.ours_s < 0.2
    assert after.time_s > before.time_s
    assert after.busy_s - before.busy_s >= 0.2


def test_a_program_gets_bytes_and_its_end_is_told() -> None:
    program = Program([sys.executable, "-c", "import sys; sys.stdout.write(input()[::-1]); sys.exit(3)"])
    assert program.wait(0) is None
    program.stdin.write(b"desserts\n")
    program.stdin.flush()
    assert program.stdout.read() == b"stressed"
    assert program.wait(10) == 3
    program.close()
    hung = Program([sys.executable, "-c", "import sys, time; print('why', file=sys.stderr); time.sleep(99)"])
    hung.close()
    assert hung.wait(0) == -9


def test_a_host_elsewhere_is_measured_there(elsewhere: Elsewhere, tiny: Path) -> None:
    feeds = {"x": np.linspace(-1, 1, 4, dtype=np.float32).reshape(1, 4)}
    place = replace(target("local"), host=elsewhere)
    quantities, _, _ = measure_latency(tiny, tiny, place, feeds, threads=1, plan=QUICK)
    assert next(q for q in quantities if q.name == "latency_s").value > 0
    assert (elsewhere.folder / "started").read_text() == (
        "paredown.hosts.timing_lock\n" + "paredown._measure.timing.worker\n" * 2
    )
    pids = [int(pid) for pid in (elsewhere.folder / "asked").read_text().split()]
    assert len(set(pids)) == 2  # of the workers, which are not those of the shells
    sent = list(elsewhere.folder.glob("*/tiny.onnx"))
    assert len(sent) == 1  # the baseline has the same sha256
    assert environment(elsewhere)["board"] == "a board elsewhere"


def test_doctor_looks_at_the_host_it_is_given(elsewhere: Elsewhere) -> None:
    findings = doctor.check(replace(target("local"), host=elsewhere))
    assert any("Cortex-A76" in f.what for f in findings)
    assert (elsewhere.folder / "started").read_text() == "paredown._measure.timing.steadiness\n"


def test_a_host_that_runs_nothing_is_an_error(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Program(["sh", "-c", "echo no python here >&2; exit 127"])
    monkeypatch.setattr(Elsewhere, "spawn", lambda *given: broken)
    with pytest.raises(TargetError, match="no python here"):
        steadiness(elsewhere)
