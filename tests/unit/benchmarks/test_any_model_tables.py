"""The tables of every model and of heads without a name, from made-up results."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
RESULT = {
    "command": "python benchmarks/x.py",
    "date": "2026-01-02T03:04:05+00:00",
    "machine": "a CPU",
    "environment": {"threads": 1, "packages": {}},
}


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("any_model_tables")


def test_every_model_has_a_line_whatever_became_of_it(tables) -> None:
    judged = {"family": "f", "judged": 9, "float": 0.4, "metric": "map50_95", "points_lost": 0.5}
    rows = [
        {"model": "a", **judged, "verdict": "Use int8: 2x smaller"},
        {"model": "b", **judged, "verdict": "Keep the float model"},
        {"model": "c", "error": "no way"},
    ]
    text = tables.every_model({**RESULT, "rows": rows})
    assert "| a | f | 9 | 0.4000 mAP50-95 | 0.50 | use INT8 |" in text
    assert "| b | f | 9 | 0.4000 mAP50-95 | 0.50 | keep the float model |" in text
    assert "refused: no way" in text


def test_a_head_has_a_column_for_each_recipe(tables) -> None:
    row = {"model": "h", "source": "s", "accuracy": 0.4, "points_lost": 1.0}
    rows = [{**row, "label": "float"}, {**row, "label": "int8"}, {**row, "label": "other", "error": "x"}]
    text = tables.unnamed_heads({**RESULT, "rows": rows})
    assert "| h | s | 0.4000 | 1.00 | failed |" in text
