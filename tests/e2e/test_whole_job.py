"""The whole job on a tiny detector: what it leaves behind, going on, stopping, refusing, exit codes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import onnxruntime
import pytest

from paredown import api
from paredown.cli import main
from paredown.errors import CalibrationError
from paredown.job import run
from paredown.study.options import Options
from paredown.study.store import read_study, read_trials


@pytest.fixture(scope="module")
def study(toy, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("study") / "toy"
    assert main(words(toy, out)) == 0
    return out


def words(toy, out, *more):
    given = ["run", str(toy.model), "--data", str(toy.data), "--calib", str(toy.calib), "--out", str(out)]
    return [*given, "--recipes", "int8,int8-weights", *more]


def test_a_job_leaves_everything_that_was_promised(study):
    assert (study / "report.html").stat().st_size > 1_000_000  # plotly is inside
    assert {p.name for p in (study / "models").iterdir()} == {"float.onnx", "int8.onnx", "int8-weights.onnx"}
    assert {p.name for p in (study / "best").iterdir()} >= {
        "model.onnx",
        "card.toml",
        "detect.py",
        "README.md",
    }
    assert read_study(study)["options"]["recipes"] == ["int8", "int8-weights"]
    trials = {t.label: t for t in read_trials(study)}
    assert list(trials) == ["float", "int8", "int8-weights"]
    for trial in trials.values():
        assert trial.error is None
        names = {q.name for q in trial.measurement.quantities}
        assert names >= {
            "map50_95",
            "latency_s",
            "latency_ratio",
            "cpu_percent",
            "peak_memory_bytes",
            "size_bytes",
        }
        assert onnxruntime.InferenceSession(study / trial.model_file)
    assert trials["float"].measurement.value("map50_95") > 0.9  # the truth is what it sees itself
    assert trials["int8"].measurement.value("size_bytes") < trials["float"].measurement.value("size_bytes")
    assert trials["int8"].log


def test_a_second_run_repeats_nothing_and_the_table_fits(study, toy, capsys):
    before = (study / "trials.jsonl").read_bytes()
    assert main(words(toy, study)) == 0
    assert (study / "trials.jsonl").read_bytes() == before
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert lines[0].split() == [
        "recipe",
        "mAP50-95",
        "lost",
        "ms",
        "FPS",
        "ratio",
        "MB",
        "mem",
        "MB",
        "verdict",
    ]
    assert max(len(line) for line in lines if "/" not in line) <= 100
    assert f"report: {study / 'report.html'}" in told.out
    assert "measured before, kept" in told.err


def test_other_settings_in_the_same_directory_are_refused(study, toy, capsys):
    assert main(words(toy, study, "--seed", "7")) == 2
    assert "other settings" in capsys.readouterr().err


def test_a_limit_that_nothing_meets_ends_with_exit_code_3(study, toy, capsys):
    assert main(words(toy, study, "--max-latency", "0.00001", "--json", "--quiet")) == 3
    told = capsys.readouterr()
    assert told.err == ""
    answer = json.loads(told.out)
    assert answer["gate_met"] is False
    assert [t["label"] for t in answer["trials"]] == ["float", "int8", "int8-weights"]


def test_a_study_file_does_the_same_study_again(toy, study, capsys):
    """The file keeps no absolute path: from elsewhere it is said where the model and the images are."""
    file = str(study / "study.toml")
    assert main(["study", file, "--resume"]) == 2
    assert "--model" in capsys.readouterr().err
    where = ["--model", str(toy.model), "--data", str(toy.data), "--calib", str(toy.calib)]
    assert main(["study", file, *where]) == 2  # there are trials already
    assert "--resume" in capsys.readouterr().err
    assert main(["study", file, *where, "--resume", "--quiet"]) in (0, 3)


def test_the_report_is_written_again_from_the_directory(study, tmp_path):
    assert main(["report", str(study), "--out", str(tmp_path / "again.html")]) == 0
    assert (tmp_path / "again.html").stat().st_size > 1_000_000


def test_any_trial_can_be_bundled(study, tmp_path):
    out = api.bundle(study, tmp_path / "ship", "int8-weights")
    assert (out / "model.onnx").read_bytes() == (study / "models" / "int8-weights.onnx").read_bytes()


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_goes_on(toy, tmp_path):
    out = tmp_path / "stopped"
    command = [sys.executable, "-m", "paredown", *words(toy, out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: (out / "trials.jsonl").exists() and (out / "trials.jsonl").stat().st_size > 0, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "1 finished trial kept" in errors
    assert "Traceback" not in errors
    assert [t.label for t in read_trials(out)] == ["float"]
    again = subprocess.run(
        [*command, "--budget", "0s"], capture_output=True, text=True, timeout=120, check=False
    )
    assert again.returncode == 0, again.stderr
    assert "float model: measured before, kept" in again.stderr
    assert "the budget ran out before int8, int8-weights" in again.stdout
    assert "Keep the float model" in again.stdout


def wait_for(true, process, seconds=120.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_recipe_that_fails_is_a_trial_and_the_others_go_on(toy, tmp_path, monkeypatch):
    from paredown.study import trial as loop

    honest = loop.compress

    def failing(recipe, context):
        if "w8a8" in recipe.name:
            raise CalibrationError("the tensor 'x' holds nan")
        if recipe.name.startswith("ort"):
            raise KeyError("a defect")
        return honest(recipe, context)

    monkeypatch.setattr(loop, "compress", failing)
    options = Options(recipes=("int8", "ort-dynamic", "int8-weights"))
    outcome = run(toy.model, str(toy.data), str(toy.calib), out=tmp_path / "s", options=options)
    errors = {t.label: t.error for t in outcome.trials}
    assert "holds nan" in errors["int8"]
    assert "a defect in paredown: KeyError" in errors["ort-dynamic"]
    assert errors["int8-weights"] is None
    assert outcome.verdict.remarks["ort-dynamic"] == "failed"


def test_images_without_truth_are_judged_by_agreement_and_split(toy, tmp_path, capsys):
    out, plain = tmp_path / "plain", f"plain:{toy.data / 'images'}"
    given = [
        "run",
        str(toy.model),
        "--data",
        plain,
        "--recipes",
        "int8-weights",
        "--out",
        str(out),
        "--quiet",
    ]
    assert main([*given, "--max-drop", "0.5"]) == 2
    assert "hint: --min-agreement 94" in capsys.readouterr().err
    assert not (out / "trials.jsonl").exists()
    assert main([*given, "--min-agreement", "50"]) == 0
    said = capsys.readouterr().out
    assert "agreement %" in said.splitlines()[0]
    assert "agreement with the float model" in said
    assert "agreement: mAP50-95 against the float model's own answers; there is no truth" in said
    trials = {t.label: t.measurement for t in read_trials(out)}
    assert trials["float"].value("fidelity_map50_95") == pytest.approx(1.0)
    assert trials["int8-weights"].value("fidelity_map50_95") > 0.5
    assert trials["int8-weights"].get("float_latency_s").samples
    assert read_study(out)["limits"]["min_agreement"] == 50
    told = said + (out / "best" / "README.md").read_text() + page_without_scripts(out / "report.html")
    for word in ("points lost", "points gained", "fidelity"):
        assert word not in told, told[told.index(word) - 200 :][:400]
    assert main([*given, "--min-agreement", "50", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [t["points_lost"] for t in answer["trials"]] == [None, None]
    assert answer["trials"][0]["agreement_percent"] == 100


def page_without_scripts(path: Path) -> str:
    return re.sub(r"<(script|style)\b.*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_agreement_is_no_limit_where_there_is_truth(toy, tmp_path, capsys):
    assert main(words(toy, tmp_path / "o", "--min-agreement", "90")) == 2
    assert "hint: --max-drop P" in capsys.readouterr().err


def test_calibration_images_that_are_judged_on_are_refused_unless_allowed(toy, tmp_path, capsys):
    given = [
        "run",
        str(toy.model),
        "--data",
        str(toy.data),
        "--calib",
        str(toy.data),
        "--out",
        str(tmp_path / "o"),
    ]
    assert main([*given, "--recipes", "int8-weights"]) == 2
    assert "12 calibration images also stand among the images to judge on" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
