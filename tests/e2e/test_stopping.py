"""However a study is stopped: what is finished is kept, how to go on is said, and no image stays behind."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from test_going_on import printed_command, wait_for_a_trial

from paredown.cli import main
from paredown.study.store import read_trials


@pytest.mark.parametrize(
    ("sent", "codes"),  # of two at once the system chooses which comes first
    [((signal.SIGTERM,), {143}), ((signal.SIGHUP,), {129}), ((signal.SIGTERM, signal.SIGHUP), {129, 143})],
)
def test_a_stopped_study_cleans_up_and_goes_on(toy, tmp_path, sent, codes) -> None:
    out, temporary = tmp_path / "out", tmp_path / "temporary"
    temporary.mkdir()
    words = ["run", str(toy.model), "--data", str(toy.data), "--calib", str(toy.calib), "--out", str(out)]
    command = [sys.executable, "-m", "paredown", *words, "--recipes", "int8-weights,int8"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary), "ORT_DISABLE_TELEMETRY": "1"},
    )
    wait_for_a_trial(out, process)
    for one in sent:
        process.send_signal(one)
    shown, errors = process.communicate(timeout=60)
    assert process.returncode in codes, errors
    assert f"stopped by {signal.Signals(process.returncode - 128).name}: " in errors
    assert f"kept in {out}" in errors
    assert "Traceback" not in errors + shown
    assert not list(temporary.iterdir())
    kept = [t.label for t in read_trials(out)]
    assert kept[0] == "float"
    again = subprocess.run(
        [*printed_command(errors), "--budget", "0s"], capture_output=True, text=True, timeout=120, check=False
    )
    assert again.returncode == 0, again.stderr
    assert "float model: measured before, kept" in again.stderr
    assert (out / "report.html").is_file()


def test_an_ignored_hangup_stays_ignored(toy, tmp_path) -> None:
    """nohup: the process goes on without its terminal."""
    out = tmp_path / "out"
    words = ["run", str(toy.model), "--data", str(toy.data), "--calib", str(toy.calib), "--out", str(out)]
    command = [sys.executable, "-m", "paredown", *words, "--recipes", "int8-weights"]
    process = subprocess.Popen(
        ["sh", "-c", f"trap '' HUP; exec {shlex.join(command)}"], stderr=subprocess.PIPE, text=True
    )
    wait_for_a_trial(out, process)
    process.send_signal(signal.SIGHUP)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors


SHORT_OF_MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np
from paredown.cli import main
from paredown.study import trial as loop

honest = loop.compress

def greedy(recipe, context):
    if "w8a8" in recipe.name:
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limits = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (held + (64 << 20), limits[1]))
        try:
            np.ones(1 << 28)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, limits)
    return honest(recipe, context)

loop.compress = greedy
sys.exit(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_recipe_that_takes_more_memory_than_there_is_is_one_failed_trial(toy, tmp_path) -> None:
    out = tmp_path / "out"
    words = ["run", str(toy.model), "--data", str(toy.data), "--calib", str(toy.calib), "--out", str(out)]
    words += ["--recipes", "int8,int8-weights"]
    done = subprocess.run(
        [sys.executable, "-c", SHORT_OF_MEMORY, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    errors = {t.label: t.error for t in read_trials(out)}
    assert errors["float"] is None
    assert errors["int8"].startswith("out of memory")
    assert errors["int8-weights"] is None
    assert (out / "report.html").is_file()


@pytest.mark.parametrize("words", [["inspect", "MODEL"], ["measure", "MODEL", "--data", "DATA"]])
def test_a_command_without_memory_says_so(toy, words, monkeypatch, capsys) -> None:
    def greedy(*args: object, **more: object) -> None:
        raise RuntimeError("Failed to allocate memory for requested buffer of size 17179869184")

    monkeypatch.setattr("paredown.inputs.read_model", greedy)
    monkeypatch.setattr("paredown.loading.read_model", greedy)
    given = {"MODEL": str(toy.model), "DATA": str(toy.data)}
    assert main([given.get(word, word) for word in words]) == 1
    told = capsys.readouterr().err
    assert "error: out of memory" in told
    assert "defect" not in told


def test_signals_are_the_callers_again_afterwards(tmp_path: Path) -> None:
    before = [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGHUP)]
    assert main(["list", "steps"]) == 0
    assert [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGHUP)] == before
