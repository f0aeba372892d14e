"""Metrics of detectors against the float model's own detections: does the smaller model still say the same?

The reference's detections at or above the card's confidence stand in for the truth. Each gives (R,).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paredown.metrics.tally import DetectionTally

Values = NDArray[np.float64]


def extra_rate(t: DetectionTally) -> Values:
    """Share of the detections at or above the card's confidence that the float model does not have."""
    m = t.matches
    return t.share_of_detections(~m.hit[0, 0], m.score >= m.conf)


def confidence_shift(t: DetectionTally) -> Values:
    """Mean change of confidence over the float model's detections found again, at any confidence."""
    m = t.matches
    return t.mean_over_truths(m.found_score - m.truth_score, m.found_iou > 0)


def matched_iou(t: DetectionTally) -> Values:
    """Mean IoU of the float model's detections with those found again, at any confidence."""
    m = t.matches
    return t.mean_over_truths(m.found_iou, m.found_iou > 0)
