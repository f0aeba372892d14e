"""YOLOX: anchor-free with objectness, usually exported before the grid decode.

Output (1, N, 5 + C): raw x, y, w, h, then objectness and C class scores after the sigmoid;
x = (p_x + column) * stride, w = exp(p_w) * stride, in input pixels. N: cells of all grids.
Source: Ge et al., YOLOX, 2021, arXiv 2107.08430; `yolox/utils/demo_utils.py`, demo_postprocess.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np

from paredown.card import Card
from paredown.families.boxes import centre_to_corners, grid_cells
from paredown.families.candidates import Candidates
from paredown.families.family import Match
from paredown.families.features import Features
from paredown.families.grids import grid_head
from paredown.families.head import with_nms
from paredown.preprocessing.values import IMAGENET_MEAN, IMAGENET_STD

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


decode = partial(with_nms, candidates)


def matches(features: Features) -> Match | None:
    """The match where each cell has one box with objectness, raw or decoded through Exp."""
    head = grid_head(features)
    if head is None or head.rows is None or "Sigmoid" not in head.output.tail:
        return None
    decoded = "Exp" in head.output.tail
    # A Softmax goes over the classes of YOLOv2.
    if (head.output.computes and not decoded) or "Softmax" in head.output.tail:
        return None
    # Four grids without arithmetic are NanoDet-Plus where there is room for its bins.
    unsure = not decoded and head.output.parts != 3 and len(head.strides) == 4
    n_classes = head.columns - 5
    how = "decoded through Exp" if decoded else "boxes raw, without arithmetic"
    why = f"{head.says}: 5 + {n_classes} values in each cell of strides {head.strides}, {how}"
    default = {"fit": "letterbox-corner", "colour": "bgr", "scale": 1.0}
    imagenet = {"scale": 1 / 255, "mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    inputs = [default, {**default, "colour": "rgb"}, {**default, "colour": "rgb", **imagenet}]
    decode_how = {"decoded": decoded, "strides": head.strides}
    cards = features.cards(NAME, TASK, n_classes, inputs, decode=decode_how, why=why)
    return Match(cards, 0.5 if unsure else 0.8, why)
