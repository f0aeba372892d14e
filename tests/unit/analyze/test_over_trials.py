"""Trials over seeds: mean and spread, paired tests against numbers worked by hand, Holm's correction."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paredown.errors import DataError
from paredown.statistics.over_trials import holm, paired_tests, spread


def test_mean_and_standard_deviation() -> None:
    found = spread([1.0, 2.0, 3.0, 4.0])
    assert (found.n, found.mean) == (4, 2.5)
    assert found.std == pytest.approx(1.2909944)
    assert str(found) == "2.50 ± 1.29 (n = 4)"


def test_a_single_trial_has_no_spread() -> None:
    assert math.isnan(spread([1.0]).std)
    assert "±" not in str(spread([1.0]))
    with pytest.raises(DataError):
        spread([])


def test_student_on_his_own_sleep_data() -> None:
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    found = paired_tests(first, second)
    assert found.difference.mean == pytest.approx(1.58)
    assert found.t_test == pytest.approx(0.00283, abs=1e-5)  # as published and in every textbook since
    assert found.wilcoxon < 0.01


def test_trials_that_agree_differ_by_chance_only() -> None:
    assert paired_tests([1, 2, 3], [1, 2, 3]).t_test == 1.0
    assert math.isnan(paired_tests([1], [2]).t_test)
    assert paired_tests([1, 2, 3], [2, 3, 4]).t_test == 0.0
    with pytest.raises(DataError):
        paired_tests([1, 2], [1])


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.9, 0.8]) == pytest.approx((1.0, 1.0))
    assert np.isnan(holm([math.nan, 0.01])[0])
    assert holm([math.nan, 0.01])[1] == pytest.approx(0.01)
    assert holm([]) == ()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_only_raises_and_keeps_the_order(p: list[float]) -> None:
    found = holm(p)
    assert all(q >= x for q, x in zip(found, p, strict=True))
    order = sorted(range(len(p)), key=lambda i: p[i])
    assert all(found[i] <= found[j] for i, j in pairwise(order))


def test_holm_keeps_the_chance_of_a_false_alarm_below_the_level() -> None:
    rng = np.random.default_rng(0)
    false_alarms = [min(holm(rng.uniform(size=8).tolist())) < 0.05 for _ in range(2000)]
    assert 0.035 < np.mean(false_alarms) < 0.062
