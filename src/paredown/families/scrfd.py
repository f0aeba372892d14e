"""SCRFD: faces by distances from the corners of cells, two boxes in each, perhaps five key points.

Outputs for each stride: scores (n, 1) after the sigmoid, distances to the left, top, right and bottom side
(n, 4) in cells, and offsets of the key points (n, 10), which are read over. n: two boxes for each cell.
Source: Guo et al., Sample and Computation Redistribution for Efficient Face Detection, 2021, arXiv
2105.04714; deepinsight/insightface, `detection/scrfd/tools/scrfd.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np

from paredown.card import Card
from paredown.families.boxes import distances_to_corners, grid_cells, sigmoid
from paredown.families.candidates import Candidates
from paredown.families.family import Match
from paredown.families.features import Features
from paredown.families.head import with_nms
from paredown.families.levels import find_levels

NAME = "scrfd"
TASK = "detect"
SUMMARY = "SCRFD: face boxes as distances, two in each cell"
PER_CELL = 2


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> Candidates:
    """Every box with its score. card.decode: `scores`, `boxes`: positions of the outputs, finest grid first;
    `strides`; `activated`: the scores are after the sigmoid."""
    how = {key: cast("Sequence[int]", card.decode[key]) for key in ("scores", "boxes", "strides")}
    answers = [np.asarray(a, np.float32) for a in outputs.values()]
    scores = np.concatenate([answers[i].reshape(-1, 1) for i in how["scores"]])
    distances = np.concatenate([answers[i].reshape(-1, 4) for i in how["boxes"]])
    cells, strides = (
        np.repeat(a, PER_CELL, axis=0) for a in grid_cells(card.preprocess.size, how["strides"])
    )
    boxes = distances_to_corners(cells, distances) * strides
    return Candidates(boxes, scores if card.decode["activated"] else sigmoid(scores))


decode = partial(with_nms, candidates)


def matches(features: Features) -> Match | None:
    """The match of one score and four distances of two boxes in each cell, without arithmetic."""
    if features.task not in (None, "detect") or any(o.computes for o in features.outputs):
        return None
    levels = find_levels(features, PER_CELL, (1, 4)) or find_levels(features, PER_CELL, (1, 4, 10))
    if levels is None:
        return None
    (scores,), (boxes,) = levels.places[1], levels.places[4]
    activated = all("Sigmoid" in features.outputs[i].tail for i in scores)
    how = {"scores": scores, "boxes": boxes, "strides": levels.strides, "activated": activated}
    why = f"{len(features.outputs)} outputs: a score and four distances of two boxes in each cell of strides "
    why += f"{levels.strides}"
    own = {"fit": "letterbox-corner", "pad": 0.0, "scale": 1.0, "mean": (127.5,) * 3, "std": (128.0,) * 3}
    inputs = [own, {**own, "colour": "bgr"}]
    return Match(features.cards(NAME, TASK, 1, inputs, iou=0.4, decode=how, why=why), 0.8, why)
