"""Curves and tables of one detector's matches: F1 by confidence, what is found and missed by size.

Letters as in `matching`: D detections, G truths; K confidences 0, 0.01 .. 0.99.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paredown.metrics.matching import AREAS, Matches

CONFIDENCES: NDArray[np.float64] = np.arange(100) / 100
Curve = tuple[float, ...]


def detection_curves(m: Matches) -> dict[str, Curve]:
    """By name: f1_confidence (K,), f1, f1_precision, f1_recall of it at IoU 0.5, all classes together, nan
    where nothing is found; and for small, medium, large: size_truths, size_missed, size_false.

    Missed and false are those at the card's confidence. Without any truth there is no curve.
    """
    n_truths = int(m.counted[0].sum())
    if n_truths == 0:
        return {}
    judged = ~m.ignored[0, 0] & m.known[m.class_]
    score, hit = m.score[judged], m.hit[0, 0, judged]  # by falling score
    shown = np.searchsorted(-score, -CONFIDENCES, side="right")  # how many are at or above each
    right = np.concatenate([[0], np.cumsum(hit)])[shown]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = right / shown, right / n_truths
        f1 = 2 * right / (shown + n_truths)
    return {
        "f1_confidence": _floats(CONFIDENCES),
        "f1": _floats(f1),
        "f1_precision": _floats(precision),
        "f1_recall": _floats(recall),
        **_by_size(m),
    }


def _by_size(m: Matches) -> dict[str, Curve]:
    sure = m.score >= m.conf
    areas = range(1, len(AREAS))
    truths = [int(m.counted[a].sum()) for a in areas]
    missed = [int((m.counted[a] & (m.found_score < m.conf)).sum()) for a in areas]
    false = [int((sure & ~m.hit[a, 0] & ~m.ignored[a, 0]).sum()) for a in areas]
    return {"size_truths": _floats(truths), "size_missed": _floats(missed), "size_false": _floats(false)}


def _floats(values: NDArray[np.generic] | list[int]) -> Curve:
    return tuple(float(v) for v in values)
