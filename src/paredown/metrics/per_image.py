"""One number for each image: how right a model is on it, and how much two models differ on it.

Letters: N images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from paredown.detections import ClassScores, Detections, Prediction
from paredown.metrics.matching import Matches, match_reference
from paredown.metrics.outcomes import probabilities
from paredown.metrics.tally import Evidence, ratio


def image_scores(evidence: Evidence) -> NDArray[np.float64]:
    """(N,) F1 of the detections at or above the card's confidence, or 1 where the first class is right.

    nan where an image holds neither a truth nor a detection.
    """
    if not isinstance(evidence, Matches):
        return (evidence.rank < 1).astype(np.float64)
    shown = (evidence.score >= evidence.conf) & ~evidence.ignored[0, 0]
    right = _count(evidence, shown & evidence.hit[0, 0])
    truths = np.bincount(evidence.truth_image[evidence.counted[0]], minlength=evidence.n_images)
    return ratio(2 * right, _count(evidence, shown) + truths)


def disagreement(a: Sequence[Prediction], b: Sequence[Prediction], conf: float) -> NDArray[np.float64]:
    """(N,) how much two models differ on each image, in units of confidence.

    Detections at or above `conf` in either: the confidence of each that the other lacks, and the change of
    confidence of each that both have. Classifiers: half the sum of |p_a - p_b|.
    """
    detections_a = [p.above(conf) for p in a if isinstance(p, Detections)]
    detections_b = [p.above(conf) for p in b if isinstance(p, Detections)]
    if len(detections_a) != len(a):
        return np.array([_class_gap(p, q) for p, q in zip(a, b, strict=True)])
    classes = [p.classes.max(initial=-1) for p in (*detections_a, *detections_b)]
    m = match_reference(detections_b, detections_a, int(max(classes, default=-1)) + 1, conf)
    changed = np.where(m.found_iou > 0, abs(m.truth_score - m.found_score), m.truth_score)
    lacked = np.bincount(m.truth_image, weights=changed, minlength=m.n_images)
    extra = ~m.hit[0, 0]
    gap: NDArray[np.float64] = lacked.astype(np.float64) + np.bincount(
        m.image[extra], weights=m.score[extra], minlength=m.n_images
    )
    return gap


def _class_gap(a: Prediction, b: Prediction) -> float:
    if not (isinstance(a, ClassScores) and isinstance(b, ClassScores)):
        return float("nan")
    return float(abs(probabilities(a) - probabilities(b)).sum() / 2)


def _count(matches: Matches, which: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.bincount(matches.image[which], minlength=matches.n_images)
