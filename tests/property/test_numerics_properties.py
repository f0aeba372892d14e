"""Grids and ranges: rounding is at most half a step, zero is exact, no search ends worse than it began."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from paredown.numerics.levels import REACH, fitted
from paredown.numerics.quant_params import (
    QuantParams,
    affine,
    affine_per_channel,
    integer_range,
    symmetric,
    weight_limits,
)
from paredown.numerics.ranges import METHODS, Seen, ema, least_cubed_error

settings.register_profile("brief", max_examples=60, deadline=None)
settings.load_profile("brief")

REAL = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)
BITS = st.integers(2, 8)
ARRAYS = npst.arrays(np.float32, npst.array_shapes(max_dims=3, max_side=6), elements=REAL)


@st.composite
def grids(draw: st.DrawFn) -> QuantParams:
    low, high = sorted((draw(REAL), draw(REAL)))
    return affine(low, high, draw(BITS), draw(st.booleans()))


@given(grids(), st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_rounding_is_at_most_half_a_step_within_the_bounds(grid: QuantParams, places: list[float]) -> None:
    low, high = (float(b) for b in grid.bounds())
    x = np.array([low + p * (high - low) for p in places], np.float32)
    step = float(grid.scale)
    assert np.abs(grid.snap(x) - x).max() <= step / 2 + 1e-5 * max(abs(low), abs(high))


@given(grids(), ARRAYS)
def test_integers_stay_on_the_grid_and_snapping_twice_changes_nothing(
    grid: QuantParams, x: np.ndarray
) -> None:
    q = grid.quantize(x)
    assert grid.low <= q.min() <= q.max() <= grid.high
    snapped = grid.snap(x)
    assert snapped.dtype == np.float32
    np.testing.assert_array_equal(grid.snap(snapped), snapped)


@given(grids())
def test_zero_is_exact(grid: QuantParams) -> None:
    assert grid.snap(np.zeros(3, np.float32)).tolist() == [0, 0, 0]
    assert grid.low <= int(grid.zero_point) <= grid.high


@given(REAL, REAL, BITS, st.booleans())
def test_the_bounds_cover_the_range_within_a_step(a: float, b: float, bits: int, signed: bool) -> None:
    low, high = sorted((a, b))
    grid = affine(low, high, bits, signed)
    first, last = (float(v) for v in grid.bounds())
    step = float(grid.scale) * (1 + 1e-5)
    assert first <= min(low, 0) + step
    assert last >= max(high, 0) - step


@given(grids())
def test_what_is_outside_is_clipped_to_the_bounds(grid: QuantParams) -> None:
    low, high = grid.bounds()
    far = np.array([-1e12, 1e12], np.float32)
    np.testing.assert_array_equal(grid.snap(far), np.array([low, high], np.float32))


@given(npst.arrays(np.float32, (3, 4, 2), elements=REAL), st.integers(-3, 2), BITS)
def test_per_channel_is_per_tensor_of_every_channel(w: np.ndarray, axis: int, bits: int) -> None:
    axis %= 3
    limits = weight_limits(w, axis, bits)
    whole = symmetric(limits, bits, axis).snap(w)
    for channel in range(w.shape[axis]):
        one = symmetric(limits[channel], bits).snap(np.take(w, channel, axis))
        np.testing.assert_array_equal(np.take(whole, channel, axis), one)


@given(ARRAYS, BITS)
def test_symmetric_grids_are_symmetric(w: np.ndarray, bits: int) -> None:
    grid = symmetric(weight_limits(w, None, bits), bits)
    np.testing.assert_array_equal(grid.snap(-w), -grid.snap(w))
    assert int(grid.zero_point) == 0
    assert grid.low == -grid.high
    step = float(grid.scale)
    assert np.abs(grid.snap(w) - w).max() <= step / 2 + 1e-5 * float(np.abs(w).max())


@pytest.mark.parametrize(
    ("bits", "signed", "sym", "expected"),
    [
        (8, False, False, (0, 255)),
        (8, True, False, (-128, 127)),
        (8, True, True, (-127, 127)),
        (4, True, True, (-7, 7)),
    ],
)
def test_integer_ranges(bits: int, signed: bool, sym: bool, expected: tuple[int, int]) -> None:
    assert integer_range(bits, signed, sym) == expected


@given(
    npst.arrays(np.float32, (4, 9), elements=REAL),
    st.sampled_from([None, 0, 1]),
    st.sampled_from([2, 3, 4, 8]),
)
def test_searched_weight_limits_are_never_worse(w: np.ndarray, axis: int | None, bits: int) -> None:
    full, searched = weight_limits(w, axis, bits), weight_limits(w, axis, bits, steps=20)
    assert np.all(searched <= full)
    assert np.all(searched >= 0)
    error = [
        np.sum((symmetric(limit, bits, axis).snap(w) - w).astype(np.float64) ** 2)
        for limit in (full, searched)
    ]
    assert error[1] <= error[0] * (1 + 1e-5)


def seen_of(images: list[np.ndarray]) -> Seen:
    """Every value of every image in the sample."""
    flat = np.concatenate([i.ravel() for i in images]).astype(np.float32)
    ends = (np.array([[f(i)] for i in images], np.float32) for f in (np.min, np.max))
    return Seen(flat, np.zeros(len(flat), np.int32), *ends)


@st.composite
def activations(draw: st.DrawFn) -> Seen:
    """Bell curves with a far value now and then, as activations are."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    images = []
    for _ in range(draw(st.integers(1, 4))):
        values = rng.normal(draw(st.floats(-2, 2)), draw(st.floats(0.01, 10)), 200)
        values[:1] *= draw(st.sampled_from([1.0, 20.0]))
        images.append(np.maximum(values, 0) if draw(st.booleans()) else values)
    return seen_of(images)


def cubed_error(seen: Seen, low: float, high: float, bits: int = 8) -> float:
    """What `least_cubed_error` says that it minimises."""
    return float(
        np.mean(np.abs(affine(low, high, bits).snap(seen.sample) - seen.sample).astype(np.float64) ** 3)
    )


@given(activations(), st.sampled_from(sorted(METHODS)))
def test_every_method_stays_within_the_extremes(seen: Seen, method: str) -> None:
    low, high = METHODS[method](seen)
    slack = 1e-5 * max(abs(seen.low), abs(seen.high))
    assert min(seen.low, 0.0) - slack <= low <= high <= max(seen.high, 0.0) + slack
    assert METHODS[method](seen) == (low, high)


@given(activations())
def test_mse_is_never_worse_than_minmax(seen: Seen) -> None:
    assert cubed_error(seen, *least_cubed_error(seen)) <= cubed_error(seen, seen.low, seen.high) * (1 + 1e-5)


@given(activations())
def test_mse_behind_a_function_is_never_worse_behind_it(seen: Seen) -> None:
    def relu(x: np.ndarray) -> np.ndarray:
        return np.maximum(x, 0)

    def error(low: float, high: float) -> float:
        difference = relu(affine(low, high).snap(seen.sample)) - relu(seen.sample)
        return float(np.mean(np.abs(difference).astype(np.float64) ** 3))

    assert error(*least_cubed_error(seen, after=relu)) <= error(seen.low, seen.high) * (1 + 1e-5)


@given(st.sampled_from(sorted(METHODS)), st.floats(-5, 5, width=32, allow_subnormal=False))
def test_a_constant_tensor_is_kept(method: str, value: float) -> None:
    """A tensor that holds one value everywhere keeps it within half a step of the range it needs."""
    seen = seen_of([np.full(50, value, np.float32)] * 2)
    grid = affine(*METHODS[method](seen))
    assert abs(float(grid.snap(seen.sample)[0]) - value) <= abs(value) / 255 + 1e-6


def test_clipping_methods_leave_an_outlier_out() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=20000).astype(np.float32)
    values[0] = 1000.0
    seen = seen_of([values])
    assert METHODS["minmax"](seen)[1] == 1000.0
    for method in ("percentile", "entropy"):
        low, high = METHODS[method](seen)
        assert 2.5 < high < 999.0, method
    low, high = METHODS["percentile"](seen)
    assert -4.5 < low < -3 < 3 < high < 4.5
    assert np.mean((seen.sample >= low) & (seen.sample <= high)) >= 0.9997


def test_mse_finds_about_the_best_clip_of_a_bell_curve() -> None:
    """At 4 bits a normal distribution is best clipped well inside its extremes of four deviations."""
    seen = seen_of([np.random.default_rng(0).normal(size=20000)])
    clips = np.linspace(1, 4, 61)
    best = min(cubed_error(seen, -clip, clip, bits=4) for clip in clips)
    assert cubed_error(seen, *least_cubed_error(seen, bits=4), bits=4) < 1.1 * best
    assert best < 0.8 * cubed_error(seen, seen.low, seen.high, bits=4)


def test_entropy_keeps_most_of_a_bell_curve() -> None:
    values = np.random.default_rng(1).normal(size=20000).astype(np.float32)
    low, high = METHODS["entropy"](seen_of([values]))
    assert np.mean((values < low) | (values > high)) < 0.02


def test_moving_average_by_hand() -> None:
    seen = seen_of([np.array([-1.0, 2.0]), np.array([-3.0, 12.0])])
    low, high = ema(seen)
    assert low == pytest.approx(0.9 * -1 + 0.1 * -3)
    assert high == pytest.approx(0.9 * 2 + 0.1 * 12)


@given(npst.arrays(np.float32, (2, 5), elements=REAL), BITS)
def test_a_grid_for_every_channel_is_affine_of_every_channel(ends: np.ndarray, bits: int) -> None:
    low, high = ends.min(axis=0), ends.max(axis=0)
    grid = affine_per_channel(low, high, bits, axis=1)
    x = np.linspace(low, high, 9, dtype=np.float32)
    for channel in range(5):
        one = affine(low[channel], high[channel], bits)
        assert grid.scale[channel] == pytest.approx(float(one.scale), rel=1e-6)
        assert abs(int(grid.zero_point[channel]) - int(one.zero_point)) <= 1
    assert not grid.snap(np.zeros_like(x)).any()


@given(npst.arrays(np.float32, npst.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=REAL))
def test_levels_hold_zero_and_are_rising_integers(w: np.ndarray) -> None:
    grid = fitted(w, 0, bits=4)
    assert 0 in grid.levels.tolist()
    assert 1 < len(grid.levels) <= 16
    assert np.all(np.diff(grid.levels) > 0)
    assert np.abs(grid.levels).max() == REACH
    np.testing.assert_array_equal(grid.snap(np.zeros_like(w)), np.zeros_like(w))
    assert set(np.unique(grid.quantize(w))) <= set(grid.levels.tolist())
    np.testing.assert_allclose(grid.snap(grid.snap(w)), grid.snap(w))


@given(st.integers(0, 10_000))
def test_levels_are_nearer_than_an_even_grid(seed: int) -> None:
    w = np.random.default_rng(seed).laplace(size=(6, 60)).astype(np.float32)
    even = symmetric(weight_limits(w, 0, 4, 25), 4, 0)
    error = [float(np.square(grid.snap(w) - w).sum()) for grid in (fitted(w, 0, bits=4), even)]
    assert error[0] < error[1]


def test_a_single_number_has_its_place() -> None:
    assert affine(-1.0, 1.0).snap(np.asarray(0.3, np.float32)) == np.float32(38 * 2 / 255)
