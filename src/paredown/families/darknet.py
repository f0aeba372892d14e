"""Darknet's anchor-based YOLO, decoded: YOLOv3, v4, their tiny forms, Yolo-Fastest.

Output (1, N, 5 + C) as in YOLOv5, but widths and heights are anchor * exp(p), and images are stretched.
Source: Redmon and Farhadi, YOLOv3, 2018, arXiv 1804.02767, section 2.1.
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

NAME = "darknet"
TASK: Task = "detect"
SUMMARY = "Darknet YOLOv3, v4, tiny, Yolo-Fastest: anchors with exp, plain resize"


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
    """The match where there are three boxes per cell and sizes come from an Exp."""
    if len(clues.outputs) != 1 or clues.task not in (None, "detect"):
        return None
    output = clues.outputs[0]
    if len(output.shape) != 3 or "Exp" not in output.tail:
        return None
    _, count, channels = output.shape
    strides = strides_for(count, clues.size, per_cell=3)
    if count is None or channels is None or channels < 6 or strides is None or len(strides) == 1:
        return None
    n_classes = channels - 5
    where = f"3 anchors in each cell of strides {strides}, sizes through Exp"
    why = f"output shape {spell([output])}: 5 + {n_classes} values for {where}"
    stretch, letterbox = {"fit": "stretch"}, {"fit": "letterbox", "pad": 128.0}
    inputs: list[dict[str, Any]] = [stretch, letterbox, {**stretch, "colour": "bgr"}]
    return Match(clues.cards(NAME, TASK, n_classes, inputs, iou=0.45, why=why), 0.8, why)
