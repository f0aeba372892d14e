"""Anchor-based YOLO with one decoded output: YOLOv5, v7 and Ultralytics' YOLOv3.

Output (1, N, 5 + C): centre x, centre y, width, height in input pixels, objectness, then C class scores, all
after the sigmoid; score = objectness * class score. N: three anchors for each cell of all grids.
Source: Ultralytics, `yolov5/models/yolo.py`, class Detect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.card import Card, Task
from paredown.detections import Detections
from paredown.families.boxes import centre_to_corners, select
from paredown.families.clues import Clues, Match, spell, strides_for
from paredown.families.preprocess import Frame

NAME = "yolov5"
TASK: Task = "detect"
SUMMARY = "YOLOv5, v7: three anchors per cell, boxes decoded, objectness"


def decode(
    outputs: Mapping[str, Any], card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> Detections:
    """Detections of one image from the model's answer."""
    (answer,) = outputs.values()
    rows = np.asarray(answer[0], np.float32)
    rows = rows[rows[:, 4] >= conf]  # a score is never above its objectness
    scores = rows[:, 5:] * rows[:, 4:5]
    boxes = centre_to_corners(rows[:, :4])
    return select(boxes, scores, frame, conf=conf, iou=iou, max_detections=max_detections)


def matches(clues: Clues) -> Match | None:
    """The match where there are three boxes per cell and no Exp: sizes come from a squared sigmoid."""
    if len(clues.outputs) != 1 or clues.task not in (None, "detect"):
        return None
    output = clues.outputs[0]
    if len(output.shape) != 3 or not output.computes or "Exp" in output.tail:
        return None
    _, count, channels = output.shape
    strides = strides_for(count, clues.size, per_cell=3)
    if channels is None or channels < 6 or strides is None or len(strides) == 1:
        return None
    n_classes = channels - 5
    named = len(clues.names) == n_classes
    if count is None and not named:
        return None
    where = f"3 anchors in each cell of strides {strides}"
    why = f"output shape {spell([output])}: 5 + {n_classes} values for {where}"
    cards = clues.cards(NAME, TASK, n_classes, clues.letterbox_inputs, why=why)
    return Match(cards, 1.0 if named else 0.8, why)
