"""Energy from readings over time: a known wave, missing samples, counters."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.sensors.series import PowerSeries


def test_a_ramp_is_integrated_exactly_between_samples() -> None:
    series = PowerSeries.of([0.0, 0.1, 0.2, 0.3], [0.0, 1.0, 2.0, 3.0])
    assert series.energy_j(0.05, 0.25) == pytest.approx(10 * (0.25**2 - 0.05**2) / 2)
    assert series.power_w(0.1, 0.2) == pytest.approx(1.5)


@pytest.mark.parametrize("seed", range(5))
def test_a_square_wave_comes_out_within_two_percent(seed: int) -> None:
    """2 and 6 W, a second each, sampled at 100 ms with jitter and one sample in twenty missing."""
    rng = np.random.default_rng(seed)
    times = np.arange(0, 61, 0.1) + rng.uniform(-0.02, 0.02, 610)
    times = times[rng.random(610) > 0.05]
    watts = np.where(times % 2 < 1, 6.0, 2.0)
    found = PowerSeries(times, watts).energy_j(0.5, 60.5)
    assert found == pytest.approx(4 * 60, rel=0.02)


def test_what_the_samples_do_not_tell_is_none() -> None:
    times = [0.0, 0.1, 0.2, 0.3, 1.3, 1.4, 1.5]  # a second is missing
    series = PowerSeries.of(times, [1.0] * 7)
    assert series.energy_j(0.0, 0.3) == pytest.approx(0.3)
    assert series.energy_j(0.2, 0.4) is None
    assert series.energy_j(1.3, 1.5) == pytest.approx(0.2)
    assert series.energy_j(1.4, 1.6) is None
    assert series.energy_j(-0.1, 0.2) is None
    assert PowerSeries.of([], []).energy_j(0, 1) is None
    short = PowerSeries.of([0.0, 0.1, 0.5, 0.6], [1.0, 1.0, 3.0, 3.0])  # four periods are bridged
    assert short.energy_j(0.1, 0.5) == pytest.approx(0.8)


def test_a_counter_is_a_difference() -> None:
    series = PowerSeries.of([0.0, 0.1, 0.2], [10.0, 10.4, 10.6], counts=True)
    assert series.energy_j(0.0, 0.2) == pytest.approx(0.6)
    assert series.energy_j(0.05, 0.1) == pytest.approx(0.2)
    times, watts = series.watts()
    np.testing.assert_allclose(times, [0.1, 0.2])
    np.testing.assert_allclose(watts, [4, 2])
