"""What benchmark scripts make of results: tables, commands without paths, failures in one line."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
RESULT = {
    "command": "python benchmarks/x.py",
    "date": "2026-01-02T03:04:05+00:00",
    "machine": "a CPU",
    "environment": {"threads": 1, "packages": {"onnxruntime": "1.31.1"}},
}


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    return load


def trial(label, accuracy, **more):
    figures = {
        "metric": "map50_95",
        "points_lost": 41.0 - 100 * accuracy,
        "latency_s": 0.02,
        "size_bytes": 4e6,
    }
    return {"model": "m", "label": label, "accuracy": accuracy, **figures, "latency_ratio": 0.5, **more}


def test_summary_has_a_line_per_model_and_says_where_it_comes_from(scripts):
    rows = [
        trial("float", 0.41),
        trial("int8", 0.406, points_low=0.1, points_high=0.7, doubts=["busy"]),
        trial("ort-static", 0.0),
    ]
    text = scripts("tables").summary({**RESULT, "rows": rows})
    assert "| m | 0.4100 | 0.40 (0.1 .. 0.7) | 0.50&nbsp;? | 4.0 → 4.0 | 41.00, nothing is left | - |" in text
    assert "`python benchmarks/x.py`, 2026-01-02, a CPU, threads: 1, onnxruntime 1.31.1." in text
    assert "too busy" in text


def test_cpus_has_a_line_per_file_and_a_dash_where_nothing_was_emulated(scripts):
    places = [(None, False, 0.40, 0.0), ("Haswell", False, 0.30, 0.125), ("Haswell", True, 0.40, 0.0)]
    rows = [{**trial("float", 0.41), "cpu": None, "precise": False}]
    for label, some in (("8 bits", places), ("7 bits", places[:1])):
        for cpu, precise, accuracy, difference in some:
            more = {"cpu": cpu, "precise": precise, "difference": difference, "pairs_at_risk": 0.021}
            rows.append(trial(label, accuracy, **more, judged=9))
    text = scripts("tables").cpus({**RESULT, "rows": rows})
    assert "| m (9 images) | 8 bits | 2.1 % | 1.00 | 11.00 | 12.5 % | 1.00 |" in text
    assert "| m (9 images) | 7 bits | 2.1 % | 1.00 | - | - | - |" in text


PEER = {"model": "m", "peer": "paredown", "tool": "T", "variant": "v", "runtime": "openvino"}
PEER |= {"made_by": {"command": "python p.py --models m n --stages time"}}
LOST = {"accuracy": 0.4, "points_lost": 0.85, "points_low": 0.1, "points_high": 1.2, "fidelity": 0.876}


def test_a_peer_that_failed_shows_where_and_why(scripts):
    failed = PEER | {"stage": "load or run", "error": "a | b"}
    result = {**RESULT, "rows": [failed]}
    told = "| m | T | v | failed to load or run: a / b |  | "
    assert told + "- |  |  |  |  |" in scripts("peer_tables").every_figure(result)
    text = scripts("peer_tables").in_runtime(result, "openvino")
    assert told + " |  |" in text
    assert "`python p.py --stages time`" in text  # without the models, which the table shows


def test_beside_a_peer_our_file_is_told_in_parts_of_its_time(scripts):
    timed = {"latency_s": 0.02, "latency_ratio": 0.5, "low": 0.48, "high": 0.52}
    beside = {**timed, "latency_ratio": 0.97, "low": 0.94, "high": 0.98, "doubts": ["busy"]}
    row = PEER | LOST | {"latency": {"openvino": timed}, "beside_paredown": beside}
    other = PEER | LOST | {"tool": "L", "runtime": "litert"}
    told = "| m | T | v | 0.85 (0.1 .. 1.2) | 87.6 | 20.0 ms (0.50) | 0.97 (0.94 .. 0.98)&nbsp;? |"
    text = scripts("peer_tables").in_runtime({**RESULT, "rows": [row, other]}, "openvino")
    assert told in text
    assert "| L |" not in text
    assert "too busy" in text
    text = scripts("peer_tables").every_figure({**RESULT, "rows": [row]})
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1
    assert "| - | - | 20.0 ms (0.50) | - | 0.97 (0.94 .. 0.98)&nbsp;? |" in text


def test_the_least_loss_of_a_model_is_bold_and_its_best_runtime_counts(scripts):
    both = {"onnxruntime": {"latency_ratio": 0.6}, "openvino": {"latency_ratio": 0.4}}
    rows = [
        PEER | LOST | {"latency": both},
        PEER | LOST | {"peer": "ort-minmax", "tool": "B", "points_lost": 2.0},
        PEER | {"model": "n", "peer": "ort-minmax", "tool": "B", "error": "none"},
    ]
    text = scripts("peer_tables").summary({**RESULT, "rows": rows})
    assert "| T | v | **0.85** (0.40) | - |" in text
    assert "| B | v | 2.00 | failed |" in text


def test_where_intervals_hold_0_the_highest_agreement_is_bold(scripts):
    def row(peer, tool, lost, low, fidelity):
        judged = {"points_lost": lost, "points_low": low, "fidelity": fidelity}
        return PEER | LOST | judged | {"peer": peer, "tool": tool}

    rows = [
        row("paredown", "T", 0.2, -0.1, 0.8),
        row("ort-minmax", "B", 0.3, -0.2, 0.9),
        row("aimet-tuned", "C", 0.1, 0.05, 0.95),
    ]
    text = scripts("peer_tables").summary({**RESULT, "rows": rows})
    assert "| T | v | 0.20 |" in text
    assert "| B | v | **0.30** |" in text
    assert "| C | v | 0.10 |" in text


def test_in_a_runtime_what_is_refused_says_why(scripts):
    who = {"model": "m", "runtime": "ncnn"}
    rows = [
        {
            **who,
            "recipe": "float",
            "map50_95": 0.41,
            "points_lost": 0.01,
            "points_low": 0.0,
            "points_high": 0.1,
        },
        {**who, "recipe": "int8", "error": "no layer for TopK"},
    ]
    text = scripts("runtime_tables").in_runtime({**RESULT, "rows": rows})
    assert "| m | ncnn | `float` | 0.4100 | 0.01 (0.0 .. 0.1) | - |" in text
    assert "| m | ncnn | `int8` | refused: no layer for TopK |  |  |" in text


def test_every_marker_of_the_docs_has_a_table(scripts):
    render = scripts("render")
    tables = render.TABLES
    page = "".join(file.read_text() for file in render.DEFAULT_FILES)
    assert {found[2] for found in render._PLACE.finditer(page)} == set(tables)


def test_rendering_replaces_what_stands_between_the_markers_and_nothing_else(scripts, tmp_path):
    row = {"model": "m", "work": "int8 recipe", "seconds": 1.0, "peak_bytes": 2e6, "images": 3}
    (tmp_path / "calibration.json").write_text(json.dumps({**RESULT, "rows": [row]}))
    page = "a\n<!-- table:calibration -->\nold\n<!-- /table -->\nb\n<!-- table:latency -->\n<!-- /table -->\n"
    text = scripts("render").rendered(page, tmp_path)
    assert "| m | int8 recipe | 3 | 1.0 | 2 |" in text
    assert "old" not in text
    assert text.startswith("a\n<!--")
    assert text.endswith("b\n<!-- table:latency -->\nNot measured yet.\n<!-- /table -->\n")
    assert scripts("render").rendered(text, tmp_path) == text


def test_the_command_kept_names_no_path_of_this_machine(scripts):
    argv = ["/home/me/benchmarks/results.py", "--material", "/home/me/x", "--models", "a", "--out=/home/me/y"]
    said = scripts("common").command(argv)
    assert said == "python benchmarks/results.py --material $PAREDOWN_MATERIAL --models a --out=FILE"


def test_fresh_process_answers_with_its_last_line(scripts):
    fresh = scripts("fresh")
    code = "print('noise'); print('{\"seconds\": 2}')"
    assert fresh.run_fresh([sys.executable, "-c", code], fresh.Limits()) == {"seconds": 2}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise ValueError('too many bins')", "ValueError: too many bins"),
        ("import sys; sys.exit(3)", "ended with code 3"),
        ("print('no answer')", "no result in its last line"),
        ("import time; time.sleep(9)", "more than 0.01 minutes"),
        ("x = bytearray(300_000_000); import time; time.sleep(9)", "more than 0.2 GB"),
    ],
)
def test_fresh_process_that_fails_says_why_in_one_line(scripts, code, said):
    fresh = scripts("fresh")
    seconds = 0.6 if "minutes" in said else 30
    with pytest.raises(fresh.Failed, match=said) as failure:
        fresh.run_fresh([sys.executable, "-c", code], fresh.Limits(0.2e9, seconds))
    assert "\n" not in str(failure.value)


def test_mixed_says_what_the_limit_cost(scripts):
    rows = [
        {**trial("int8", 0.40, latency_ratio=0.5, latency_s=0.02), "recipe": "int8"},
        {
            **trial("mixed", 0.408, latency_ratio=0.6, latency_s=0.025),
            "recipe": "mixed",
            "choices": {"W8A8": 40, "W8": 3, "float": 2},
            "seconds": 71.6,
        },
        {"model": "n", "recipe": "int8", "error": "no kernel"},
    ]
    text = scripts("recipe_tables").mixed({**RESULT, "rows": rows, "max_drop": 0.5})
    assert "Limit: at most 0.5 points." in text
    assert "| m | 1.00 | 0.20 | 40 / 0 / 3 / 2 | 0.50 | 0.60 | 1.20 | 4.0 → 4.0 | 72 |" in text
    assert "| n | failed | - | - | - | - | - | - → - | - |" in text


def test_prune_has_a_line_per_recipe_with_what_is_gone(scripts):
    figures = {"latency_s": 0.002, "size_bytes": 1e6, "minutes": 4.0, "computed_minutes": 2.0}
    rows = [
        {"model": "m", "recipe": "float", "accuracy": 0.5, "macs": 100, "points_lost": 0.0, **figures},
        {
            **{"model": "m", "recipe": "prune30", "accuracy": 0.45, "macs": 60, "points_lost": 5.0},
            **{"points_low": 4.0, "points_high": 6.0, "latency_ratio": 0.7, **figures},
        },
        {"model": "m", "recipe": "prune90", "error": "no"},
    ]
    text = scripts("recipe_tables").prune({**RESULT, "rows": rows})
    assert "| m | `prune30` | 40.0 % | 0.4500 | 5.00 (4.0 .. 6.0) | 0.70 | 2.0 | 1.0 | 4.0 (2.0) |" in text
    assert "| m | `prune90` | failed: no |" in text


def test_learn_sets_what_was_learned_beside_the_same_without(scripts):
    figures = {"size_bytes": 1e6, "latency_ratio": 0.5, "minutes": 30.0, "computed_minutes": 12.0}
    figures["fidelity"] = 0.9
    rows = [
        {"model": "m", "recipe": "w8a8+qat", "accuracy": 0.49, "points_lost": 1.0, **figures},
        {"model": "m", "recipe": "w8a8", "accuracy": 0.48, "points_lost": 2.0, **figures},
        {"model": "m", "recipe": "float", "accuracy": 0.5, **figures},
    ]
    lines = scripts("recipe_tables").learn({**RESULT, "rows": rows}).splitlines()[2:5]
    assert [line.split(" | ")[1] for line in lines] == ["float", "`w8a8`", "`w8a8+qat`"]
    assert lines[1].endswith("| 2.00 | 90.0 | 1.0 | 0.50 | - | - |")
    assert lines[2].endswith("| 1.00 | 90.0 | 1.0 | 0.50 | 30.0 | 12.0 |")


def test_int4_sets_fitted_levels_beside_even_ones_and_the_preset_alone(scripts):
    figures = {"fidelity": 0.9, "size_ratio": 0.163, "latency_ratio": 0.44, "accuracy": 0.4}
    beside = {"of_int8": {"latency_ratio": 1.0, "doubts": ["busy"]}}
    rows = [
        {"model": "m", "recipe": "float", "accuracy": 0.5, "size_ratio": 1.0},
        {"model": "m", "recipe": "int8", "points_lost": 0.5, **figures},
        {"model": "m", "recipe": "w4a8-even+pack", "points_lost": 3.0, **figures, **beside},
        {"model": "m", "recipe": "w4a8+pack", "points_lost": 1.0, **figures, **beside},
    ]
    whole = scripts("recipe_tables").int4({**RESULT, "rows": rows}).splitlines()[2:5]
    assert [line.split(" | ")[1:4] for line in whole] == [
        ["`int8`", "0.50", "90.0"],
        ["`w4a8-even+pack`", "3.00", "90.0"],
        ["`w4a8+pack`", "1.00", "90.0"],
    ]
    assert whole[2].endswith("| 0.163 | 0.44 | 1.00&nbsp;? |")
    (alone,) = scripts("recipe_tables").int4_summary({**RESULT, "rows": rows}).splitlines()[2:3]
    assert alone.startswith("| m | `int4` | 1.00 |")


def test_rows_of_several_machines_say_which_is_whose(scripts):
    made = {"command": "c", "machine": "B"}
    rows = [{"model": "m"}, {"model": "n", "made_by": made}]
    result = {**RESULT, "machine": "A", "rows": rows}
    assert scripts("markdown_cells").machines(result) == ["A (m)", "B (n)"]
    assert scripts("markdown_cells").machines({**result, "rows": rows[1:]}) == ["B"]
