"""A whole study on a board: connections that are cut again and again cost time and nothing else."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

import toys
from paredown import api, job
from paredown._measure.timing import latency
from paredown.hosts import open_host
from paredown.job import run
from paredown.protocols import Progress, silent
from paredown.study.options import Options
from sshd import Board, needs_sshd
from toys import Toy

pytestmark = needs_sshd

RECIPES = ("int8-weights", "int8")
QUICK = latency.TimingPlan(min_runs=4, min_seconds=0.02, min_rounds=4, turn_s=0.01, warmup_s=0.01)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "TimingPlan", lambda: QUICK)


@pytest.fixture(autouse=True)
def _unreported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pages: they tell of trials, and are looked at elsewhere."""
    monkeypatch.setattr(job, "write_pages", lambda story, directory: directory / "report.html")


@pytest.fixture
def small(toy: Toy, tmp_path: Path) -> Toy:
    """The detector with three images to judge on and three to calibrate on: cuts need no more."""
    for name, seed in (("data", 1), ("calib", 2)):
        toys.write_images(tmp_path / name / "images", 3, seed)
    toys.write_truth(tmp_path / "data", toy.model)
    return Toy(toy.model, tmp_path / "data", tmp_path / "calib")


def test_cuts_lose_no_trial_and_repeat_none(board: Board, small: Toy, tmp_path: Path) -> None:
    chance, cuts = Random(0), []

    def progress(items, what, total=None):
        for item in items:
            if len(cuts) < 4 and what in ("timing", "predicting") and chance.random() < 0.4:
                cuts.append(board.cut())
            yield item

    study_survives(small, tmp_path / "study", progress, RECIPES[:1])
    assert len(cuts) == 4


@pytest.mark.real
@pytest.mark.slow
def test_twenty_cuts_at_random_moments_lose_no_trial_and_repeat_none(
    board: Board, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    longer = replace(QUICK, min_seconds=2.0, min_rounds=20)
    monkeypatch.setattr(latency, "TimingPlan", lambda: longer)
    chance, cuts, over = Random(1), [], threading.Event()
    open_host("ssh:board").facts()  # a board that never answered is not waited for

    def cut_again_and_again() -> None:
        while len(cuts) < 20 and not over.wait(chance.uniform(0.1, 4.0)):
            if broken := board.cut():  # between two programs there may be none to break
                cuts.append(broken)

    thread = threading.Thread(target=cut_again_and_again)
    thread.start()
    try:
        study_survives(toy, tmp_path / "study", silent, RECIPES)
    finally:
        over.set()
        thread.join()
    assert len(cuts) == 20


def study_survives(toy: Toy, out: Path, progress: Progress, recipes: tuple[str, ...]) -> None:
    """A study on the board has each trial once and whole, and run again it measures nothing."""
    options = Options(host="ssh:board", recipes=recipes, threads=1)
    outcome = run(toy.model, str(toy.data), str(toy.calib), out=out, options=options, progress=progress)
    kept = [json.loads(line) for line in (out / "trials.jsonl").read_text().splitlines()]
    assert Counter(t["recipe"] for t in kept).most_common(1)[0][1] == 1  # none was repeated
    assert [t.label for t in outcome.trials] == ["float", *recipes]
    for trial in outcome.trials:
        assert trial.error is None
        assert trial.host == "ssh:board"
        assert trial.measurement is not None
        assert trial.measurement.value("latency_ratio") > 0
        assert trial.measurement.environment["accuracy_on"] == "the host"
    again = run(toy.model, str(toy.data), str(toy.calib), out=out, options=options)
    assert len((out / "trials.jsonl").read_text().splitlines()) == len(kept)
    assert again.verdict.sentence == outcome.verdict.sentence


def test_accuracy_is_the_same_there_and_here_and_says_where(board: Board, toy: Toy) -> None:
    found = {
        on: api.measure(toy.model, toy.data, host="ssh:board", accuracy_on=on, what=["map"])
        for on in ("host", "here")
    }
    assert found["host"].value("map50_95") == pytest.approx(found["here"].value("map50_95"), abs=1e-6)
    assert found["host"].environment["accuracy_on"] == "the host"
    assert found["here"].environment["accuracy_on"] == "another machine"
    assert any("another machine" in d.text for d in found["here"].doubts)
    assert not any("another machine" in d.text for d in found["host"].doubts)
    assert not {"pre_s", "inference_s", "post_s"} & {q.name for q in found["host"].quantities}
