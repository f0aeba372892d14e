"""Points of accuracy need truth, agreement has none: what was asked is done or refused with the cure."""

import pytest

from paredown.agreement import least_agreement, likely_loss
from paredown.errors import UsageError
from paredown.study.limits import Limits


def test_points_without_truth_are_refused_and_the_agreement_that_goes_with_them_is_named() -> None:
    with pytest.raises(UsageError, match="--min-agreement 94"):
        Limits(max_drop=0.5).check("fidelity_map50_95")
    with pytest.raises(UsageError, match="--min-agreement 97"):
        Limits(max_drop=0.5).check("fidelity_top1")
    with pytest.raises(UsageError, match="--min-agreement P"):
        Limits(max_drop=50).check("fidelity_top1")
    Limits(max_drop=0.5).check("map50_95")


def test_agreement_with_truth_is_refused() -> None:
    with pytest.raises(UsageError, match="--max-drop"):
        Limits(min_agreement=90).check("top1")
    Limits(min_agreement=90).check("fidelity_top1")


@pytest.mark.parametrize("metric", ["map50_95", "top1", "fidelity_map50_95", "fidelity_top1"])
def test_nothing_asked_is_never_refused(metric: str) -> None:
    Limits().check(metric)


def test_both_at_once_and_more_than_full_agreement_are_refused() -> None:
    with pytest.raises(UsageError, match="two judges"):
        Limits(max_drop=1, min_agreement=90)
    with pytest.raises(UsageError, match="more than fully"):
        Limits(min_agreement=101)
    with pytest.raises(UsageError, match="negative"):
        Limits(min_agreement=-1)


def test_what_is_allowed_is_in_the_metric_that_judges() -> None:
    assert Limits().allowed("map50_95") == 1
    assert Limits().allowed("fidelity_map50_95") == 12
    assert Limits().allowed("fidelity_top1") == 6
    assert Limits(min_agreement=99.9).allowed("fidelity_top1") == 0.1
    assert Limits(max_drop=0.3).allowed("top1") == 0.3


@pytest.mark.parametrize("metric", ["map50_95", "top1"])
def test_agreement_and_points_go_both_ways(metric: str) -> None:
    assert likely_loss(metric, least_agreement(f"fidelity_{metric}", 0.7)) == pytest.approx(0.7)
    assert least_agreement(metric, 0) == 100
