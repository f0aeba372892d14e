"""A whole job with a search: it fills the time left, goes on where it stopped, and its trials are marked."""

from __future__ import annotations

import json
import sys

import pytest

from paredown import api
from paredown._compress.steps import STEPS
from paredown.cli import main
from paredown.errors import CalibrationError
from paredown.job import run
from paredown.study.options import Options
from paredown.study.records import to_line
from paredown.study.store import read_study

pytest.importorskip("optuna")


def searched(toy, out, **options):
    asked = Options(recipes=("int8-weights",), threads=1, **options)
    return run(toy.model, str(toy.data), str(toy.calib), out=out, options=asked)


def written(outcome):
    """Its trials as they stand on the disk: curves hold nan where nothing was found, which is not itself."""
    return [to_line(trial) for trial in outcome.trials]


@pytest.mark.slow
def test_the_search_goes_on_where_it_stopped_and_its_trials_are_marked(toy, tmp_path):
    short = searched(toy, tmp_path / "a", search=1)
    assert [t.origin for t in short.trials] == ["named", "named", "search"]
    longer = searched(toy, tmp_path / "a", search=2)
    assert written(longer)[:3] == written(short)
    assert longer.trials[3].origin == "search"
    assert any("the search proposed 2" in note for note in longer.notes)
    assert 'class="mark search">search</span>' in longer.report.read_text()
    again = searched(toy, tmp_path / "a", search=2)
    assert written(again) == written(longer)
    assert read_study(tmp_path / "a")["options"]["search"] == 2
    assert api.bundle(tmp_path / "a", tmp_path / "b", longer.trials[3].recipe).is_dir()


def test_a_failing_recipe_is_a_failed_trial_and_the_search_goes_on(toy, tmp_path, monkeypatch):
    def refuse(step, graph, context):
        raise CalibrationError("nothing works today")

    for kind, (step, _) in list(STEPS.items()):
        monkeypatch.setitem(STEPS, kind, (step, refuse))
    outcome = searched(toy, tmp_path / "a", search=3)
    assert [t.origin for t in outcome.trials] == ["named", "named", *["search"] * 3]
    assert all("nothing works today" in t.error for t in outcome.trials[1:])
    assert len({t.recipe for t in outcome.trials}) == 5


def test_a_search_without_an_end_is_refused_before_any_work(toy, tmp_path, capsys):
    words = ["run", str(toy.model), "--data", str(toy.data), "--out", str(tmp_path / "a"), "--search"]
    assert main(words) == 2
    assert "--budget 30m" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_time_that_is_up_leaves_nothing_for_the_search(toy, tmp_path):
    outcome = searched(toy, tmp_path / "a", search=0, budget_s=0.0)
    assert [t.recipe for t in outcome.trials] == ["float"]
    assert any("no time was left for the search" in note for note in outcome.notes)
    facts = json.loads((outcome.directory / "facts.json").read_text())
    assert "--search --budget 0s" in facts["command"]  # the command that does it again


def test_without_optuna_the_search_is_refused_and_the_rest_works(toy, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)
    words = ["run", str(toy.model), "--data", str(toy.data), "--out", str(tmp_path / "a"), "--search", "2"]
    assert main(words) == 1
    assert "paredown[search]" in capsys.readouterr().err
