"""YOLOv6: anchor-free, decoded, with an objectness that is always one.

Output (1, N, 5 + C): centre x, centre y, width, height in input pixels, 1, then C class scores after the
sigmoid. N: cells of all grids.
Source: Li et al., YOLOv6, 2022, arXiv 2209.02976; `yolov6/models/effidehead.py`, class Detect.
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

NAME = "yolov6"
TASK: Task = "detect"
SUMMARY = "YOLOv6: one decoded box per cell, objectness always one"


def decode(
    outputs: Mapping[str, Any], card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> Detections:
    """Detections of one image from the model's answer."""
    (answer,) = outputs.values()
    rows = np.asarray(answer[0], np.float32)
    scores = rows[:, 5:] * rows[:, 4:5]
    boxes = centre_to_corners(rows[:, :4])
    return select(boxes, scores, frame, conf=conf, iou=iou, max_detections=max_detections)


def matches(clues: Clues) -> Match | None:
    """The match where each cell has one decoded box and box, objectness and classes are joined at the end."""
    if len(clues.outputs) != 1 or clues.task not in (None, "detect"):
        return None
    output = clues.outputs[0]
    if len(output.shape) != 3 or not output.computes or "Exp" in output.tail or output.parts == 2:
        return None
    _, count, channels = output.shape
    strides = strides_for(count, clues.size)
    if count is None or channels is None or channels < 6 or strides is None:
        return None
    n_classes = channels - 5
    why = f"output shape {spell([output])}: 5 + {n_classes} decoded values in each cell of strides {strides}"
    cards = clues.cards(NAME, TASK, n_classes, clues.letterbox_inputs, why=why)
    return Match(cards, 0.8 if output.parts == 3 else 0.5, why)
