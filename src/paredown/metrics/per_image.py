"""One number for each image: how right a detector is on it, and how much two models differ on it.

Letters: N images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from paredown.detections import ClassScores, Detections
from paredown.metrics.matching import Matches, match_reference
from paredown.metrics.outcomes import probabilities
from paredown.metrics.tally import ratio


def f1_of_images(matches: Matches) -> NDArray[np.float64]:
    """(N,) F1 of the detections at or above the card's confidence.

    nan where an image holds neither a truth nor a detection.
    """
    shown = (matches.score >= matches.conf) & ~matches.ignored[0, 0]
    right = _count(matches, shown & matches.hit[0, 0])
    truths = np.bincount(matches.truth_image[matches.counted[0]], minlength=matches.n_images)
    return ratio(2 * right, _count(matches, shown) + truths)


def detection_gaps(a: Sequence[Detections], b: Sequence[Detections], conf: float) -> NDArray[np.float64]:
    """(N,) how much two detectors differ on each image, in units of confidence.

    Detections at or above `conf` in either: the confidence of each that the other lacks, and the change of
    confidence of each that both have.
    """
    shown_a, shown_b = [p.above(conf) for p in a], [p.above(conf) for p in b]
    classes = [p.classes.max(initial=-1) for p in (*shown_a, *shown_b)]
    m = match_reference(shown_b, shown_a, int(max(classes, default=-1)) + 1, conf)
    changed = np.where(m.found_iou > 0, abs(m.truth_score - m.found_score), m.truth_score)
    lacked = np.bincount(m.truth_image, weights=changed, minlength=m.n_images)
    extra = ~m.hit[0, 0]
    gap: NDArray[np.float64] = lacked.astype(np.float64) + np.bincount(
        m.image[extra], weights=m.score[extra], minlength=m.n_images
    )
    return gap


def class_gaps(a: Sequence[ClassScores], b: Sequence[ClassScores]) -> NDArray[np.float64]:
    """(N,) half the sum of |p_a - p_b| over the classes."""
    return np.array([abs(probabilities(p) - probabilities(q)).sum() / 2 for p, q in zip(a, b, strict=True)])


def _count(matches: Matches, which: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.bincount(matches.image[which], minlength=matches.n_images)
