"""What most heads share: a row of numbers for each box in one output, and the way from boxes to detections.

numpy only: the bundle's `detect.py` carries what a family uses of it. A family binds the first argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.detections import Detections
from paredown.families.boxes import select
from paredown.families.candidates import Candidates, best_of, detections_of, read_candidates
from paredown.preprocessing.letterbox import Frame


def read_one_output(
    usual: Mapping[str, object], outputs: Mapping[str, Any], card: Card, least: float
) -> Candidates:
    """Every box with its scores, perhaps without those below `least`, of one output (1, N, K).

    usual: what [decode] says where the card does not, see candidates.py; `transposed = false` is (1, K, N).
    """
    (answer,) = outputs.values()
    how = {**usual, **card.decode}
    rows = np.asarray(answer[0], np.float32)
    rows = rows if how.get("transposed", True) else rows.T
    return read_candidates(rows, how, card.preprocess.size, least)


def with_nms(
    candidates: Callable[..., Candidates],
    outputs: Mapping[str, Any],
    card: Card,
    frame: Frame,
    *,
    conf: float,
    iou: float,
    max_detections: int,
) -> Detections:
    """Detections of one image from the answer of a model that gives several boxes for one object."""
    found = candidates(outputs, card, conf)
    return chosen(found, frame, conf=conf, iou=iou, max_detections=max_detections)[0]


def chosen(
    found: Candidates, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> tuple[Detections, NDArray[np.intp]]:
    """What suppression leaves of candidates, and their rows."""
    rows, classes = select(
        found.boxes, found.scores, found.corners, conf=conf, iou=iou, max_detections=max_detections
    )
    return detections_of(found, rows, classes, found.scores[rows, classes], frame), rows


def without_nms(
    candidates: Callable[..., Candidates],
    outputs: Mapping[str, Any],
    card: Card,
    frame: Frame,
    *,
    conf: float,
    iou: float,
    max_detections: int,
) -> Detections:
    """Detections of one image from a model that gives one box for an object. `iou` is not used."""
    found = candidates(outputs, card, conf)
    return best_of(found, frame, conf=conf, max_detections=max_detections)[0]
