"""Every line of METRICS passes the checks of `paredown.testing.metrics`, and broken metrics do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paredown.metrics import METRICS
from paredown.testing import metrics


@pytest.mark.parametrize("check", metrics.CHECKS)
@pytest.mark.parametrize("name", METRICS)
def test_every_metric(name, check):
    assert METRICS[name].name == name
    check(METRICS[name], metrics.counted(METRICS[name]))


BROKEN = {
    metrics.it_is_named_and_explained: {"summary": ""},
    metrics.it_gives_a_number_within_its_limits_for_every_weighting: {"limits": (2.0, 3.0)},
    metrics.a_weighting_knows_nothing_of_the_others: {
        "compute": lambda t: np.cumsum(t.mean(t.outcomes.rank))
    },
    metrics.counting_every_image_thrice_changes_nothing: {"compute": lambda t: t.weights @ t.outcomes.rank},
    metrics.where_no_image_counts_there_is_no_value: {"compute": lambda t: 0.5 + 0.0 * t.weights.sum(axis=1)},
}


@pytest.mark.parametrize("check", metrics.CHECKS)
def test_a_broken_metric_is_found_out(check):
    broken = replace(METRICS["top1"], **BROKEN[check])
    with pytest.raises(AssertionError):
        check(broken, metrics.counted(broken))
