"""What runs for minutes at the end of a job: both models, once each, and what could not be is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paredown import enduring
from paredown.endurance import Endurance, Sustained, Throttled
from paredown.errors import TargetError, UsageError
from paredown.report_data.endurance import read_endurance
from paredown.study.options import Options

RAN = Sustained(5.0, (), (), (), (), Throttled(None, "no throttling seen: latency hot is 1.00 of cold"))


class Model(SimpleNamespace):
    def with_card(self, card: object) -> Model:
        return self


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Of a study whose two models are the names of their trials; `ran` is what ran for minutes."""
    ran: list[str] = []

    def endure(model: Model, *given: object, **how: object) -> Endurance:
        ran.append(model.sha256)
        return Endurance(model.sha256, "a machine", sustained=RAN)

    monkeypatch.setattr(enduring, "endure", endure)
    monkeypatch.setattr(enduring, "model_of", lambda directory, trial: Model(sha256=f"sha-{trial.label}"))
    place = SimpleNamespace(name="local", can_time=True, host=SimpleNamespace(name="local"))
    bench = SimpleNamespace(card=None, judged=(), target=place)
    found = SimpleNamespace(options=Options(sustained_s=5.0), bench=bench, ran=ran, progress=None, hide=str)
    found.say = lambda text: None
    found.sized_for = lambda recipe: found
    return found


def verdict(best: str = "w8") -> Any:
    trials = {label: SimpleNamespace(key=label, label=label, recipe="float", runtime="onnxruntime")
              for label in ("float", best)}  # fmt: skip
    return SimpleNamespace(baseline=trials["float"], best=trials[best])


def test_both_models_run_once_and_stand_in_the_report(tmp_path: Path, work: Any) -> None:
    assert enduring.endure_winner(tmp_path, work, verdict()) == ()
    assert work.ran == ["sha-float", "sha-w8"]
    found = read_endurance(tmp_path)
    assert sorted(found) == ["float", "w8"]
    assert found["w8"].sustained == RAN
    enduring.endure_winner(tmp_path, work, verdict())
    assert work.ran == ["sha-float", "sha-w8"]  # kept
    work.options = replace(work.options, sustained_s=6.0)
    enduring.endure_winner(tmp_path, work, verdict("float"))
    assert work.ran[2:] == ["sha-float"]  # another time; the float model won, and runs once


def test_what_cannot_run_for_minutes_is_said(
    tmp_path: Path, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object, **how: object) -> Endurance:
        raise TargetError("it crashed")

    monkeypatch.setattr(enduring, "endure", refuse)
    assert enduring.endure_winner(tmp_path, work, verdict())[1] == "w8 did not run for minutes: it crashed"
    work.bench.target.can_time = False
    assert "cannot be timed" in enduring.endure_winner(tmp_path, work, verdict())[0]
    work.options = Options()
    assert enduring.endure_winner(tmp_path, work, verdict()) == ()


def test_a_time_that_is_too_short_is_refused_before_any_work() -> None:
    with pytest.raises(UsageError, match="too short"):
        Options(sustained_s=1.0)
