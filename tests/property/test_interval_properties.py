"""A value lies in its own interval, whatever the rounds and the images were: both are of one estimator."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from paredown._measure.timing.latency import _typical
from paredown.statistics.confidence_interval import (
    interval,
    median_of_rounds,
    paired_difference,
    ratio_of_rounds,
)

seconds = st.floats(1e-6, 100)
rounds = st.lists(st.lists(seconds, min_size=1, max_size=5), min_size=1, max_size=12)


class Record:
    def __init__(self, turns: list[list[float]]) -> None:
        self.rounds = turns
        self.latency_s = tuple(s for turn in turns for s in turn)


@settings(deadline=None)
@given(rounds)
def test_a_latency_lies_in_its_interval_and_is_the_median_of_its_rounds(turns: list[list[float]]) -> None:
    quantity = _typical("latency_s", Record(turns))  # type: ignore[arg-type]
    assert quantity.low is not None
    assert quantity.high is not None
    assert quantity.low <= quantity.value <= quantity.high
    assert quantity.value == float(np.median([np.median(turn) for turn in turns]))
    assert min(quantity.samples) <= quantity.value <= max(quantity.samples)


@settings(deadline=None)
@given(rounds, st.floats(0.1, 10))
def test_a_ratio_lies_in_its_interval_and_is_that_of_the_rounds(
    turns: list[list[float]], times: float
) -> None:
    found, ratios = ratio_of_rounds([[times * s for s in turn] for turn in turns], turns)
    assert found.low <= found.value <= found.high
    assert min(ratios) <= found.value <= max(ratios)
    np.testing.assert_allclose(found.value, times)
    own = median_of_rounds(turns)
    np.testing.assert_allclose(own.value, ratio_of_rounds(turns, [[1.0]] * len(turns))[0].value)


values = st.floats(0, 1)
resamples = st.lists(values | st.just(float("nan")), min_size=1, max_size=60).map(np.array)


@given(values, resamples)
def test_an_accuracy_lies_in_its_interval(value: float, resampled: NDArray[np.float64]) -> None:
    found = interval(value, resampled, (0.0, 1.0))
    if not np.isnan(resampled).all():
        assert 0 <= found.low <= value <= found.high <= 1


@given(values, values, resamples)
def test_a_difference_lies_in_its_interval(a: float, b: float, resampled: NDArray[np.float64]) -> None:
    found = paired_difference(a, b, resampled, np.flip(resampled))
    if not np.isnan(resampled + np.flip(resampled)).all():
        assert found.low <= found.value <= found.high
