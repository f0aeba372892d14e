"""`run --classes`: what is judged, what candidates are chosen by, the report and what ships are one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paredown import api, job
from paredown.cli import main
from paredown.study import trial
from paredown.study.predictions import load_predictions, predictions_path
from toys import Toy


def test_one_class_from_the_images_to_the_bundle(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen_by = []
    judge_on = trial.judge_on
    monkeypatch.setattr(trial, "judge_on", lambda *given: chosen_by.append(given[-1]) or judge_on(*given))
    out = tmp_path / "out"
    words = ["run", str(toy.model), "--data", str(toy.data), "--calib", str(toy.calib), "--out", str(out)]
    words += ["--classes", "disc", "--recipes", "int8-minmax", "--timing", "0.05s", "--quiet"]
    assert main(words) in (0, 3)
    assert chosen_by == [(0,)]  # the disc's number: what `mixed` is judged by
    said = load_predictions(predictions_path(out, "int8-minmax"), 12, "detect")
    assert said is not None
    assert {int(c) for p in said for c in p.classes} == {0}
    page = (out / "report.html").read_text()
    assert "judged on these alone" in page
    assert "--classes disc" in page
    assert "--timing 0.05s" in page
    script = (out / "best" / "detect.py").read_text()
    assert "classes=('disc',)" in script
    again = api.bundle(out, tmp_path / "again")
    assert (again / "detect.py").read_text() == script
    facts = json.loads((out / "facts.json").read_text())
    assert facts["dataset"]["judged_classes"] == ["disc"]
    assert job.judge(out)[0][0].measurement.value("map50_95") == pytest.approx(1.0)
