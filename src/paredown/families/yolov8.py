"""Anchor-free YOLO with one output: YOLOv8, v9, v11, v12 and their kin, as Ultralytics exports them.

Output (1, 4 + C, N), or transposed (1, N, 4 + C): centre x, centre y, width, height in input pixels, then C
class scores after the sigmoid; no objectness. N: cells of all grids.
Source: Ultralytics, `ultralytics/nn/modules/head.py`, class Detect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.card import Card
from paredown.detections import Detections
from paredown.families.boxes import select
from paredown.families.candidates import PLAIN, Candidates, read_candidates
from paredown.families.features import Features, Match, match_of, spell, strides_for
from paredown.preprocessing.letterbox import Frame

NAME = "yolov8"
TASK = "detect"
SUMMARY = "YOLOv8, v9, v11, v12: one output of boxes and class scores, no objectness"
HOW: Mapping[str, object] = {"columns": "cx cy w h scores", **PLAIN, "transposed": False}
EXTRA: Mapping[str, str] = {"pose": "keypoints", "obb": "angle"}  # by the task: what stands behind the scores


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> Candidates:
    """Every box with its scores, perhaps without those below `least`. card.decode: see candidates.py."""
    (answer,) = outputs.values()
    how = {**HOW, **card.decode}
    rows = np.asarray(answer[0], np.float32)
    return read_candidates(rows if how["transposed"] else rows.T, how, card.preprocess.size, least)


def decode(
    outputs: Mapping[str, Any], card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> Detections:
    """Detections of one image from the model's answer."""
    found = candidates(outputs, card, conf)
    return select(found.boxes, found.scores, frame, conf=conf, iou=iou, max_detections=max_detections)


def matches(features: Features) -> Match | None:
    """The match where the one output's boxes are as many as cells in the usual grids."""
    if len(features.outputs) != 1 or features.task not in (None, "detect", *EXTRA):
        return None
    if features.task in EXTRA and not features.names and "columns" not in features.said:
        return None  # how many of the columns are scores, nothing tells
    output = features.outputs[0]
    # The raw answer of other families has the transposed shape too, and theirs may hold an Exp (YOLOX).
    if len(output.shape) != 3 or not output.computes or "Exp" in output.tail:
        return None
    _, a, b = output.shape
    for transposed, channels, count in ((False, a, b), (True, b, a)):
        strides = strides_for(count, features.size)
        if channels is None or channels < 5 or strides is None or (transposed and output.parts == 3):
            continue
        how = {**HOW, "columns": _columns(features), "transposed": transposed}
        why = f"output shape {spell([output])}: {channels} channels for the cells of strides {strides}"
        readings = [
            features.cards(NAME, TASK, n_classes or 0, features.letterbox_inputs, decode=reading, why=why)
            for reading, n_classes in features.row_readings(channels, how, {**how, "units": "fractions"})
        ]
        if readings:
            unsure = transposed and output.parts != 2
            named = readings[0][0].origin["classes"] == "metadata"
            return match_of(readings, 1.0 if named else 0.5 if unsure else 0.8, why)
    return None


def _columns(features: Features) -> str:
    """By the metadata's task, for as many classes as it names."""
    behind = EXTRA.get(features.task or "")
    return str(HOW["columns"]) if behind is None else f"cx cy w h scores*{len(features.names)} {behind}"
