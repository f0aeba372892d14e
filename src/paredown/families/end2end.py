"""Detectors that do NMS themselves or need none: YOLOv10, YOLO26, Ultralytics exports with `nms=True`.

Output (1, K, 6): x1, y1, x2, y2 in input pixels, score, class. K: most detections the model gives. Other
tools write the same six in another order, or boxes as fractions: the values tell which.
Source: Wang et al., YOLOv10, 2024, arXiv 2405.14458; Ultralytics, `ultralytics/nn/modules/head.py`;
PINTO0309, `label_xyxy_score` outputs of DEIM and D-FINE.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from paredown.card import Card
from paredown.families.candidates import PLAIN, Candidates, read_candidates
from paredown.families.family import Match, match_of
from paredown.families.features import Features
from paredown.families.grids import strides_for
from paredown.families.head import without_nms
from paredown.families.outputs import spell
from paredown.families.parts import find_parts, read_parts

NAME = "end2end"
TASK = "detect"
SUMMARY = "YOLOv10, YOLO26, YOLO-NAS, NMS inside: finished boxes, scores, classes"
FLAT = ("ignore x1 y1 x2 y2 score class", "ignore x1 y1 x2 y2 class score")  # after the image's number
MOST_DETECTIONS = 1000
COCO_CLASSES = 80  # assumed where no metadata names the classes; a card.toml says otherwise
HOW: Mapping[str, object] = {"columns": "x1 y1 x2 y2 score class", **PLAIN, "first_class": 0}
ORDERS = (
    "x1 y1 x2 y2 score class",
    "class x1 y1 x2 y2 score",
    "x1 y1 x2 y2 class score",
    "class score x1 y1 x2 y2",
    "score class x1 y1 x2 y2",
)
BY_TASK: Mapping[str | None, tuple[str, ...]] = {
    None: ORDERS,
    "detect": ORDERS,
    "pose": ("x1 y1 x2 y2 score class keypoints",),
    "obb": ("cx cy w h score class angle",),
}


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> Candidates:
    """Every box with score and class, perhaps without those below `least`. card.decode: see candidates.py."""
    if len(outputs) > 1:
        return read_parts(list(outputs.values()), card.decode, card.preprocess.size)
    (answer,) = outputs.values()
    rows = np.asarray(answer, np.float32)
    how = {**HOW, **card.decode}
    return read_candidates(rows.reshape(-1, rows.shape[-1]), how, card.preprocess.size, least)


decode = partial(without_nms, candidates)


def matches(features: Features) -> Match | None:
    """The match of one output with six values for each of at most a thousand detections."""
    if features.task not in BY_TASK:
        return None
    if len(features.outputs) > 1:
        return _match_parts(features)
    output = features.outputs[0]
    if len(output.shape) == 2:
        return _match_flat(features)
    if len(output.shape) != 3 or output.shape[1] is None or output.shape[2] is None:
        return None
    if output.shape[1] > MOST_DETECTIONS:
        return None
    if any(strides_for(n, features.size) is not None for n in output.shape[1:]):
        return None
    orders = [{**HOW, "columns": c} for c in BY_TASK[features.task]]
    why = f"output shape {spell([output])}: at most {output.shape[1]} finished detections"
    # Where a column holds the class number, the output does not say how many classes there are.
    usual = len(features.named.by_number) or COCO_CLASSES
    ways = (*orders, *({**how, "units": "fractions"} for how in orders))
    readings = features.row_cards(NAME, output.shape[2], *ways, classes=usual, why=why)
    return match_of(readings, 1.0 if features.names else 0.8, why, open_classes=not features.names)


def _match_flat(features: Features) -> Match | None:
    """Rows (n, 7) that begin with the number of the image in the batch: YOLO-NAS's flat format, YOLOv7's."""
    output = features.outputs[0]
    if (
        output.shape[1] != 7
        or features.task not in (None, "detect")
        or "NonMaxSuppression" not in output.tail
    ):
        return None
    why = f"output shape {spell([output])}: finished detections behind the number of their image"
    usual = len(features.names) or len(features.named.by_number) or COCO_CLASSES
    found = features.row_readings(7, *({**HOW, "columns": columns} for columns in FLAT))
    inputs = features.letterbox_inputs
    readings = [
        features.cards(NAME, TASK, usual, inputs, decode=how, settled=bool(features.names), why=why)
        for how, _ in found
    ]
    return match_of(readings, 0.8, why, settled=bool(features.names), open_classes=not features.names)


def _match_parts(features: Features) -> Match | None:
    """Boxes, scores and classes as outputs of their own."""
    shapes, whole = [o.shape for o in features.outputs], ["int" in o.spec.dtype for o in features.outputs]
    if features.task not in (None, "detect"):
        return None
    why = f"output shapes {spell(features.outputs)}: boxes, scores and classes of finished detections"
    usual = len(features.names) or len(features.named.by_number) or COCO_CLASSES
    inputs = features.letterbox_inputs
    readings = [
        features.cards(NAME, TASK, usual, inputs, decode=how, settled=bool(features.names), why=why)
        for how in features.readings(*find_parts(shapes, whole))
    ]
    return match_of(
        readings,
        0.8,
        why,
        settled=bool(features.names),
        open_classes=not features.names,
        axes_open="columns" not in features.said,
    )
