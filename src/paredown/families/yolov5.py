"""Anchor-based YOLO with one decoded output: YOLOv5, v7 and Ultralytics' YOLOv3.

Output (1, N, 5 + C): centre x, centre y, width, height in input pixels, objectness, then C class scores, all
after the sigmoid; score = objectness * class score. N: three anchors for each cell of all grids.
Source: Ultralytics, `yolov5/models/yolo.py`, class Detect.
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

NAME = "yolov5"
TASK = "detect"
SUMMARY = "YOLOv5, v7: three anchors per cell, boxes decoded, objectness"
HOW: Mapping[str, object] = {"columns": "cx cy w h objectness scores", **PLAIN}


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> Candidates:
    """Every box with its scores, perhaps without those below `least`. card.decode: see candidates.py."""
    (answer,) = outputs.values()
    return read_candidates(
        np.asarray(answer[0], np.float32), {**HOW, **card.decode}, card.preprocess.size, least
    )


def decode(
    outputs: Mapping[str, Any], card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> Detections:
    """Detections of one image from the model's answer."""
    found = candidates(outputs, card, conf)
    return select(found.boxes, found.scores, frame, conf=conf, iou=iou, max_detections=max_detections)


def matches(features: Features) -> Match | None:
    """The match where there are three boxes per cell and no Exp: sizes come from a squared sigmoid."""
    if len(features.outputs) != 1 or features.task not in (None, "detect"):
        return None
    output = features.outputs[0]
    if len(output.shape) != 3 or not output.computes or "Exp" in output.tail:
        return None
    _, count, channels = output.shape
    strides = strides_for(count, features.size, per_cell=3)
    if channels is None or channels < 6 or strides is None or len(strides) == 1:
        return None
    where = f"3 anchors in each cell of strides {strides}"
    why = f"output shape {spell([output])}: {channels} values for {where}"
    readings = [
        features.cards(NAME, TASK, n_classes or 0, features.letterbox_inputs, decode=how, why=why)
        for how, n_classes in features.row_readings(channels, HOW, {**HOW, "units": "fractions"})
    ]
    named = bool(readings) and readings[0][0].origin["classes"] == "metadata"
    if count is None and not named:
        return None
    return match_of(readings, 1.0 if named else 0.8, why)
