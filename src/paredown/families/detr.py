"""Transformer detectors that answer with a set: DETR, RT-DETR, D-FINE, DEIM, RF-DETR.

Outputs: logits (1, Q, C) and boxes (1, Q, 4) as centre x, centre y, width, height, fractions of the image.
Each query gives its classes by a sigmoid, or by a softmax whose last class is "no object" (the first DETR).
No NMS. Q: queries.
Source: Carion et al., DETR, 2020, arXiv 2005.12872; Zhao et al., RT-DETR, 2023, arXiv 2304.08069.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np

from paredown.card import Card, Task
from paredown.detections import Detections
from paredown.families.boxes import centre_to_corners, sigmoid, softmax
from paredown.families.clues import Clues, Match, spell
from paredown.families.preprocess import Frame

NAME = "detr"
TASK: Task = "detect"
SUMMARY = "DETR, RT-DETR, D-FINE: a set of boxes with class logits"


def decode(
    outputs: Mapping[str, Any], card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> Detections:
    """Detections of one image from the model's answer. `iou` has no part in it: a set needs no NMS.

    card.decode: `logits`, `boxes` give the outputs' positions; `no_object`: softmax with a last class for it.
    """
    answers = [np.asarray(a, np.float32) for a in outputs.values()]
    logits = answers[cast("int", card.decode["logits"])][0]
    scores = softmax(logits)[:, :-1] if card.decode["no_object"] else sigmoid(logits)
    height, width = card.preprocess.size
    fractions = answers[cast("int", card.decode["boxes"])][0]
    boxes = centre_to_corners(fractions) * (width, height, width, height)
    usable = np.where(np.isfinite(boxes).all(axis=1)[:, None], scores, -1.0)
    best = np.argsort(-usable, axis=None, kind="stable")[:max_detections]
    best = best[usable.ravel()[best] >= conf]
    query, classes = np.unravel_index(best, scores.shape)
    return Detections(frame.to_image(boxes[query]), scores[query, classes], classes.astype(np.int64))


def matches(clues: Clues) -> Match | None:
    """The match of two outputs over the same queries, boxes after a sigmoid and scores before any."""
    if len(clues.outputs) != 2 or clues.task not in (None, "detect"):
        return None
    for logits, boxes in ((0, 1), (1, 0)):
        what, where = clues.outputs[logits], clues.outputs[boxes]
        if len(where.shape) != 3 or len(what.shape) != 3 or where.shape[-1] != 4:
            continue
        if where.shape[1] != what.shape[1] or what.shape[-1] is None:
            continue
        if "Sigmoid" not in where.tail or what.tail & {"Softmax", "Sigmoid"}:
            continue
        why = f"output shapes {spell([what, where])}: logits and boxes of the same queries"
        # Named classes: Ultralytics' RT-DETR, which takes 0..1, stretched.
        settled = bool(clues.names)
        return Match(_cards(clues, what.shape[-1], logits, boxes, why), 0.8, why, settled=settled)
    return None


def _cards(clues: Clues, n_logits: int, logits: int, boxes: int, why: str) -> tuple[Card, ...]:
    """Sigmoid classes first, as all but the first DETR have them; with and without ImageNet's mean."""
    imagenet = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    inputs: list[dict[str, Any]] = [{"fit": "stretch"}, {"fit": "stretch", **imagenet}]
    cards: list[Card] = []
    for no_object in (False, True):
        decode_how = {"logits": logits, "boxes": boxes, "no_object": no_object}
        n_classes = n_logits - no_object
        if n_classes > 0:
            cards += clues.cards(
                NAME, TASK, n_classes, inputs, decode=decode_how, settled=bool(clues.names), why=why
            )
    return tuple(replace(card, max_detections=100 if card.decode["no_object"] else 300) for card in cards)
