"""Metrics of a detector as it is deployed: of the detections at or above the card's confidence alone.

COCO's protocol counts detections down to a confidence of 0.001, which no application shows. Letters as in
`matching`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from paredown.metrics.average_precision import average_precision
from paredown.metrics.detection import mean_known
from paredown.metrics.matching import AREAS, Matches
from paredown.metrics.tally import DetectionTally, ratio

Values = NDArray[np.float64]
SMALL = AREAS.index("small")


def map50_at_conf(t: DetectionTally) -> Values:
    """(R,) mean AP at IoU 0.5 of the detections at or above the card's confidence."""
    return mean_known(average_precision(_shown(t.matches), t.weights)[:, 0])


def precision_at_conf(t: DetectionTally) -> Values:
    """(R,) share of the detections at or above the card's confidence that are right, at IoU 0.5."""
    m = t.matches
    judged = (m.score >= m.conf) & ~m.ignored[0, 0]
    return t.share_of_detections(m.hit[0, 0], judged)


def small_false_alarms(t: DetectionTally) -> Values:
    """(R,) detections of less than 32 x 32 pixels that find nothing, an image, at the card's confidence.

    One that finds a larger object is no false alarm of a small one: `ignored`, as COCO has it.
    """
    m = t.matches
    false = (m.score >= m.conf) & ~m.hit[SMALL, 0] & ~m.ignored[SMALL, 0]
    per_image = np.bincount(m.image[false], minlength=m.n_images).astype(np.float64)
    found: Values = ratio(t.weights @ per_image, t.weights.sum(axis=1))
    return found


def _shown(m: Matches) -> Matches:
    """The matches of what is shown, at IoU 0.5."""
    kept = m.score >= m.conf
    return replace(
        m,
        image=m.image[kept],
        class_=m.class_[kept],
        score=m.score[kept],
        hit=m.hit[:, :1, kept],
        ignored=m.ignored[:, :1, kept],
    )
