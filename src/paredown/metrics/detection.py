"""Metrics of detectors against true boxes. Each gives (R,): one value per weighting of the images.

Letters: R weightings, T IoU thresholds (0.50 .. 0.95), C classes; a class without truth is nan and left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paredown.metrics.matching import AREAS
from paredown.metrics.tally import DetectionTally, ratio

Values = NDArray[np.float64]


def map50_95(t: DetectionTally) -> Values:
    """Mean AP over classes and IoU 0.50 to 0.95."""
    return mean_known(t.ap().reshape(len(t.weights), -1))


def map50(t: DetectionTally) -> Values:
    """Mean AP over classes at IoU 0.50."""
    return mean_known(t.ap()[:, 0])


def map75(t: DetectionTally) -> Values:
    """Mean AP over classes at IoU 0.75."""
    return mean_known(t.ap()[:, 5])


def ap_small(t: DetectionTally) -> Values:
    """mAP50-95 of objects of less than 32 x 32 pixels."""
    return mean_known(t.ap(AREAS.index("small")).reshape(len(t.weights), -1))


def ap_medium(t: DetectionTally) -> Values:
    """mAP50-95 of objects between 32 x 32 and 96 x 96 pixels."""
    return mean_known(t.ap(AREAS.index("medium")).reshape(len(t.weights), -1))


def ap_large(t: DetectionTally) -> Values:
    """mAP50-95 of objects of more than 96 x 96 pixels."""
    return mean_known(t.ap(AREAS.index("large")).reshape(len(t.weights), -1))


def fitness(t: DetectionTally) -> Values:
    """0.1 mAP50 + 0.9 mAP50-95. Source: Ultralytics, `DetMetrics.fitness`."""
    return 0.1 * map50(t) + 0.9 * map50_95(t)


def precision(t: DetectionTally) -> Values:
    """Share of detections that are right, at the confidence of best F1."""
    return t.best_f1[:, 0]


def recall(t: DetectionTally) -> Values:
    """Share of truths that are found, at the confidence of best F1."""
    return t.best_f1[:, 1]


def f1(t: DetectionTally) -> Values:
    """The best F1 over all confidences."""
    return t.best_f1[:, 2]


def best_confidence(t: DetectionTally) -> Values:
    """The confidence of best F1."""
    return t.best_f1[:, 3]


def miss_rate(t: DetectionTally) -> Values:
    """Share of truths that no detection at or above the card's confidence finds, at IoU 0.5."""
    m = t.matches
    return t.mean_over_truths((m.found_score < m.conf).astype(np.float64), m.counted[0])


def class_miss_rates(t: DetectionTally) -> NDArray[np.float64]:
    """(R, C) the miss rate of each class; nan where it has no truth."""
    m = t.matches
    missed = (m.found_score < m.conf).astype(np.float64)
    columns = [t.mean_over_truths(missed, m.counted[0] & (m.truth_class == c)) for c in range(m.n_classes)]
    return np.stack(columns, axis=1)


def mean_known(values: NDArray[np.float64]) -> Values:
    """Mean over all axes but the first, leaving nan out; nan where nothing is left."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).reshape(len(values), -1).sum(axis=1)
    count = known.reshape(len(values), -1).sum(axis=1)
    return ratio(total, count)
