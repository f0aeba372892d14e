"""Runtime x recipe: figures, the winner, and what was left out; nothing of it with one runtime."""

from __future__ import annotations

import re

from made_up_story import in_several_runtimes, story

from paredown._report.evidence import rows
from paredown._report.matrix import matrix, runtimes_of
from paredown._report.summary import trials
from paredown._report.trade_off import figure
from paredown._report.write import render


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
