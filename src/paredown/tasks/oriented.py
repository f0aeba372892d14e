"""Turned boxes: objects seen from above, each with an angle.

The truth is `Labels` with corners, an answer `Detections` with corners; judged by COCO's mean average
precision with the IoU of the turned boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.detections import Prediction
from paredown.metrics.matching import Matches
from paredown.metrics.overlaps import corner_overlap
from paredown.sample import Truth
from paredown.tasks import detect
from paredown.tasks.boxes_with_more import *  # noqa: F403
from paredown.tasks.task import Curves

NAME = "oriented"
SUMMARY = "turned boxes: each with an angle"
WORDS = replace(
    detect.WORDS,
    kind="detector of turned boxes",
    marks="turned boxes",
    example="for corners, score, number in zip(found.corners, found.scores, found.classes):\n"
    "    print(card.classes[number], score, corners)      # 4 x, y in pixels of the image",
    no_truth="no image holds a turned box of a class the model knows",
)
MORE_CLASSES = REFUSE_LOW = False

against_truth = partial(detect.against_truth, overlap=corner_overlap)
against_reference = partial(detect.against_reference, overlap=corner_overlap)


def translate(truth: Truth, target: NDArray[np.int64]) -> Truth:
    """As in `detect`; None where nothing is known of turned boxes."""
    if truth is None or detect.labels([truth])[0].corners is None:
        return None
    return detect.translate(truth, target)


def official(
    predictions: Sequence[Prediction], truths: Sequence[Truth], evidence: Matches, card: Card
) -> tuple[dict[str, float], Curves]:
    """No metric; AP and misses by class."""
    return {}, detect.class_curves(evidence)
