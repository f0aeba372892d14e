"""Detectors that do NMS themselves or need none: YOLOv10, YOLO26, Ultralytics exports with `nms=True`.

Output (1, K, 6): x1, y1, x2, y2 in input pixels, score, class. K: most detections the model gives.
Source: Wang et al., YOLOv10, 2024, arXiv 2405.14458; Ultralytics, `ultralytics/nn/modules/head.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.card import Card, Task
from paredown.detections import Detections
from paredown.families.clues import Clues, Match, spell, strides_for
from paredown.families.preprocess import Frame

NAME = "end2end"
TASK: Task = "detect"
SUMMARY = "YOLOv10 and exports with NMS inside: finished boxes, scores and classes"
MOST_DETECTIONS = 1000


def decode(
    outputs: Mapping[str, Any], card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> Detections:
    """Detections of one image from the model's answer. `iou` has no part in it."""
    (answer,) = outputs.values()
    rows = np.asarray(answer[0], np.float32)
    rows = rows[(rows[:, 4] >= conf) & np.isfinite(rows).all(axis=1)]
    rows = rows[np.argsort(-rows[:, 4], kind="stable")[:max_detections]]
    classes = np.rint(rows[:, 5]).astype(np.int64)
    return Detections(frame.to_image(rows[:, :4]), rows[:, 4], classes)


def matches(clues: Clues) -> Match | None:
    """The match of one output with six values for each of at most a thousand detections."""
    if len(clues.outputs) != 1 or clues.task not in (None, "detect"):
        return None
    output = clues.outputs[0]
    if len(output.shape) != 3 or output.shape[2] != 6 or output.shape[1] is None:
        return None
    if output.shape[1] > MOST_DETECTIONS or strides_for(output.shape[1], clues.size) is not None:
        return None
    # The output does not say how many classes there are.
    n_classes = len(clues.names) or COCO_CLASSES
    why = f"output shape {spell([output])}: at most {output.shape[1]} finished detections of six values"
    cards = clues.cards(NAME, TASK, n_classes, clues.letterbox_inputs, why=why)
    return Match(cards, 1.0 if clues.names else 0.8, why, open_classes=not clues.names)


COCO_CLASSES = 80  # assumed where no metadata names the classes; a card.toml says otherwise
