"""The limit without truth is chosen from pairs of agreement and points lost; the code holds that choice."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest

from paredown.agreement import PER_POINT

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("fidelity_limit")


def test_the_code_holds_what_the_results_say(script: ModuleType) -> None:
    pairs = script.read_pairs(BENCHMARKS / "results")
    chosen = {m: script.choose([p for p in pairs if p.task == task]) for task, m in script.HEADLINES.items()}
    assert chosen == PER_POINT


def test_the_page_shows_the_pairs(script: ModuleType) -> None:
    result = json.loads((BENCHMARKS / "results" / script.OUT).read_text())
    page = (BENCHMARKS.parent / "docs" / "agreement.md").read_text(encoding="utf-8")
    assert script.agreement(result) in page
    assert len(result["rows"]) == len(script.read_pairs(BENCHMARKS / "results"))


def test_three_of_four_must_lose_at_most_a_point_and_none_twice_that(script: ModuleType) -> None:
    def pairs(*values: tuple[float, float]) -> list[object]:
        return [script.Pair("detect", agreement, lost, "m", "x.json") for agreement, lost in values]

    assert script.choose(pairs((95, 0.5), (90, 1.0), (85, 1.5), (80, 1.0), (79, 2.1))) == 20
    assert script.choose(pairs((95, 0.5), (90, 1.5))) == 9
    assert script.choose(pairs((95, 0.5), (90, 0.6), (89, 0.7), (88, 2.5))) == 11
    assert script.choose([]) == 0


def test_each_pair_counts_once_and_the_float_model_not(script: ModuleType, tmp_path: Path) -> None:
    row = {"model": "yolov8n", "recipe": "int8", "fidelity": 0.95, "points_lost": 0.5}
    rows = [row, row, {**row, "recipe": "float"}, {**row, "fidelity": None}]
    (tmp_path / "a.json").write_text(json.dumps({"rows": rows}))
    (tmp_path / "b.json").write_text(json.dumps({"rows": [row]}))
    (pair,) = script.read_pairs(tmp_path)
    assert (pair.task, pair.agreement, pair.points_lost) == ("detect", 95, 0.5)
