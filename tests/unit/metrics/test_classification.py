"""Metrics of classifiers, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.detections import ClassScores
from paredown.errors import DataError
from paredown.metrics import METRICS
from paredown.metrics.outcomes import outcomes, probabilities
from paredown.metrics.tally import ClassTally


def answer(*scores: float) -> ClassScores:
    return ClassScores(np.array(scores, np.float32))


def value(name, found):
    return float(METRICS[name].compute(ClassTally(found, np.ones((1, found.n_images), np.int64)))[0])


def test_top1_and_top5():
    first = answer(9, 0, 0, 0, 0, 0, 0)
    found = outcomes([first, first, first], [0, 4, 6])  # of equal scores the lower index comes first
    assert found.rank.tolist() == [0, 4, 6]
    assert value("top1", found) == pytest.approx(1 / 3)
    assert value("top5", found) == pytest.approx(2 / 3)


def test_an_answer_that_is_no_number_is_wrong():
    assert outcomes([answer(np.nan, np.nan)], [0]).rank.tolist() == [2]


def test_all_scores_equal_is_right_only_for_the_first_class():
    assert value("top1", outcomes([answer(0, 0, 0)] * 3, [0, 1, 2])) == pytest.approx(1 / 3)


def test_agreement_and_confidence_shift_against_a_reference():
    reference = [answer(0.8, 0.2), answer(0.1, 0.9)]
    found = outcomes([answer(0.6, 0.4), answer(0.7, 0.3)], [0, 1], reference)
    assert value("fidelity_top1", found) == 0.5
    assert value("top1_confidence_shift", found) == pytest.approx(((0.6 - 0.8) + (0.3 - 0.9)) / 2)
    assert value("mean_confidence", found) == pytest.approx(0.65)


def test_probabilities_leaves_a_softmax_alone_and_makes_one_of_logits():
    assert probabilities(answer(0.25, 0.75)).tolist() == [0.25, 0.75]
    assert probabilities(answer(1000, 1000)).tolist() == [0.5, 0.5]
    assert probabilities(answer(-1, 2)).sum() == pytest.approx(1)


def test_predictions_and_images_must_be_as_many():
    with pytest.raises(DataError, match="one prediction for each image"):
        outcomes([answer(1)], [])
