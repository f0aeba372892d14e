"""Ranking under weights, and the share of all weightings in which a candidate wins."""

import math

import pytest

from paredown.analyze.ranking import normalised, rank
from paredown.errors import DataError

POINTS = [(40.0, 60.0), (39.0, 30.0), (30.0, 29.0)]  # mAP, ms
BETTER = ("higher", "lower")


def test_values_on_one_scale() -> None:
    scaled = normalised(POINTS, BETTER)
    assert scaled[0].tolist() == [1.0, 0.0]
    assert scaled[2].tolist() == [0.0, 1.0]
    assert normalised([(1.0,), (1.0,)], ("lower",)).tolist() == [[1.0], [1.0]]


def test_the_balanced_one_wins_and_its_share_is_the_share_of_weightings() -> None:
    found = rank(POINTS, BETTER)
    assert found.order[0] == 1
    # candidate 1 is at (.9, 30/31): it wins unless accuracy weighs more than w: w + 0 > .9 w + (1 - w) 30/31
    most = (30 / 31) / (30 / 31 + 0.1)
    least = (1 / 31) / (1 / 31 + 0.9)
    assert found.shares[1] == pytest.approx(most - least, abs=0.01)
    assert sum(found.shares) == pytest.approx(1.0)


def test_who_is_best_in_everything_wins_always() -> None:
    found = rank([(2.0, 1.0), (1.0, 2.0)], BETTER)
    assert found.shares == (1.0, 0.0)


def test_weights_decide_the_order() -> None:
    assert rank(POINTS, BETTER, weights=(1, 0)).order[0] == 0
    assert rank(POINTS, BETTER, weights=(0, 1)).order[0] == 2


@pytest.mark.parametrize("weights", [(1,), (-1, 2), (0, 0)])
def test_weights_that_are_none_are_refused(weights) -> None:
    with pytest.raises(DataError):
        rank(POINTS, BETTER, weights=weights)


def test_a_missing_value_or_respect_is_refused() -> None:
    with pytest.raises(DataError):
        rank([(math.nan, 1.0)], BETTER)
    with pytest.raises(DataError):
        rank([(1.0, 1.0)], ("higher", "neither"))
    with pytest.raises(DataError):
        rank([], BETTER)
