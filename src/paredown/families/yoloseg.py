"""YOLO with instance masks: YOLOv5-seg, v8-seg, v11-seg, YOLO26-seg, as Ultralytics exports them.

Outputs: rows as in yolov8, yolov5 or end2end with M coefficients behind, and M prototypes (1, M, h, w), a
quarter of the input. A mask is where the prototypes, weighted by coefficients, are above 0 within its box:

    mask = sum_m c_m P_m > 0         (a sigmoid above 0.5)

Prototypes are brought to the image's size before they are cut off, as Ultralytics' `retina_masks` has it.
Source: Bolya et al., YOLACT, 2019, arXiv 1904.02689, section 3.1; Ultralytics, `utils/ops.py`,
process_mask_native.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np

from paredown.card import Card
from paredown.detections import Detections
from paredown.families.candidates import PLAIN, Candidates, best_of, read_candidates
from paredown.families.family import Match, match_of
from paredown.families.features import Features
from paredown.families.grids import grid_head
from paredown.families.head import chosen
from paredown.families.masks import mask_within
from paredown.families.outputs import spell
from paredown.families.planes import find_plane
from paredown.preprocessing.letterbox import Frame

NAME = "yoloseg"
TASK = "instances"
SUMMARY = "YOLOv5-seg, v8-seg, v11-seg: boxes with coefficients of mask prototypes"
FINE = (2, 4, 8)  # strides of prototypes
MOST_DETECTIONS = 1000
COCO_CLASSES = 80  # assumed of finished detections where nothing names the classes
HOW: Mapping[str, object] = {**PLAIN, "columns": "cx cy w h scores", "rows": 0, "prototypes": 1}


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> Candidates:
    """Every box with its scores and coefficients. card.decode: `rows`, `prototypes`: positions of outputs."""
    how = {**HOW, **card.decode}
    rows = np.asarray(list(outputs.values())[cast("int", how["rows"])][0], np.float32)
    rows = rows if how.get("transposed", True) else rows.T
    return read_candidates(rows, how, card.preprocess.size, least)


def decode(
    outputs: Mapping[str, Any], card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> Detections:
    """Detections with their masks; one whose mask holds no pixel is none, as in Ultralytics."""
    found = candidates(outputs, card, conf)
    if found.labels is None:
        said, rows = chosen(found, frame, conf=conf, iou=iou, max_detections=max_detections)
    else:
        said, rows = best_of(found, frame, conf=conf, max_detections=max_detections)
    assert found.coefficients is not None  # by the card's columns
    prototypes = np.asarray(list(outputs.values())[cast("int", card.decode["prototypes"])][0], np.float32)
    if found.coefficients.shape[1] != len(prototypes):
        prototypes = prototypes.transpose(2, 0, 1)
    maps = np.tensordot(found.coefficients[rows], prototypes, axes=1)
    masks = tuple(
        mask_within(m, box, frame, card.preprocess.size) for m, box in zip(maps, said.boxes, strict=True)
    )
    return replace(said, masks=masks).take(np.array([i for i, m in enumerate(masks) if m.area], np.int64))


def matches(features: Features) -> Match | None:
    """The match of rows with coefficients beside prototypes over the input."""
    if len(features.outputs) != 2 or features.task not in (None, "segment"):
        return None
    for rows, prototypes in ((0, 1), (1, 0)):
        plane = find_plane(features.outputs[prototypes].shape, features.size, FINE)
        if plane is None:
            continue
        usual = {**HOW, "rows": rows, "prototypes": prototypes}
        ways = _ways(replace(features, outputs=(features.outputs[rows],)), usual, plane.channels)
        why = f"outputs {spell(features.outputs)}: boxes with coefficients of {plane.channels} prototypes"
        usual_count = len(features.named.by_number) or COCO_CLASSES
        readings = [
            features.cards(
                NAME, TASK, n_classes or usual_count, features.letterbox_inputs, decode=how, why=why
            )
            for way, width in ways
            for how, n_classes in features.row_readings(width, way)
        ]
        finished = any("class" in str(way["columns"]).split() for way, _ in ways)
        certainty = 1.0 if features.names else 0.8
        return match_of(readings, certainty, why, open_classes=finished and not features.names)
    return None


def _ways(
    alone: Features, usual: Mapping[str, object], n_masks: int
) -> list[tuple[Mapping[str, object], int]]:
    """The ways of reading the rows, each with how many columns they have."""
    alone, more = replace(alone, task=None), f"coefficients*{n_masks}"
    shape = alone.outputs[0].shape
    for columns_first in (True, False):
        head = grid_head(alone, least=5 + n_masks, columns_first=columns_first)
        if head is not None:
            how = {**usual, "columns": f"cx cy w h scores {more}", "transposed": not columns_first}
            return [(how, head.columns)]
    head = grid_head(alone, anchors=3, least=6 + n_masks)
    if head is not None and len(head.strides) > 1:
        return [({**usual, "columns": f"cx cy w h objectness scores {more}"}, head.columns)]
    if len(shape) == 3 and shape[2] == 6 + n_masks and shape[1] is not None and shape[1] <= MOST_DETECTIONS:
        return [({**usual, "columns": f"x1 y1 x2 y2 score class {more}", "first_class": 0}, shape[2])]
    return []
