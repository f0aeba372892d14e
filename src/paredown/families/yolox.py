"""YOLOX: anchor-free with objectness, usually exported before the grid decode.

Output (1, N, 5 + C): raw x, y, w, h, then objectness and C class scores after the sigmoid;
x = (p_x + column) * stride, w = exp(p_w) * stride, in input pixels. N: cells of all grids.
Source: Ge et al., YOLOX, 2021, arXiv 2107.08430; `yolox/utils/demo_utils.py`, demo_postprocess.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from paredown.card import Card
from paredown.detections import Detections
from paredown.families.boxes import centre_to_corners, grid_cells, select
from paredown.families.candidates import Candidates
from paredown.families.features import Features, Match, spell, strides_for
from paredown.preprocessing.letterbox import Frame

NAME = "yolox"
TASK = "detect"
SUMMARY = "YOLOX: grid offsets or decoded boxes, objectness, pixels 0..255 as BGR"


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> Candidates:
    """Every box with its scores; those that cannot reach `least` may be left out.

    card.decode: `strides` of the grids in their order; `decoded`: the graph itself makes boxes of the grid.
    """
    (answer,) = outputs.values()
    rows = np.asarray(answer[0], np.float32)
    likely = rows[:, 4] >= least  # a score is never above its objectness
    rows = rows[likely]
    boxes = rows[:, :4]
    if not card.decode["decoded"]:
        cells, strides = grid_cells(card.preprocess.size, cast("Sequence[int]", card.decode["strides"]))
        cells, strides = cells[likely], strides[likely]
        boxes = np.concatenate([boxes[:, :2] + cells, np.exp(np.minimum(boxes[:, 2:], 20))], axis=1) * strides
    return Candidates(centre_to_corners(boxes), rows[:, 5:] * rows[:, 4:5])


def decode(
    outputs: Mapping[str, Any], card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> Detections:
    """Detections of one image from the model's answer."""
    found = candidates(outputs, card, conf)
    return select(found.boxes, found.scores, frame, conf=conf, iou=iou, max_detections=max_detections)


def matches(features: Features) -> Match | None:
    """The match where each cell has one box with objectness, raw or decoded through Exp."""
    if len(features.outputs) != 1 or features.task not in (None, "detect"):
        return None
    output = features.outputs[0]
    decoded = "Exp" in output.tail
    if len(output.shape) != 3 or "Sigmoid" not in output.tail or (output.computes and not decoded):
        return None
    if "Softmax" in output.tail:  # over the classes: YOLOv2
        return None
    _, count, channels = output.shape
    strides = strides_for(count, features.size)
    if count is None or channels is None or channels < 6 or strides is None:
        return None
    # Four grids without arithmetic are NanoDet-Plus where there is room for its bins.
    unsure = not decoded and output.parts != 3 and len(strides) == 4
    n_classes = channels - 5
    how = "decoded through Exp" if decoded else "boxes raw, without arithmetic"
    why = f"output shape {spell([output])}: 5 + {n_classes} values in each cell of strides {strides}, {how}"
    default = {"fit": "letterbox-corner", "colour": "bgr", "scale": 1.0}
    imagenet = {"scale": 1 / 255, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    inputs = [default, {**default, "colour": "rgb"}, {**default, "colour": "rgb", **imagenet}]
    decode_how = {"decoded": decoded, "strides": strides}
    cards = features.cards(NAME, TASK, n_classes, inputs, decode=decode_how, why=why)
    return Match(cards, 0.5 if unsure else 0.8, why)
