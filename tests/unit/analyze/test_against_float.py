"""The figures that everything shows: latency on one float's scale, what is not told apart, points lost."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "study"))
from made_up_trials import BUSY, trial, yolo11n

from paredown.analyze.against_float import points_lost, rescaled_latency, speed_of
from paredown.measurement import Quantity

FLOAT = trial("float")


def test_latencies_taken_at_different_moments_compare_by_their_ratios() -> None:
    floats, int8 = yolo11n()
    found = rescaled_latency(int8, floats)
    assert found.value == pytest.approx(0.180)
    assert (found.low, found.high) == (pytest.approx(0.176), pytest.approx(0.184))
    assert found.how == "derived"
    assert "200.0 ms" in found.ci
    own = rescaled_latency(floats, floats)
    assert (own.value, own.how) == (0.200, "measured")
    assert found.value < own.value


@given(st.floats(0.05, 20), st.floats(1, 1000), st.floats(1, 1000))
def test_the_order_of_rescaled_latencies_is_that_of_the_ratios(ratio: float, own: float, ms: float) -> None:
    floats = trial("float", ms=own)
    found = rescaled_latency(trial("a", ratio=(ratio, ratio, ratio), ms=ms), floats)
    assert (found.value < own / 1e3) == (ratio < 1 and found.value != own / 1e3)
    assert found.low <= found.value <= found.high


def test_what_was_not_timed_beside_float_is_not_rescaled() -> None:
    assert rescaled_latency(trial("a", ratio=None), FLOAT) is None
    assert rescaled_latency(trial("a", ms=30.0), trial("float", ratio=None)).value == 0.030


@pytest.mark.parametrize(
    ("ratio", "itself", "found"),
    [
        ((0.5, 0.49, 0.51), (1.0, 0.99, 1.01), "faster"),
        ((1.6, 1.5, 1.7), (1.0, 0.99, 1.01), "slower"),
        ((0.85, 0.77, 1.10), (1.0, 0.99, 1.01), "not told apart"),  # holds 1
        ((0.91, 0.89, 0.93), (1.0, 0.88, 1.12), "not told apart"),  # what float gets beside itself
        ((1.05, 1.02, 1.08), (1.02, 0.99, 1.05), "not told apart"),
        ((0.98, 0.975, 0.985), (1.0, 0.99, 1.005), "about as fast"),
        ((1.02, 1.015, 1.025), (1.0, 0.99, 1.005), "about as fast"),
    ],
)
def test_the_speed_by_the_interval_and_by_float_beside_itself(ratio, itself, found) -> None:
    assert speed_of(trial("a", ratio=ratio), trial("float", ratio=itself)).found == found


def test_on_a_machine_unfit_to_time_on_no_speed_is_known() -> None:
    speed = speed_of(trial("a", ratio=(0.5, 0.49, 0.51), doubts=(BUSY,)), FLOAT)
    assert (speed.found, speed.fit, speed.known) == ("not told apart", False, False)
    assert speed_of(trial("a", ratio=None), FLOAT) is None


def test_points_lost_are_those_of_the_paired_estimate_where_there_is_one() -> None:
    paired = Quantity("map50_95_drop", 0.42, "points", "lower", "derived", low=0.1, high=0.8)
    assert points_lost(trial("a", 0.395, drop=paired), FLOAT) is paired
    plain = points_lost(trial("a", 0.395), FLOAT)
    assert plain.value == pytest.approx(0.5)
    assert plain.how == "derived"
    assert points_lost(trial("a", 0.9, metric="top1"), FLOAT) is None


def test_without_truth_what_is_lost_is_missing_agreement() -> None:
    floats = trial("float", 1.0, metric="fidelity_map50_95")
    assert points_lost(trial("a", 0.88, metric="fidelity_map50_95"), floats).value == pytest.approx(12)
