"""Runtime x recipe: figures, the winner, and what was left out; nothing of it with one runtime."""

from __future__ import annotations

import re
from dataclasses import replace

from made_up_story import in_several_runtimes, story

from paredown._report.evidence import rows
from paredown._report.matrix import matrix, runtimes_of
from paredown._report.summary import trials
from paredown._report.trade_off import figure
from paredown._report.write import render
from paredown.study.choices import Choice

R = ("w1a8", "w2a8", "w4a8", "w1a4")  # recipes that the made-up study did not try


def cells(html: str) -> dict[str, list[str]]:
    """Recipe -> the texts of its cells."""
    lines = re.findall(r"<tr>(<td.*?)</tr>", html)
    plain = [[re.sub(r"<[^>]+>", "|", c) for c in re.findall(r"<td.*?</td>", line)] for line in lines]
    return {line[0].strip("|"): [re.sub(r"\|+", "|", c).strip("|") for c in line[1:]] for line in plain}


def test_one_runtime_has_no_matrix_and_no_column():
    told = story()
    assert matrix(told, rows(told)) is None
    assert "<th>runtime</th>" not in trials(told, rows(told))
    assert 'href="#runtimes"' not in render(told)
    assert figure(rows(told), told.metric).layout["showlegend"] is False


def test_every_pair_has_a_cell_that_says_what_it_takes_and_loses_or_why_not():
    told = in_several_runtimes()
    page = matrix(told, rows(told))
    assert page is not None
    assert runtimes_of(told, rows(told)) == ["onnxruntime", "openvino", "ncnn"]
    found = cells(page)
    assert found["float"][0].endswith("|the reference")
    assert found["bf16"][1].startswith("best| 21.1")
    assert found["bf16"][1].endswith("|0.03 points lost")
    assert found["bf16"][2] == "refused"
    assert found["ort-dynamic"][0].endswith("|not judged")
    assert found["w4a8-pc-mse"][:2] == ["not tried", "not tried"]


def test_what_was_left_out_is_said_in_words():
    told = in_several_runtimes()
    page = str(matrix(told, rows(told)))
    assert "<b>w4a8-pc-mse@openvino</b> not tried: the budget ran out" in page
    assert "<b>bf16@ncnn</b> refused: ncnn CPU has no arithmetic and no weights in bfloat16" in page
    for choice in told.left_out:
        assert choice.why in page


def test_the_sizes_of_a_recipe_stand_below_each_other_and_many_names_can_be_opened():
    told = in_several_runtimes()
    late = [
        Choice(f"{size}{r}", "onnxruntime", 0, "not tried", "late") for size in ("size256+", "") for r in R
    ]
    page = str(
        matrix(replace(told, left_out=(Choice("size256", "ncnn", 256, "not tried", "x"), *late)), rows(told))
    )
    names = list(cells(page))
    for recipe in ("float", *R):
        sized = "size256" if recipe == "float" else f"size256+{recipe}"
        assert names.index(sized) == names.index(recipe) + 1
    assert "<b>8 pairs</b> not tried: late<details><summary>which</summary>size256+w1a8, " in page
    assert "<b>size256</b> not tried: x" in page


def test_what_broke_is_not_called_refused():
    told = in_several_runtimes()
    broken = "bf16@ncnn.param: a defect in Paredown: IndexError"
    trials = tuple(replace(t, error=broken) if t.label == "bf16@ncnn" else t for t in told.trials)
    page = str(matrix(replace(told, trials=trials), rows(replace(told, trials=trials))))
    assert cells(page)["bf16"][2] == "failed"
    assert "<b>bf16@ncnn</b> failed: a defect in Paredown: IndexError" in page


def test_tables_have_a_runtime_column_and_the_plot_a_colour_for_each():
    told = in_several_runtimes()
    table = trials(told, rows(told))
    assert "<th>runtime</th>" in table
    assert 'data-label="runtime">openvino</td>' in table
    drawn = figure(rows(told), told.metric)
    assert drawn is not None
    keys = {t["name"]: t["marker"]["color"] for t in drawn.data if t.get("meta") == "key"}
    assert list(keys) == ["onnxruntime", "openvino", "ncnn"]
    assert len(set(keys.values())) == 3
    marks = {t["name"]: t for t in drawn.data if "customdata" in t}
    assert marks["bf16@openvino"]["marker"]["color"] == keys["openvino"]
    assert marks["bf16@openvino"]["text"] == [" bf16 "]
