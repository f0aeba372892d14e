"""Anchor-free YOLO with one output: YOLOv8, v9, v11, v12 and their kin, as Ultralytics exports them.

Output (1, 4 + C, N), or transposed (1, N, 4 + C): centre x, centre y, width, height in input pixels, then C
class scores after the sigmoid; no objectness. N: cells of all grids.
Source: Ultralytics, `ultralytics/nn/modules/head.py`, class Detect.
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

NAME = "yolov8"
TASK: Task = "detect"
SUMMARY = "YOLOv8, v9, v11, v12: one output of boxes and class scores, no objectness"


def decode(
    outputs: Mapping[str, Any], card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> Detections:
    """Detections of one image from the model's answer."""
    (answer,) = outputs.values()
    rows = np.asarray(answer[0], np.float32)
    if not card.decode.get("transposed", False):
        rows = rows.T
    boxes = centre_to_corners(rows[:, :4])
    return select(boxes, rows[:, 4:], frame, conf=conf, iou=iou, max_detections=max_detections)


def matches(clues: Clues) -> Match | None:
    """The match where the one output's boxes are as many as cells in the usual grids."""
    if len(clues.outputs) != 1 or clues.task not in (None, "detect"):
        return None
    output = clues.outputs[0]
    # The raw answer of other families has the transposed shape too, and theirs may hold an Exp (YOLOX).
    if len(output.shape) != 3 or not output.computes or "Exp" in output.tail:
        return None
    _, a, b = output.shape
    for transposed, channels, count in ((False, a, b), (True, b, a)):
        strides = strides_for(count, clues.size)
        if channels is None or channels < 5 or strides is None or (transposed and output.parts == 3):
            continue
        n_classes = channels - 4
        why = f"output shape {spell([output])}: 4 + {n_classes} channels for the cells of strides {strides}"
        unsure = transposed and output.parts != 2
        named = len(clues.names) == n_classes
        decode_how = {"transposed": True} if transposed else {}
        cards = clues.cards(NAME, TASK, n_classes, clues.letterbox_inputs, decode=decode_how, why=why)
        return Match(cards, 1.0 if named else 0.5 if unsure else 0.8, why)
    return None
