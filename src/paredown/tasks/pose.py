"""Key points: boxes with named places in them, such as the joints of a person.

The truth is `Labels` with points, an answer `Detections` with points; judged by COCO's mean average precision
with object keypoint similarity (OKS) in place of the boxes' IoU. Objects without a marked point are ignored.
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
from paredown.metrics.overlaps import point_overlap
from paredown.sample import Truth
from paredown.tasks import detect
from paredown.tasks.boxes_with_more import *  # noqa: F403
from paredown.tasks.task import Curves

NAME = "pose"
SUMMARY = "key points: boxes with named places in them"
WORDS = replace(
    detect.WORDS,
    kind="key point detector",
    marks="key points",
    of_class=("OKS AP50-95", "true poses"),
    of_class_fidelity=("OKS AP50-95", "poses of the float model"),
    truths="true poses",
    example="for points, score in zip(found.points, found.scores):\n"
    "    print(score, points)      # x, y in pixels of the image and how sure, for each point",
    no_truth="no object has a key point marked",
    no_reference="no pose of the float model",
)
MORE_CLASSES = REFUSE_LOW = False

against_truth = partial(detect.against_truth, overlap=point_overlap)
against_reference = partial(detect.against_reference, overlap=point_overlap)


def translate(truth: Truth, target: NDArray[np.int64]) -> Truth:
    """As in `detect`; None where nothing is known of key points."""
    if truth is None or detect.labels([truth])[0].points is None:
        return None
    (known,) = detect.labels([detect.translate(truth, target)])
    marked = (np.asarray(known.points)[..., 2] > 0).any(axis=1)
    return replace(known, crowd=known.crowd | ~marked)


def official(
    predictions: Sequence[Prediction], truths: Sequence[Truth], evidence: Matches, card: Card
) -> tuple[dict[str, float], Curves]:
    """No metric; AP and misses by class."""
    return {}, detect.class_curves(evidence)
