"""What the report says of layers, classes, downloads and unfinished studies."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_story import classifier, story, with_layers
from test_report_page import Page

from paredown._report import plots, trade_off
from paredown._report.downloads import relative
from paredown._report.evidence import rows
from paredown._report.format import fps, kb_or_mb, ms, percent, plural
from paredown._report.html import tag
from paredown._report.layer_rows import layer_rows
from paredown._report.layer_table import rows_of, summary
from paredown._report.network import drawing, groups_of
from paredown._report.network.layout import layout
from paredown._report.per_class import confusion_of
from paredown._report.plain_reasons import plain
from paredown._report.trials_csv import trials_csv
from paredown._report.write import render
from paredown.graph.layers import Layer, Layers
from paredown.measurement import StepRecord, Trial


def chain(n: int, bits: int | None = 8) -> Layers:
    """n convolutions in a row."""
    names = [f"conv{i}" for i in range(n)]
    kind = "integer" if bits else "float"
    return Layers(
        tuple(
            Layer(m, m, "Conv", kind, bits, bits, 10, (1, 2), (names[i - 1],) if i else (), (f"t{i}",))
            for i, m in enumerate(names)
        ),
        (),
    )


def test_the_summary_counts_what_is_float_its_work_and_its_time() -> None:
    told = with_layers()
    row = next(r for r in rows(told) if r.role == "recommended")
    layers = rows_of(told, row)
    assert len(layers) == 77
    words = summary(layers)
    assert words.startswith("14 of 77 layers compute in float: 0")
    assert "of the multiply-accumulates" in words
    assert "of the time here" in words


def test_a_layer_has_the_reason_that_its_recipe_logged_in_plain_words() -> None:
    told = with_layers()
    row = next(r for r in rows(told) if r.role == "recommended")
    tail = next(r for r in rows_of(told, row) if r.layer.name == "/model.22/Mul_3")
    assert tail.why == "Decode tail: box pixels and scores."  # none of the known reasons: as it is
    found = chain(1, None)
    (known,) = layer_rows(
        found, [StepRecord("w8a8", "conv0", "float", "decode tail: no convolution depends on it")]
    )
    assert known.why.startswith("Decoding behind the last convolution")
    (untouched,) = layer_rows(found, [])  # the float model itself, or one at another input size
    assert untouched.why == "Nothing of this model is quantized."
    partly = Layers((*chain(2).layers, replace(found.layers[0], name="left", node="left")), ())
    assert layer_rows(partly, [])[-1].why == "This recipe keeps no record of its layers."


@pytest.mark.parametrize(
    "why",
    [
        "decode tail: no convolution depends on it",
        "ONNX Runtime CPU has no integer kernel for Softmax",
        "MatMul of two computed tensors",
        "kept float as asked",
        "left float: its grids put noise of 3.20% of the signal on the heads; 0.1 ms in float",
        "something that nobody foresaw",
        "",
    ],
)
def test_every_reason_is_a_sentence(why: str) -> None:
    said = plain(why)
    assert said[0].isupper()
    assert said.endswith(".")


def test_sensitivities_come_from_the_tensors_that_a_layer_makes() -> None:
    found = chain(3)
    log = [StepRecord("w8a8", "", "note", "noise", {"damage": {"t1": 0.02}})]
    assert [r.sensitivity for r in layer_rows(found, log)] == [None, 0.02, None]


def test_the_machine_s_memory_is_in_gigabytes_and_no_swap_is_none():
    told = story()
    words = Page(render(replace(told, environment={**told.environment, "swap_bytes": 0}))).words
    assert re.search(r"memory8\.0.GB", words)
    assert "swapnone" in words


def test_a_model_without_layers_says_that_its_file_is_gone() -> None:
    assert "its layers are not shown" in Page(render(story())).words


def test_a_long_chain_becomes_a_few_boxes_and_each_layer_stands_in_one() -> None:
    layers = layer_rows(chain(300), [])
    groups = groups_of(layers)
    assert len(groups) <= 80
    assert sorted(r.place for g in groups for r in g.rows) == list(range(1, 301))
    assert drawing(layers).count("<rect") == len(groups)


def test_a_float_layer_never_hides_in_a_box_of_integers() -> None:
    tail = Layer("sig", "sig", "Sigmoid", "float", None, None, 0, (1, 2), ("conv1",), ("s",))
    found = Layers((*chain(2).layers, tail), ())
    assert [g.kind for g in groups_of(layer_rows(found, []))] == ["integer", "integer", "float"]


@given(st.lists(st.lists(st.integers(0, 30), max_size=4), min_size=1, max_size=31))
def test_boxes_never_lie_on_each_other_and_lines_run_downwards(wanted: list[list[int]]) -> None:
    inputs = [sorted({j % i for j in reads}) if i else [] for i, reads in enumerate(wanted)]
    made = layout(inputs, 100.0, 50.0)
    for i, (x, y) in enumerate(made.centres):
        assert 50 <= x <= made.width - 50
        for other_x, other_y in made.centres[:i]:
            assert y != other_y or abs(x - other_x) >= 100
    for points in made.lines.values():
        assert all(b[1] > a[1] for a, b in pairwise(points))


@pytest.mark.parametrize("truth", [True, False])
def test_a_classifier_is_not_told_of_boxes(truth: bool) -> None:
    words = Page(render(classifier(truth=truth))).words
    assert not re.search(r"\b(box|boxes|detections?|mAP\S*)\b", words)
    assert "images at or above" in render(classifier(truth=truth))
    assert "Confusion matrix of int8" in words


def test_the_table_of_classes_says_how_often_each_is_right_and_what_it_is_taken_for() -> None:
    told = classifier()
    words = Page(render(told)).words
    assert "All 3 classes" in words
    assert "0.795" in words  # horse: 31 of 39
    assert "dog (8)" in words
    assert confusion_of(rows(told)[1])[(2, 1)] == 8


def test_the_confusion_matrix_holds_every_image() -> None:
    text = render(classifier())
    found = re.search(r'data-for="plot-confusion">(.*?)</script>', text, re.S)
    assert found is not None
    (heat,) = json.loads(found[1])["data"]
    assert heat["customdata"] == [[38, 4, 0], [1, 38, 0], [0, 8, 31]]


def test_trials_csv_has_every_trial_and_no_formula() -> None:
    trials = (*story().trials, Trial("=1+1", "=cmd", "ab", None, "local", 0, None, error='@x, "y"\nz'))
    lines = list(csv.DictReader(io.StringIO(trials_csv(trials))))
    assert [line["label"] for line in lines][:2] == ["float", "int8"]
    assert float(lines[1]["latency_s [s]"]) == pytest.approx(0.0304, rel=0.02)
    assert lines[-1]["label"] == "'=cmd"
    assert lines[-1]["error"] == '\'@x, "y"\nz'


def test_a_link_never_leads_up_through_folders_of_this_machine(tmp_path) -> None:
    (tmp_path / "study/models").mkdir(parents=True)
    file = tmp_path / "study/models/a b.onnx"
    file.write_bytes(b"x")
    assert relative(file, tmp_path / "study") == "models/a%20b.onnx"
    assert relative(file, tmp_path) == "study/models/a%20b.onnx"
    assert relative(file, tmp_path / "elsewhere") is None
    assert relative(tmp_path / "study/models/gone.onnx", tmp_path) is None


def test_an_unfinished_study_says_what_is_still_to_come() -> None:
    told = story(finished=False, to_come=("mixed", "int4-qat"))
    words = Page(render(replace(told, pictures=()))).words
    assert "7 of 10 recipes finished; 1 failed" in words
    assert "Still to come: mixed, int4-qat" in words
    assert "They come at its end" in words
    assert "Unfinished" not in Page(render(story())).words


def test_an_outlier_is_cut_off_and_said_to_be() -> None:
    assert plots.cut([30.0, 31.0, 29.0, 400.0]) == pytest.approx(1.15 * 31)
    assert plots.cut([30.0, 60.0, 29.0]) is None
    assert plots.cut([0.0, 0.0, 0.0]) is None
    assert plots.cut([1.1, 0.3, 0.3, 0.3], reference=1.1) is None  # float stays whole
    slow = [
        replace(t, measurement=replace(t.measurement, quantities=tuple(
            replace(q, value=9.0, low=8.9, high=9.1) if q.name == "latency_ratio" else q
            for q in t.measurement.quantities)))
        if t.label == "ort-dynamic" and t.measurement else t
        for t in story().trials
    ]  # fmt: skip
    text = render(story(trials=tuple(slow)))
    found = re.search(r'data-for="plot-latency-ratio">(.*?)</script>', text, re.S)
    assert found is not None
    assert json.loads(found[1])["layout"]["xaxis"]["range"][1] < 3
    assert "longer than the axis" in Page(text).words


def test_units_in_words() -> None:
    assert (fps(0.0304), fps(0.004), fps(0.0)) == ("32.9\u202fFPS", "250\u202fFPS", "")
    assert ms(0.0304) == "30.4\u202fms (32.9\u202fFPS)"
    assert [percent(v).replace("\u202f", "") for v in (0.5, 0.013, 0.0013, 0.00053, 0)] == [
        "50%", "1.3%", "0.13%", "0.053%", "0%",
    ]  # fmt: skip
    assert (plural(1, "class"), plural(3, "class")) == ("1 class", "3 classes")
    assert kb_or_mb(12_345) == "12\u202fkB"


def test_control_characters_of_foreign_names_are_spelled_out() -> None:
    shown = tag("td", "\x1b[31mred\x07 <b> \u202etxt\nsecond", title="\x1b]0;x\x07")
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", shown)
    assert "\\x1b[31mred\\x07 &lt;b&gt; \\u202etxt\nsecond" in shown


def test_agreement_is_in_percent_on_the_axis_as_in_tables() -> None:
    figure = trade_off.figure(rows(story()), "fidelity_map50_95")
    assert figure is not None
    assert figure.layout["yaxis"]["tickformat"].endswith("%")


def test_a_task_without_confidences_has_no_empty_plots_of_them() -> None:
    told, none = story(), {"confidence_histogram": (0.0, 0.0)}
    measured = [(t, t.measurement) for t in told.trials if t.measurement is not None]
    trials = tuple(replace(t, measurement=replace(m, curves={**m.curves, **none})) for t, m in measured)
    page = render(replace(told, trials=trials))
    assert "No confidences were recorded" in page
    assert 'id="plot-confidence"' not in page
