"""The race over runtimes on made-up times: who is judged, who is left out and why, who is timed at length."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from paredown import Options, compress, load, run
from paredown._compress.compress import RECIPE_KEY
from paredown.errors import MissingDependency, StorageError, TargetError
from paredown.job import Outcome
from paredown.measurement import Quantity, Readings, Trial
from paredown.runtimes import runtime
from paredown.study import race
from paredown.study.bench import Bench
from paredown.study.limits import Limits
from toys import Toy

OTHER = "openvino"


@pytest.fixture(autouse=True)
def installed() -> None:
    try:
        runtime(OTHER).version()
    except MissingDependency as error:
        pytest.skip(f"{error.what}: {error.hint}")


def pretend(monkeypatch: pytest.MonkeyPatch, ratios: Mapping[tuple[str, str], float]) -> list[str]:
    """Times of float's time by runtime and kind of arithmetic; returns what was timed at length."""
    at_length: list[str] = []

    def time(self: Bench, model: Any, file: Path, *given: Any, plan: Any = None, **more: Any) -> Readings:
        kind = "float" if model.metadata.get(RECIPE_KEY, "float") in ("", "float") else "int8"
        value = 1.0 if file.name == "float.onnx" else ratios[self.target.runtime, kind]
        if plan is None:
            at_length.append(file.stem)
        ratio = Quantity.listed("latency_ratio", value, low=value - 0.01, high=value + 0.01)
        times = (Quantity.listed("latency_s", value / 100), Quantity.listed("float_latency_s", 0.01))
        return Readings((*times, ratio))

    monkeypatch.setattr(Bench, "time", time)
    return at_length


def raced(toy: Toy, out: Path, told: list[str] | None = None, budget_s: float | None = None) -> Outcome:
    options = Options(runtimes=("onnxruntime", OTHER), recipes="int8-minmax", threads=1, budget_s=budget_s)
    lines = [] if told is None else told
    return run(
        toy.model, str(toy.data), str(toy.calib), out=out, limits=Limits(max_drop=100.0), options=options,
        say=lines.append,
    )  # fmt: skip


def test_a_runtime_whose_float_is_twice_as_fast_spares_the_rest(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {(OTHER, "float"): 0.4, ("onnxruntime", "int8"): 0.9, (OTHER, "int8"): 0.42}
    at_length = pretend(monkeypatch, kinds)
    told: list[str] = []
    outcome = raced(toy, tmp_path / "study", told)
    left = {c.label: c for c in outcome.left_out}
    assert left["int8-minmax"].what == "not tried"
    assert left["int8-minmax"].why.startswith("by the quick timings of its runtime at best 2.1")
    assert "float@openvino" in left["int8-minmax"].why
    assert {t.label for t in outcome.trials} == {"float", f"float@{OTHER}", f"int8-minmax@{OTHER}"}
    assert outcome.verdict.best.runtime == OTHER
    assert sorted(at_length) == ["float", f"float@{OTHER}", f"int8-minmax@{OTHER}"]
    assert any(line.strip().startswith("not tried: by the quick timings") for line in told)
    assert 'id="runtimes"' in outcome.report.read_text(encoding="utf-8")


def test_what_is_slower_than_float_is_timed_and_not_judged_and_judged_once_it_may_win(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = {(OTHER, "float"): 1.2, ("onnxruntime", "int8"): 1.15, (OTHER, "int8"): 1.15}
    pretend(monkeypatch, slow)
    outcome = raced(toy, tmp_path / "study")
    unjudged = {c.label for c in outcome.left_out if c.what == "not judged"}
    assert unjudged == {"int8-minmax", f"int8-minmax@{OTHER}"}
    assert outcome.verdict.best.label == "float"
    assert outcome.verdict.gate_met
    assert outcome.verdict.remarks["w8a8-pc-minmax"] == "not judged: too slow to win"
    assert all(t.runtime and t.size == (64, 64) for t in outcome.trials)

    monkeypatch.setattr("paredown.study.race.outrun", lambda *given: "")  # as under other limits
    again = raced(toy, tmp_path / "study")
    measured = {t.label: t.measurement.get("map50_95") for t in again.trials if t.measurement is not None}
    assert measured["int8-minmax"] is not None
    assert again.verdict.remarks["w8a8-pc-minmax"] == "slower than float"
    assert not [c for c in again.left_out if c.what == "not judged"]


def test_what_the_quick_look_saw_on_a_few_images_calibrates_no_model_of_the_study(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, {(OTHER, "float"): 1.0, ("onnxruntime", "int8"): 0.5, (OTHER, "int8"): 0.6})
    raced(toy, tmp_path / "race")
    alone = compress(load(toy.model, str(toy.calib)), "int8-minmax", str(toy.calib), threads=1)
    made = tmp_path / "race" / "models" / "int8-minmax.onnx"
    assert made.read_bytes() == alone.model.data


def test_a_full_timing_that_fails_costs_nothing_that_was_found(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, {(OTHER, "float"): 0.9, ("onnxruntime", "int8"): 0.5, (OTHER, "int8"): 0.52})
    quick = Bench.time

    def time(self: Bench, model: Any, file: Path, *given: Any, plan: Any = None, **more: Any) -> Readings:
        if plan is None and file.name == "int8-minmax.onnx":
            raise TargetError("the process died")
        return quick(self, model, file, *given, plan=plan, **more)

    monkeypatch.setattr(Bench, "time", time)
    outcome = raced(toy, tmp_path / "study")
    left = {c.label: c for c in outcome.left_out}
    assert left["int8-minmax"].what == "timed shortly"
    assert "the process died" in left["int8-minmax"].why
    (trial,) = (t for t in outcome.trials if t.label == "int8-minmax")
    assert trial.error is None
    assert trial.measurement is not None
    assert trial.measurement.value("latency_ratio") == 0.5


def test_nobody_is_timed_at_length_once_the_budget_is_spent(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = {(OTHER, "float"): 0.9, ("onnxruntime", "int8"): 0.5, (OTHER, "int8"): 0.52}
    at_length, real = pretend(monkeypatch, fast), race.finalists

    def late(*given: Any) -> list[Trial]:
        monkeypatch.setattr(race, "monotonic", lambda: math.inf)
        return real(*given)

    monkeypatch.setattr(race, "finalists", late)
    outcome = raced(toy, tmp_path / "study", budget_s=3600)
    assert at_length == ["float"]  # the reference, before the race
    whys = {c.why for c in outcome.left_out if c.what == "timed shortly"}
    assert whys == {"the budget ran out before its full timing"}


def test_a_pair_that_takes_longer_than_what_is_left_says_so_and_is_named_as_untried(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, {(OTHER, "float"): 0.9, ("onnxruntime", "int8"): 0.5, (OTHER, "int8"): 0.4})
    monkeypatch.setattr(race, "likely_s", lambda pair, trials: 0.0 if pair.is_float else 7200.0)
    outcome = raced(toy, tmp_path / "study", budget_s=3600)
    left = {c.label: c.why for c in outcome.left_out}
    assert set(left) == {"int8-minmax", f"int8-minmax@{OTHER}"}
    assert all(
        why.startswith("the budget ran out for it: 4") and "2:00 h likely" in why for why in left.values()
    )
    assert any("run it again to go on" in note and "int8-minmax" in note for note in outcome.notes)


def test_what_comes_after_the_budgets_end_is_one_line(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, {(OTHER, "float"): 0.9, ("onnxruntime", "int8"): 0.5, (OTHER, "int8"): 0.4})
    monkeypatch.setattr(race.Race, "_left_s", property(lambda self: -1.0))
    told: list[str] = []
    outcome = raced(toy, tmp_path / "study", told, budget_s=3600)
    left = {c.label: (c.what, c.why) for c in outcome.left_out}
    assert set(left) == {f"float@{OTHER}", "int8-minmax", f"int8-minmax@{OTHER}"}
    assert set(left.values()) == {("not tried", "the budget ran out")}
    assert [line for line in told if line.startswith("the budget ran out")] == [
        "the budget ran out before 1 of the 1 pairs",
        "the budget ran out before 2 of the 2 pairs",
        f"the budget ran out before float@{OTHER}, int8-minmax, int8-minmax@{OTHER}; run it again to go on",
    ]


def test_a_full_disk_in_a_full_timing_ends_the_study_with_that_word(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, {(OTHER, "float"): 0.9, ("onnxruntime", "int8"): 0.5, (OTHER, "int8"): 0.52})
    quick = Bench.time

    def time(self: Bench, model: Any, file: Path, *given: Any, plan: Any = None, **more: Any) -> Readings:
        if plan is None and file.name != "float.onnx":
            raise StorageError("the disk is full")
        return quick(self, model, file, *given, plan=plan, **more)

    monkeypatch.setattr(Bench, "time", time)
    with pytest.raises(StorageError, match="the disk is full"):
        raced(toy, tmp_path / "study")
