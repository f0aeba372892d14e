"""`paredown study` over several models: one file, one directory, killed and gone on with."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

import toys
from paredown._measure.timing.lock import WAITING
from paredown.cli import main
from paredown.hosts.timing_lock import FILE
from paredown.study.index import is_index, read_index, read_parts
from paredown.study.status import read_status
from paredown.study.store import read_study

QUICK = ("int8-weights", "int8-minmax")
# The target is not this machine: nothing is timed, which takes most of a study of toys.
PLAN = """
[study]
calib = "calib"
recipes = {recipes}
trials = {trials}
target = "raspberry-pi-5"

[options]
calibration_images = 4
threads = 1
"""
MODEL = """
[[models]]
model = "toy{i}.onnx"
data = "data"
"""
GONE = """
[[models]]
model = "gone.onnx"
label = "gone"
data = "data"
"""


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four toy detectors and images for them."""
    folder = tmp_path_factory.mktemp("material")
    for i, seed in enumerate((0, 1, 2, 4)):  # the weights of 3 say nothing that could be read
        toys.write_detector(folder / f"toy{i}.onnx", seed)
    toys.write_images(folder / "data" / "images", 6, 1)
    toys.write_truth(folder / "data", folder / "toy0.onnx")
    toys.write_images(folder / "calib" / "images", 12, 2)
    return folder


def write_plan(
    folder: Path, models: int, trials: int, more: str = "", recipes: Sequence[str] = QUICK
) -> Path:
    file = folder / "plan.toml"
    listed = "".join(MODEL.format(i=i) for i in range(models))
    file.write_text(PLAN.format(trials=trials, recipes=json.dumps(list(recipes))) + listed + more)
    return file


def command(plan: Path, material: Path, out: Path, *more: str) -> list[str]:
    words = ["study", str(plan), "--root", str(material), "--out", str(out), "--resume", *more]
    return [sys.executable, "-m", "paredown", *words]


def trials_of(out: Path) -> list[tuple[str, str]]:
    """Part and key of every line of every trials.jsonl, repeated ones too."""
    lines = [
        (path.parent.name, json.loads(line))
        for path in sorted(out.glob("models/*/trials.jsonl"))
        for line in path.read_text().splitlines()
    ]
    return [(part, f"{t['recipe']}@{t['runtime']}") for part, t in lines if t["error"] is None]


def test_a_study_of_several_models_from_one_file(material, tmp_path, capsys) -> None:
    plan, out = write_plan(tmp_path, 1, 2, GONE), tmp_path / "out"
    assert main(command(plan, material, out, "--quiet")[3:]) == 0
    shown = capsys.readouterr().out
    assert "toy0-seed1" in shown
    assert "gone: skipped: its model is not there: " in shown
    index = read_index(out)
    assert index.finished
    assert [(e.label, e.state) for e in index.entries] == [
        ("toy0", "finished"),
        ("gone", "skipped"),
        ("toy0-seed1", "finished"),
        ("gone-seed1", "skipped"),
    ]
    parts = read_parts(out, index)
    assert {label: len(trials) for label, trials in parts.items()} == {"toy0": 3, "toy0-seed1": 3}
    assert [t.seed for t in parts["toy0-seed1"]] == [1, 1, 1]
    for entry in index.entries[::2]:
        assert (out / entry.folder / "report.html").is_file()
        assert not list((out / entry.folder).glob("unfinished/*/*"))
    drawn = {label: read_study(out / "models" / label)["settings"]["calibrated_on"] for label in parts}
    assert drawn["toy0"] != drawn["toy0-seed1"]
    assert main(["compare", str(out), "--b", "toy0-seed1 int8-weights"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "toy0-seed1 int8-weights against toy0-seed1 float: " in shown
    assert main(["compare", str(out), "--a", "toy0 int8-minmax", "--b", "toy0-seed1 int8-weights"]) == 0
    assert "toy0-seed1 int8-weights against toy0 int8-minmax: " in " ".join(capsys.readouterr().out.split())
    assert main(["compare", str(out), "--b", "int8-weights"]) == 2
    assert "did you mean 'toy0" in capsys.readouterr().err
    rows = list(csv.DictReader((out / "trials.csv").read_text(encoding="utf-8").splitlines()))
    assert [(r["part"], r["model"]) for r in rows[::3]] == [
        ("toy0", "toy0"),
        ("toy0-seed1", "toy0"),
    ]
    before = trials_of(out)
    assert (
        main(["study", str(out / "study.toml"), "--root", str(material), "--resume", "--json", "--quiet"])
        == 0
    )
    assert trials_of(out) == before
    told = json.loads(capsys.readouterr().out)
    assert told["not_finished"]["gone"]["state"] == "skipped"
    assert main(["watch", str(out), "--once"]) == 0
    shown = capsys.readouterr().out
    assert "6 of 6 trials, nothing runs here now" in shown
    assert re.search(r"toy0-seed1 +finished +3/3 +.*int8-weights", shown)
    assert main(command(plan, material, out)[3:-1]) == 2
    assert "--resume goes on" in capsys.readouterr().err
    assert (
        main(["run", str(material / "toy0.onnx"), "--data", str(material / "data"), "--out", str(out)]) == 2
    )
    assert "a study of several models" in capsys.readouterr().err


def test_a_timing_that_waits_is_told_to_those_who_watch_and_quiet_is_quiet(
    material, tmp_path, monkeypatch, capsys
) -> None:
    plan, out = write_plan(tmp_path, 1, 1, "", ["int8-weights"]), tmp_path / "out"
    here = (
        plan.read_text()
        .replace('target = "raspberry-pi-5"', "")
        .replace("[options]", "[options]\ntiming_s = 0.02")
    )
    plan.write_text(here)
    monkeypatch.setenv(FILE, str(tmp_path / "timing.lock"))
    (tmp_path / "timing.lock").write_text("process 7 of pi")
    words, waits = command(plan, material, out, "--quiet"), f"{WAITING} local (process 7 of pi)"
    with (tmp_path / "timing.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            status, deadline = None, time.monotonic() + 120
            while time.monotonic() < deadline and process.poll() is None:
                status = read_status(out)
                if status is not None and any(b.waits == waits for b in status.busy):
                    break
                time.sleep(0.1)
            assert main(["watch", str(out), "--once"]) == 0
            process.terminate()
            told = process.communicate(timeout=120)[1].decode()
    assert "waiting" not in told
    assert status is not None
    assert [line for line in status.said if WAITING in line] == [f"toy0 float: {waits}"]
    assert f"time toy0 float {waits}" in " ".join(capsys.readouterr().out.split())


def test_the_gallery_has_what_is_finished_and_goes_on(material, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PAREDOWN_MATERIAL", str(material))
    plan, out = write_plan(tmp_path, 1, 1, GONE, ["int8-weights"]), tmp_path / "gallery"
    (tmp_path / "bad.toml").write_text("[study]\nmodles = []\n")

    def gallery(*words: str) -> tuple[int, str]:
        tool = Path(__file__).parents[2] / "tools" / "gallery.py"
        done = subprocess.run([sys.executable, str(tool), "--out", str(out), *words], check=False)
        return done.returncode, (out / "index.html").read_text(encoding="utf-8")

    _, page = gallery(str(plan), "--minutes", "0.02")  # before there is anything to tell
    assert "it was stopped, and goes on when this is called again" in page
    code, page = gallery(str(plan), str(tmp_path / "bad.toml"))
    assert code == 1  # of the bad one
    assert '<a href="plan/report.html">Study</a>' in page
    assert "models" in page  # did you mean
    assert read_index(out / "plan").finished


def workers_of(process: subprocess.Popen[bytes], engine: str) -> list[psutil.Process]:
    """The processes that run the units of a study."""
    names = ("paredown.hosts.worker",) if engine == "local" else ("ray::_call", "ray::IDLE")
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            found += [child] if any(name in word for name in names for word in child.cmdline()) else []
    return found


def check_report_of_killed(out: Path) -> None:
    """A study that was killed has a report of what is finished, which says what is not."""
    if not is_index(out) or read_index(out).finished:
        return
    assert main(["report", str(out)]) == 0
    for page in (out / "report.html", out / "summary.md"):
        assert "Unfinished study: " in page.read_text(encoding="utf-8")


def killed_and_gone_on_with(words: list[str], out: Path, engine: str, at: Sequence[int], seed: int) -> int:
    """Runs a study to its end, and meanwhile kills it, or a process of it, whenever so many trials are there.

    How often it was killed.
    """
    rng, kills, process = random.Random(seed), 0, None
    told = out.with_name("stderr.txt")
    deadline = time.monotonic() + 1500
    while time.monotonic() < deadline:
        if process is None:
            with told.open("w") as errors:
                process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=errors)
        if process.poll() is not None:
            assert process.returncode == 0, told.read_text()
            return kills
        if kills < len(at) and len(trials_of(out)) >= at[kills]:
            time.sleep(rng.uniform(0, 0.3))
            workers = workers_of(process, engine)
            kills += 1
            if rng.random() < 0.5 or kills == 1 or not workers:
                process.kill()
                process.wait()
                process = None
                check_report_of_killed(out)
            else:
                with contextlib.suppress(psutil.Error):
                    rng.choice(workers).kill()
        time.sleep(0.05)
    raise AssertionError("it never ended")


def check_killed(material: Path, tmp_path: Path, engine: str, models: int, trials: int, kills: int) -> None:
    recipes = (*QUICK, "int8-per-tensor", "int8-dynamic")[: 2 if models < 4 else 4]
    plan, out = write_plan(tmp_path, models, trials, recipes=recipes), tmp_path / "out"
    wanted = models * trials * (1 + len(recipes))
    at = sorted(random.Random(kills).sample(range(3 * wanted // 4), kills))
    words = command(plan, material, out, "--engine", engine, "--quiet")
    assert killed_and_gone_on_with(words, out, engine, at, seed=models) == kills
    found = trials_of(out)
    index = read_index(out)
    assert len(found) == len(set(found)) == wanted, [(e.label, e.state, e.why) for e in index.entries]
    assert index.finished
    assert not list(out.glob("models/*/unfinished/*/*"))


def test_a_study_that_is_killed_loses_and_repeats_nothing(material, tmp_path) -> None:
    check_killed(material, tmp_path, "local", models=2, trials=1, kills=2)


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_forty_trials_killed_ten_times_are_forty_trials(material, tmp_path, engine) -> None:
    if engine == "ray":
        pytest.importorskip("ray", reason="the extra [ray] is not installed")
    check_killed(material, tmp_path, engine, models=4, trials=2, kills=10)
