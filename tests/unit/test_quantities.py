"""The table of quantities: a new one is one row, and is then shown and limited everywhere."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from report.made_up_story import story
from rich.console import Console
from study.made_up_trials import trial

from paredown._report.trials_csv import trials_csv
from paredown._report.write import render
from paredown.cli.closing import limits_of, quantity_values, trial_table
from paredown.cli.parser import Parser, add_limits
from paredown.deploy.model_files import ModelFiles
from paredown.deploy.readme import figures
from paredown.errors import UnknownName, UsageError
from paredown.job import command
from paredown.measurement import Quantity, Trial
from paredown.metrics import METRICS, kind_of, title_of
from paredown.quantities import QUANTITIES, UNITS, Column, Limit, QuantityKind, in_unit
from paredown.study.best import choose_best
from paredown.study.limits import Limits
from paredown.study.options import Asked

ENERGY = QuantityKind(
    "energy_j",
    "energy",
    "J",
    "lower",
    ("measured", "estimated"),
    places=("tile", "trials", "elsewhere", "bundle"),
    column=Column("J", 3),
    caption="Energy of one inference, {how}.",
    limit=Limit("--max-energy", "joules one inference may take"),
)


@pytest.fixture(autouse=True)
def energy(monkeypatch):
    """The one row that a new quantity needs."""
    monkeypatch.setitem(QUANTITIES, "energy_j", ENERGY)


def with_energy(made: Trial, joules: float) -> Trial:
    assert made.measurement is not None
    quantities = (*made.measurement.quantities, Quantity.listed("energy_j", joules))
    return replace(made, measurement=replace(made.measurement, quantities=quantities))


FLOAT, INT8 = trial("float"), trial("int8", 0.398, (0.5, 0.49, 0.51), size=3e6)


def trials() -> list[Trial]:
    return [with_energy(FLOAT, 0.8), with_energy(INT8, 0.4125)]


def test_it_is_a_column_on_the_terminal():
    table = trial_table(trials(), choose_best(trials(), Limits()))
    column = next(c for c in table.columns if str(c.header) == "J")
    assert [str(cell) for cell in column.cells] == ["0.800", "0.412"]
    without = trial_table([FLOAT, INT8], choose_best([FLOAT], Limits()))
    assert "J" not in [str(c.header) for c in without.columns]


def test_a_recipe_is_not_broken_in_80_columns():
    made = [FLOAT, trial("size256+int8-minmax", 0.3, (0.5, 0.49, 0.51), size=3e6)]
    screen = Console(file=io.StringIO(), width=80)
    screen.print(trial_table(made, choose_best(made, Limits())))
    assert "size256+int8-minmax " in screen.file.getvalue()
    assert "loses more" in screen.file.getvalue()


def test_it_is_in_the_report_its_plot_and_the_csv():
    told = story()
    told = replace(told, trials=tuple(with_energy(t, 0.4) if t.measurement else t for t in told.trials))
    page = render(told)
    assert '<th class="n">energy<small>J</small></th>' in page
    assert 'id="plot-energy-j"' in page
    assert "Energy of one inference, measured." in page
    rows = list(csv.DictReader(io.StringIO(trials_csv(told.trials))))
    assert rows[0]["energy_j [J]"] == "0.4"
    assert rows[0]["energy_j how"] == "measured"
    assert 'id="plot-energy-j"' not in render(story())


def test_it_is_in_the_json_and_in_what_ships():
    made = trials()[1].measurement
    assert made is not None
    assert quantity_values(made.quantities)["energy_j"]["unit"] == "J"
    files = ModelFiles((Path("m.onnx"),), None, 1, "onnxruntime", "onnxruntime 1")
    assert any(line.startswith("| energy | 0.412") for line in figures(trials()[1], files))
    of_float, of_int8 = (" ".join(figures(t, files)) for t in trials())
    assert "latency against float" in of_int8
    assert "latency against float" not in of_float  # 1.01 of itself is the noise of the machine


def test_it_is_a_limit_of_the_verdict():
    met = choose_best(trials(), Limits(more={"energy_j": 0.5}))
    assert met.gate_met
    assert met.best.recipe == "int8"
    assert "Energy 0.412 J, 0.52 of float" in met.reasons
    assert "at most 0.5 J of energy" in met.sentence
    missed = choose_best(trials(), Limits(more={"energy_j": 0.1}))
    assert not missed.gate_met
    assert missed.remarks["float"] == "over 0.1 J"
    same_speed = with_energy(trial("saving", 0.398), 0.4)
    assert choose_best([trials()[0], same_speed], Limits()).best.recipe == "float"
    assert choose_best([trials()[0], same_speed], Limits(more={"energy_j": 0.5})).best is same_speed
    unmeasured = choose_best([FLOAT, INT8], Limits(more={"energy_j": 0.5}))
    assert not unmeasured.gate_met  # what was not measured is not kept to


def test_it_is_an_option_a_key_of_study_toml_and_part_of_the_command_again(tmp_path):
    parser = Parser()
    add_limits(parser, "1", "88")
    limits = limits_of(parser.parse_args(["--max-energy", "250mJ", "--max-latency", "33ms"]))
    assert limits == Limits(max_latency_s=0.033, more={"energy_j": 0.25})
    asked = Asked("m.onnx", "images", limits=limits)
    assert asked.tables()["limits"]["max_energy_j"] == 0.25
    assert Asked.parse(asked.tables()) == asked
    assert "--max-latency 33 --max-energy 0.25" in command(asked, tmp_path)


def test_limits_are_held_against_the_table():
    with pytest.raises(UnknownName, match="limit can be set on"):
        Limits(more={"load_s": 1.0})
    with pytest.raises(UsageError, match="max_energy_j must not be negative"):
        Limits(more={"energy_j": -1.0})
    with pytest.raises(UnknownName, match="max_energie_j"):
        Asked.parse({"asked": {"model": "m", "data": "d"}, "limits": {"max_energie_j": 1.0}})


def test_a_row_says_how_it_may_be_obtained():
    assert Quantity.listed("energy_j", 1.0, how="estimated").how == "estimated"
    with pytest.raises(ValueError, match="energy_j cannot be simulated"):
        Quantity.listed("energy_j", 1.0, how="simulated")
    assert Quantity.listed("latency_ratio", 0.5).how == "derived"


def test_every_row_is_whole():
    for name, kind in QUANTITIES.items():
        assert kind.name == name
        assert kind.title
        assert kind.unit in UNITS
        assert kind.limit is None or kind.better == "lower"
    assert not QUANTITIES.keys() & METRICS.keys()
    assert {m.title for m in METRICS.values() if m.headline} == {
        "mAP50-95", "mask mAP50-95", "pose mAP50-95", "turned mAP50-95", "top-1", "mIoU", "mIoU over prompts",
        "agreement with the float model",
    }  # fmt: skip


def test_names_that_follow_from_a_row():
    assert title_of("map50_95_drop") == "mAP50-95 lost"
    assert kind_of("top1_drop").unit == "points"
    assert title_of("boot_memory_bytes") == "boot memory"  # of a study that knew more
    assert in_unit(0.033, "s") == "33 ms"
    assert in_unit(3_490_000, "bytes", ".1f") == "3.5 MB"
    assert in_unit(27_300, "bytes", ".1f") == "27.3 kB"  # not "0.0 MB"
    assert in_unit(0.000_031, "s", ".1f") == "31.0 \u00b5s"
    assert in_unit(0, "bytes", ".1f") == "0.0 MB"
    assert in_unit(0.5, "ratio", ".2f") == "0.50\u00d7"
