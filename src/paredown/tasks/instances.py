"""Instance masks: boxes with the pixels of each object.

The truth is `Labels` with masks, an answer `Detections` with masks; judged by COCO's mean average precision
with the IoU of masks. An image with an object of which only the box is known says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.detections import Prediction
from paredown.metrics import coco
from paredown.metrics.matching import Matches
from paredown.metrics.overlaps import drawn, mask_overlap
from paredown.sample import Outline, Truth
from paredown.tasks import detect
from paredown.tasks.boxes_with_more import *  # noqa: F403
from paredown.tasks.task import Curves

NAME = "instances"
SUMMARY = "instance masks: boxes with the pixels of each object"
WORDS = replace(
    detect.WORDS,
    kind="instance segmenter",
    marks="masks and boxes",
    of_class=("mask AP50-95", "true masks"),
    of_class_fidelity=("mask AP50-95", "masks of the float model"),
    truths="true masks",
    example="for mask, score, number in zip(found.masks, found.scores, found.classes):\n"
    "    print(card.classes[number], score, mask.pixels.sum())      # (H, W) true where the object is",
    no_truth="no image holds a true mask of a class the model knows",
    no_reference="no mask of the float model",
)
MORE_CLASSES = REFUSE_LOW = False
OFFICIAL = ("map50_95", "map50", "map75")

against_truth = partial(detect.against_truth, overlap=mask_overlap)
against_reference = partial(detect.against_reference, overlap=mask_overlap)


def translate(truth: Truth, target: NDArray[np.int64]) -> Truth:
    """As in `detect`; None where the mask of an object is not known."""
    if truth is None:
        return None
    (known,) = detect.labels([detect.translate(truth, target)])
    if not len(known.classes):
        return known
    masks = known.masks or ()
    whole = [drawn(m) if isinstance(m, Outline) else m for m in masks if m is not None]
    return replace(known, masks=tuple(whole)) if len(whole) == len(known.classes) else None


def official(
    predictions: Sequence[Prediction], truths: Sequence[Truth], evidence: Matches, card: Card
) -> tuple[dict[str, float], Curves]:
    """The AP values reported, which are faster-coco-eval's; AP and misses by class, precision by recall."""
    found, known = detect.detections(predictions), detect.labels(truths)
    result = coco.evaluate(found, known, len(card.classes), card.max_detections, "segm")
    values = {f"mask_{name}": result.values[name] for name in OFFICIAL}
    return values, detect.curves_of(result, evidence)
