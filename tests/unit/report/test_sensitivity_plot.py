"""The plot of layers against damage and cost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_up_story import story

from paredown._report.evidence import Row, rows
from paredown._report.sensitivity import LEAST, figure
from paredown._report.write import render
from paredown.measurement import StepRecord


def log(timed: bool = True) -> tuple[StepRecord, ...]:
    times = {"float_ms": 0.5, "int8_ms": 0.2} if timed else {}
    return tuple(
        StepRecord(
            "mix", f"<layer {i}>", "quantized", "why",
            {"op": "Conv", "choice": choice, "damage": damage, "damage_w8": 1e-5, "damage_w4": 0.01, **times},
        )
        for i, (choice, damage) in enumerate(30 * [("float", 0.02), ("W8A8", 0.0), ("W4A8", 1e-4), ("W8", 1)])
    )  # fmt: skip


def row(records: tuple[StepRecord, ...]) -> Row:
    made = story()
    trials = [replace(t, log=records) if t.label == "int8" else t for t in made.trials]
    return next(r for r in rows(replace(made, trials=tuple(trials))) if r.label == "int8")


def test_every_layer_is_drawn_under_its_choice() -> None:
    drawn = figure(row(log()), "plot-layers-0")
    assert drawn is not None
    marks = {d["name"].split(" ")[0]: d for d in drawn.data if d["type"] == "scatter"}
    assert {"float", "W8A8", "W4A8", "W8"} < marks.keys()
    assert marks["float"]["x"] == list(range(1, 120, 4))
    assert marks["W8A8"]["y"][0] == LEAST
    assert "&lt;layer 0&gt;" in marks["float"]["text"][0]
    assert "0.500 ms in float" in marks["float"]["text"][0]
    bars = [d for d in drawn.data if d["type"] == "bar"]
    assert sum(len(b["x"]) for b in bars) == 240
    assert all(b["width"] < 1 for b in bars)


def test_without_times_there_is_one_panel() -> None:
    drawn = figure(row(log(timed=False)), "plot-layers-0")
    assert drawn is not None
    assert "yaxis2" not in drawn.layout
    assert all(d["type"] == "scatter" for d in drawn.data)


@pytest.mark.parametrize("records", [(), (StepRecord("w8a8", "conv", "quantized", "why", {"op": "Conv"}),)])
def test_other_recipes_have_no_such_plot(records: tuple[StepRecord, ...]) -> None:
    assert figure(row(records), "plot-layers-0") is None


def test_the_page_holds_it() -> None:
    made = story()
    trials = [replace(t, log=log()) if t.label == "int8" else t for t in made.trials]
    page = render(replace(made, trials=tuple(trials)))
    assert page.count('id="plot-layers-') == 1
