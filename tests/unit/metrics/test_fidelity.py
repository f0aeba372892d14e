"""Fidelity and per-image measures of detectors, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import found, random_scenes, true

from paredown.metrics import METRICS
from paredown.metrics.detection import class_miss_rates
from paredown.metrics.matching import match, match_reference
from paredown.metrics.tally import DetectionTally
from paredown.tasks.detect import disagreement, image_scores

FLOAT = found(
    (0, 0, 10, 10, 0.9, 0), (20, 0, 30, 10, 0.6, 0), (40, 0, 50, 10, 0.5, 1), (60, 0, 70, 10, 0.1, 1)
)
# found again; found again below .25; not found (another class stands there); new
SMALL = found(
    (0, 0, 10, 10, 0.7, 0), (20, 0, 30, 8, 0.2, 0), (40, 0, 50, 10, 0.8, 0), (80, 0, 90, 10, 0.4, 1)
)


def tally(small=SMALL, reference=FLOAT):
    return DetectionTally(match_reference([small], [reference], 2, 0.25), np.ones((1, 1), np.int64))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("fidelity_miss_rate", 2 / 3),
        ("fidelity_extra_rate", 2 / 3),
        ("confidence_shift", ((0.7 - 0.9) + (0.2 - 0.6)) / 2),
        ("fidelity_iou", (1 + 0.8) / 2),
    ],
)
def test_by_hand(name, wanted):
    assert METRICS[name].compute(tally())[0] == pytest.approx(wanted)


def test_a_model_is_faithful_to_itself():
    predictions, _ = random_scenes(1)
    t = DetectionTally(
        match_reference(predictions, predictions, 5, 0.25), np.ones((1, len(predictions)), np.int64)
    )
    for name in ("fidelity_map50_95", "fidelity_iou"):
        assert METRICS[name].compute(t)[0] == pytest.approx(1)
    for name in ("fidelity_miss_rate", "fidelity_extra_rate", "confidence_shift"):
        assert METRICS[name].compute(t)[0] == pytest.approx(0)


def test_a_reference_without_confident_detections_gives_nan():
    assert np.isnan(METRICS["fidelity_miss_rate"].compute(tally(reference=found((0, 0, 9, 9, 0.1, 0))))[0])


def test_miss_rate_per_class():
    truths = [true((0, 0, 10, 10, 0), (20, 0, 30, 10, 0), (40, 0, 50, 10, 1))]
    rates = class_miss_rates(DetectionTally(match([SMALL], truths, 3, 0.25), np.ones((1, 1), np.int64)))
    assert rates[0].tolist() == pytest.approx([0.5, 1.0, np.nan], nan_ok=True)


def test_image_scores_are_f1_at_the_cards_confidence():
    truths = [true((0, 0, 10, 10, 0), (20, 0, 30, 10, 0)), true()]
    scores = image_scores(match([SMALL, found()], truths, 2, 0.25))
    assert scores.tolist() == pytest.approx([2 * 1 / (3 + 2), np.nan], nan_ok=True)


def test_disagreement_adds_what_is_lacking_new_and_changed():
    gap = disagreement([FLOAT, FLOAT], [SMALL, FLOAT], 0.25)
    assert gap == pytest.approx([(0.9 - 0.7) + 0.6 + 0.5 + 0.8 + 0.4, 0])
