"""BlazeFace and MediaPipe's other detectors (palms, persons): boxes and key points beside fixed points.

Outputs boxes (1, N, 4 + 2 P) and scores (1, N, 1) before their sigmoid, in any order. Each row belongs to the
middle (x_a, y_a) of a cell, in pixels of the input; the same cell has several rows, and anchors have no size:

    cx = x_a + p_x    cy = y_a + p_y    w = p_w    h = p_h    key point = (x_a, y_a) + (k_x, k_y)

Grids have rows as `GRIDS` says, of which the number of rows tells one. Key points are read over.
Sources: Bazarevsky et al., BlazeFace, 2019, arXiv 1907.05047; google-ai-edge/mediapipe,
`calculators/tflite/ssd_anchors_calculator.cc` and `modules/*_detection/*.pbtxt` (fixed_anchor_size).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np

from paredown.card import Card
from paredown.families.boxes import centre_to_corners, grid_cells, grid_shape, sigmoid
from paredown.families.candidates import Candidates
from paredown.families.family import Match
from paredown.families.features import Features
from paredown.families.head import with_nms
from paredown.families.outputs import spell

NAME = "blazeface"
TASK = "detect"
SUMMARY = "BlazeFace, MediaPipe's palms and persons: boxes beside fixed anchor points"
GRIDS = (((8, 2), (16, 6)), ((16, 2), (32, 6)), ((8, 2), (16, 2), (32, 6)), ((4, 1),))
"""(stride, rows of each cell): faces nearby and palms; faces far away; persons; faces of the full range."""
FACE, PALM, PERSON = 16, 18, 12  # columns: a box with six, seven, four key points


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> Candidates:
    """Every row's box with its score. card.decode: `boxes`, `scores` give the outputs' positions; `strides`
    and `per_cell` the grids and the rows of each of their cells; `activated`: the scores are 0..1 already."""
    how, size = card.decode, card.preprocess.size
    answers = [np.asarray(a, np.float32) for a in outputs.values()]
    rows = answers[cast("int", how["boxes"])][0]
    scores = answers[cast("int", how["scores"])].reshape(-1, 1)
    points = []
    pairs = zip(cast("Sequence[int]", how["strides"]), cast("Sequence[int]", how["per_cell"]), strict=True)
    for stride, n in pairs:
        cells, _ = grid_cells(size, [stride])
        points.append(np.repeat((cells + 0.5) * stride, n, axis=0))
    boxes = np.concatenate([rows[:, :2] + np.concatenate(points), rows[:, 2:4]], axis=1)
    return Candidates(centre_to_corners(boxes), scores if how["activated"] else sigmoid(scores))


decode = partial(with_nms, candidates)


def matches(features: Features) -> Match | None:
    """The match of a box with key points and of one score for each row of known grids, without arithmetic."""
    if len(features.outputs) != 2 or features.task not in (None, "detect"):
        return None
    for boxes, scores in ((0, 1), (1, 0)):
        where, what = features.outputs[boxes], features.outputs[scores]
        if len(where.shape) != 3 or len(what.shape) != 3 or where.computes or what.shape[2] != 1:
            continue
        _, rows, columns = where.shape
        grids = [g for g in GRIDS if _rows_of(g, features.size) == rows]
        if what.shape[1] != rows or columns not in (FACE, PALM, PERSON) or len(grids) != 1:
            continue
        strides, per_cell = zip(*grids[0], strict=True)
        how = {"boxes": boxes, "scores": scores, "strides": strides, "per_cell": per_cell,
               "activated": "Sigmoid" in what.tail}  # fmt: skip
        why = (
            f"outputs {spell([where, what])}: a box with {(columns - 4) // 2} key points and a score beside "
        )
        why += f"{rows} points of strides {strides}"
        (said,) = features.readings(how)
        usual = _UNIT if columns == PALM else _BOTH_SIGNS
        inputs = [{**usual, "pad": 0.0}, {**usual, "pad": 0.0, "fit": "stretch"}]
        return Match(features.cards(NAME, TASK, 1, inputs, iou=0.3, decode=said, why=why), 0.8, why)
    return None


def _rows_of(grids: Sequence[tuple[int, int]], size: tuple[int, int]) -> int:
    """How many rows grids of those strides have together."""
    return sum(int(np.prod(grid_shape(size, stride))) * n for stride, n in grids)


_UNIT: Mapping[str, Any] = {}
_BOTH_SIGNS: Mapping[str, Any] = {"scale": 1.0, "mean": (127.5,) * 3, "std": (127.5,) * 3}
