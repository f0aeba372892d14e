"""The verdict: the fastest that keeps to the limits, and never a model that brings nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paredown.analyze.against_float import points_lost
from paredown.errors import UsageError
from paredown.measurement import Measurement, Quantity, Trial
from paredown.study.best import choose_best
from paredown.study.limits import Limits


def trial(recipe, accuracy=0.4, ratio=1.0, size=10e6, spread=0.01, error=None, metric="map50_95"):
    if error:
        return Trial(recipe, recipe, "sha", None, "local", 0, None, error=error)
    quantities = (
        Quantity(metric, accuracy, "", "higher"),
        Quantity("latency_s", 0.06 * ratio, "s", "lower"),
        Quantity("size_bytes", size, "bytes", "lower"),
    )
    if recipe != "float":
        ratio_q = Quantity("latency_ratio", ratio, "ratio", "lower", low=ratio - spread, high=ratio + spread)
        quantities += (ratio_q,)
    return Trial(recipe, recipe, "sha", None, "local", 0, Measurement("sha", "local", {}, quantities))


FLOAT = trial("float")


def test_the_fastest_within_the_drop_wins():
    verdict = choose_best(
        [FLOAT, trial("a", 0.398, 0.6), trial("b", 0.396, 0.5), trial("c", 0.3, 0.3)], Limits()
    )
    assert verdict.best.recipe == "b"
    assert verdict.gate_met
    assert verdict.remarks["c"] == "loses more than 1"
    assert "the default" in verdict.sentence
    assert "0.40 points lost" in verdict.sentence


def test_among_equally_fast_the_more_accurate_wins_and_the_smaller_is_named():
    int8, int4 = trial("int8", 0.3975, 0.50, 4e6), trial("int4", 0.392, 0.50, 2e6)
    verdict = choose_best([FLOAT, int8, int4], Limits())
    assert verdict.best is int8
    assert verdict.remarks["int4"] == "as fast, loses more than the best"
    assert "It loses least of the 2 that may be as fast" in verdict.sentence
    assert "int4 is smaller, 2.0 MB, and loses 0.55 points more" in verdict.sentence
    assert choose_best([FLOAT, int8, int4], Limits(max_size_bytes=3_000_000)).best is int4


def test_among_equally_fast_and_accurate_the_smaller_wins():
    same = [trial("a", 0.3995, 0.50, 8e6), trial("b", 0.4, 0.51, 7.9e6), trial("c", 0.3992, 0.50, 4e6)]
    verdict = choose_best([FLOAT, *same], Limits())
    assert verdict.best.recipe == "c"  # 0.08 points: less than a tenth of what is allowed
    assert verdict.remarks["a"] == "as fast, larger than the best"
    assert "Its file is the smallest of the 3 that may be as fast and lose as little" in verdict.sentence
    strict = choose_best([FLOAT, *same], Limits(max_drop=0.1))
    assert strict.best.recipe == "b"
    assert strict.remarks["c"] == "as fast, loses more than the best"


def test_a_gain_is_chance_and_no_reason_for_a_larger_file():
    gains = [trial("a", 0.402, 0.50, 8e6), trial("b", 0.4, 0.50, 4e6)]
    assert choose_best([FLOAT, *gains], Limits()).best.recipe == "b"


def test_the_words_say_when_speed_alone_decided():
    verdict = choose_best([FLOAT, trial("a", 0.398, 0.6), trial("b", 0.396, 0.5)], Limits())
    assert "It is the fastest of the 2 that keep to the limits" in verdict.sentence
    assert "smaller" not in verdict.reasons[1]


def test_which_are_as_fast_is_read_from_the_interval():
    unsure = [trial("a", 0.391, 0.60), trial("b", 0.4, 0.70, spread=0.12), trial("c", 0.4, 0.75)]
    assert choose_best([FLOAT, *unsure], Limits()).best.recipe == "b"


def test_a_slower_model_is_never_the_best_however_small():
    verdict = choose_best([FLOAT, trial("a", 0.4, 1.3, 3e6)], Limits())
    assert verdict.best is verdict.baseline
    assert verdict.gate_met
    assert "Keep the float model" in verdict.sentence
    assert "1.30 of float" in verdict.sentence
    assert verdict.remarks["a"] == "slower than float"


def test_faster_must_be_certain():
    assert choose_best([FLOAT, trial("a", 0.4, 0.95, spread=0.05)], Limits()).best.recipe == "float"


def test_the_float_model_timed_against_itself_shows_the_noise():
    itself = Quantity("latency_ratio", 0.96, "ratio", "lower", low=0.85, high=1.05)
    noisy = replace(
        FLOAT, measurement=replace(FLOAT.measurement, quantities=(*FLOAT.measurement.quantities, itself))
    )
    unsure, sure = trial("a", 0.4, 0.87, spread=0.06), trial("a", 0.4, 0.7, spread=0.1)
    assert choose_best([noisy, unsure], Limits()).best.recipe == "float"
    assert choose_best([noisy, sure], Limits()).best.recipe == "a"


def test_smaller_at_equal_speed_is_worth_it():
    assert choose_best([FLOAT, trial("a", 0.4, 1.01, 3e6)], Limits()).best.recipe == "a"


def test_smaller_and_slower_is_worth_it_only_when_size_is_asked_for():
    candidates = [FLOAT, trial("a", 0.4, 1.3, 3e6)]
    assert choose_best(candidates, Limits(max_size_bytes=4_000_000)).best.recipe == "a"
    verdict = choose_best(candidates, Limits(max_size_bytes=2_000_000))
    assert verdict.best.recipe == "a"
    assert not verdict.gate_met


def test_a_limit_on_latency_that_nothing_meets_is_a_gate_not_met():
    verdict = choose_best([FLOAT, trial("a", 0.4, 0.5)], Limits(max_latency_s=0.01))
    assert verdict.best.recipe == "a"
    assert not verdict.gate_met
    assert verdict.remarks["a"] == "best"


def test_a_drop_that_was_asked_for_and_nothing_meets_is_a_gate_not_met():
    candidates = [FLOAT, trial("a", 0.3, 0.5)]
    assert not choose_best(candidates, Limits(max_drop=0.5)).gate_met
    assert choose_best(candidates, Limits()).gate_met
    assert choose_best(candidates, Limits(max_drop=0.5)).best.recipe == "float"


def test_failed_and_unmeasured_trials_are_passed_over():
    verdict = choose_best([FLOAT, trial("a", error="boom"), trial("b", float("nan"), 0.3)], Limits())
    assert verdict.best.recipe == "float"
    assert verdict.remarks["a"] == "failed"
    assert choose_best([FLOAT, trial("a", error="boom")], Limits()).reasons[0] == "Every recipe failed"


def test_without_the_float_model_there_is_no_verdict():
    with pytest.raises(UsageError, match="float model"):
        choose_best([trial("a")], Limits())


def test_points_are_lost_only_within_one_metric():
    assert points_lost(trial("a", 0.395), FLOAT).value == pytest.approx(0.5)
    assert points_lost(trial("a", 0.9, metric="top1"), FLOAT) is None


def test_negative_limits_are_refused():
    with pytest.raises(UsageError, match="max_drop"):
        Limits(max_drop=-1)


candidates = st.lists(
    st.builds(lambda a, r, s: (a, r, s), st.floats(0, 1), st.floats(0.1, 3), st.floats(1e5, 2e7)), max_size=6
)


@given(candidates, st.none() | st.floats(0, 5), st.none() | st.floats(1e5, 2e7))
def test_the_best_is_never_worse_than_the_float_model(found, max_drop, max_size):
    trials = [FLOAT, *(trial(f"r{i}", *values) for i, values in enumerate(found))]
    limits = Limits(max_drop=max_drop, max_size_bytes=None if max_size is None else int(max_size))
    best = choose_best(trials, limits).best
    if best.recipe != "float":
        assert round(points_lost(best, FLOAT).value, 2) <= limits.drop
        faster = best.measurement.get("latency_ratio").high < 0.97
        assert faster or best.measurement.value("size_bytes") < FLOAT.measurement.value("size_bytes")
