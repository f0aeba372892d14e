"""What a search is told of trials, when a model need not be timed, and a search that cannot end."""

import pytest

from paredown.errors import UsageError
from paredown.measurement import Measurement, Quantity, Trial
from paredown.study.limits import Limits
from paredown.study.options import Options
from paredown.study.searching import check_search, hopeless, tried


def trial(recipe, accuracy, ratio=None, size=10e6, latency=None):
    quantities = [
        Quantity("map50_95", accuracy, "", "higher"),
        Quantity("size_bytes", size, "bytes", "lower"),
    ]
    quantities += [] if ratio is None else [Quantity("latency_ratio", ratio, "ratio", "lower")]
    quantities += [] if latency is None else [Quantity("latency_s", latency, "s", "lower")]
    return Trial(recipe, recipe, "sha", None, "local", 0, Measurement("sha", "local", {}, tuple(quantities)))


FLOAT = trial("float", 0.4, 1.0, latency=0.06)


def test_a_trial_is_told_as_points_and_ratios_to_the_float_model():
    told = tried(trial("a", 0.395, 0.5, 2.5e6, 0.03), FLOAT, Limits(max_drop=1.0))
    assert told.recipe == "a"
    assert told.costs == pytest.approx((0.5, 0.25, 0.5))
    assert told.over == 0
    assert tried(FLOAT, FLOAT, Limits()).costs == (0.0, 1.0, 1.0)


def test_every_limit_that_is_broken_adds_to_how_far_it_is_over():
    limits = Limits(max_drop=0.2, max_latency_s=0.02, max_size_bytes=2_000_000)
    told = tried(trial("a", 0.395, 0.5, 2.5e6, 0.03), FLOAT, limits)
    assert told.over == pytest.approx(0.3 + 0.5 + 0.25)


def test_failed_and_senseless_trials_have_no_costs():
    failed = Trial("a", "a", "sha", None, "local", 0, None, error="boom")
    assert tried(failed, FLOAT, Limits()).costs == ()
    assert tried(trial("a", float("nan")), FLOAT, Limits()).costs == ()


def test_a_model_that_was_not_timed_counts_as_fast_as_the_float_model():
    assert tried(trial("a", 0.1), FLOAT, Limits()).costs == pytest.approx((30, 1, 1))
    nowhere = trial("float", 0.4)  # a target that cannot be timed here: points and size are left
    assert tried(trial("a", 0.39, size=5e6), nowhere, Limits()).costs == pytest.approx((1, 0.5))


def test_what_lost_many_times_the_limit_is_not_timed():
    why = hopeless(FLOAT, Limits(max_drop=2.0))
    assert why(trial("a", 0.31).measurement.quantities) == ""
    assert why(trial("a", 0.29).measurement.quantities) == "it loses 11.0 points"
    assert why(()) == ""
    assert hopeless(FLOAT, Limits(max_drop=0.0))(trial("a", 0.36).measurement.quantities) == ""


def test_a_search_needs_an_end():
    pytest.importorskip("optuna")
    with pytest.raises(UsageError, match="--budget"):
        check_search(Options(search=0))
    check_search(Options(search=0, budget_s=60.0))
    check_search(Options(search=5))
    check_search(Options())
