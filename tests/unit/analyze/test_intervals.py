"""Intervals, paired tests and the Pareto front, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from paredown.analyze.pareto import pareto_front
from paredown.analyze.sampled import difference, sampled
from paredown.errors import DataError
from paredown.metrics import METRICS
from paredown.metrics.outcomes import Outcomes
from paredown.statistics.confidence_interval import (
    Interval,
    images_needed,
    interval,
    paired_difference,
    ratio_of_rounds,
    resample_weights,
)
from paredown.statistics.paired import sign_flip_test
from paredown.tasks.classify import tally


def outcomes_of(right: np.ndarray) -> Outcomes:
    return Outcomes(np.where(right, 0, 9), np.ones(len(right)), np.zeros(len(right)))


def test_every_resample_draws_as_many_as_there_are_and_the_seed_decides():
    weights = resample_weights(30, 50, seed=3)
    assert weights.shape == (50, 30)
    assert (weights.sum(axis=1) == 30).all()
    assert (weights == resample_weights(30, 50, seed=3)).all()
    assert (weights != resample_weights(30, 50, seed=4)).any()


def test_the_interval_of_a_share_is_near_the_binomial_one():
    right = np.arange(400) < 300  # p = .75, standard error sqrt(.75 * .25 / 400) = .0217
    s = sampled(outcomes_of(right), tally)
    i = s.interval(METRICS["top1"])
    assert i.value == 0.75
    assert i.low == pytest.approx(0.75 - 1.96 * 0.0217, abs=0.012)
    assert i.high == pytest.approx(0.75 + 1.96 * 0.0217, abs=0.012)
    assert i.method == "bootstrap over images, 2000 resamples"


def test_the_interval_is_moved_to_the_value_and_leaves_nan_out():
    i = interval(0.5, np.array([0.6, 0.7, 0.8, np.nan]))
    assert (i.low + i.high) / 2 == pytest.approx(0.5)
    assert "3 resamples" in i.method
    assert np.isnan(interval(0.5, np.array([np.nan])).low)


def test_pairing_finds_a_difference_that_lies_within_both_intervals():
    rng = np.random.default_rng(0)
    right = rng.random(300) < 0.6
    worse = right.copy()
    worse[np.flatnonzero(right)[:12]] = False
    a, b = sampled(outcomes_of(right), tally), sampled(outcomes_of(worse), tally)
    d = difference(a, b, METRICS["top1"])
    assert d.value == pytest.approx(-0.04)
    assert d.low < -0.04 < d.high < 0
    assert d.p_value < 0.02
    assert a.interval(METRICS["top1"]).low < b.value(METRICS["top1"])


def test_equal_models_have_no_difference():
    d = paired_difference(0.4, 0.4, np.array([0.3, 0.5]), np.array([0.3, 0.5]))
    assert (d.value, d.low, d.high, d.p_value) == (0, 0, 0, 1)


def test_the_ratio_of_interleaved_rounds_survives_a_machine_that_slows_down():
    slowdown = np.linspace(1, 3, 12)[:, None]
    noise = np.random.default_rng(0).normal(1, 0.01, (2, 12, 20))
    found, ratios = ratio_of_rounds(0.5 * slowdown * noise[0], slowdown * noise[1])
    assert found.value == pytest.approx(0.5, rel=0.01)
    assert min(ratios) <= found.low <= found.value <= found.high <= max(ratios)
    assert found.high - found.low < 0.02
    assert ratio_of_rounds([[2.0]], [[4.0]])[0].low == 0.5


def test_sign_flips_by_hand():
    # of 8 sign patterns of 1, 2, 3 only +++ and --- reach a sum of 6
    assert sign_flip_test(np.array([1.0, 2.0, 3.0])) == 2 / 8
    assert sign_flip_test(np.array([0.1, 0.2, 0.3])) == 2 / 8  # sums that rounding pulls apart
    assert sign_flip_test(np.array([1.0, -1.0])) == 1
    assert sign_flip_test(np.array([0.0, np.nan])) == 1


def test_sign_flips_of_many_differences_are_drawn_by_seed():
    gaps = np.random.default_rng(0).normal(0.2, 1, 200)
    assert sign_flip_test(gaps, seed=1) == sign_flip_test(gaps, seed=1)
    assert 0.0005 < sign_flip_test(gaps) < 0.05
    assert sign_flip_test(gaps - gaps.mean()) > 0.9


def test_pareto_front_by_hand():
    points = [(60, 0.41), (30, 0.40), (32, 0.39), (90, 0.41), (30, 0.40), (20, float("nan"))]
    assert pareto_front(points, ("lower", "higher")) == (0, 1, 4)
    assert pareto_front(points[:3], ("lower", "neither")) == (1,)
    assert pareto_front([], ("lower",)) == ()
    with pytest.raises(DataError, match="a value for each respect"):
        pareto_front([(1.0,)], ("lower", "higher"))


def test_how_many_images_would_tell() -> None:
    unsure = Interval(0.01, -0.01, 0.03, "")
    assert images_needed(unsure, 200) == 800  # twice as narrow: four times as many
    assert images_needed(Interval(0.01, 0.005, 0.015, ""), 200) is None  # told already
    assert images_needed(Interval(0.0, -0.01, 0.01, ""), 200) is None  # nothing to tell
    assert images_needed(Interval(0.01, -0.0001, 0.015, ""), 200) == 201
    assert images_needed(Interval(0.01, math.nan, math.nan, ""), 200) is None
