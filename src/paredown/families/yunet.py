"""YuNet: faces by centre and size in each cell, with an objectness, perhaps five key points.

Outputs for each stride: class score (1, n, 1), objectness (1, n, 1), both 0..1, box (1, n, 4), and offsets of
key points (1, n, 10), which are read over. In cell (i, j) of stride s:

    cx = (j + p_x) s    cy = (i + p_y) s    w = exp(p_w) s    h = exp(p_h) s
    score = sqrt(class * objectness)

Source: Wu, Peng, Yu, YuNet: A Tiny Millisecond-level Face Detector, 2023, doi 10.1007/s11633-023-1423-y;
OpenCV, `modules/objdetect/src/face_detect.cpp`, postProcess.
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
from paredown.families.head import with_nms
from paredown.families.levels import find_levels

NAME = "yunet"
TASK = "detect"
SUMMARY = "YuNet: a face box in each cell, class score times objectness"


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> Candidates:
    """Every box with its score. card.decode: `scores`, `objectness`, `boxes`: positions of the outputs,
    finest grid first; `strides`."""
    answers = [np.asarray(a, np.float32) for a in outputs.values()]
    how = {
        key: cast("Sequence[int]", card.decode[key]) for key in ("scores", "objectness", "boxes", "strides")
    }
    class_, objectness = (
        np.concatenate([answers[i].reshape(-1, 1) for i in how[k]]) for k in ("scores", "objectness")
    )
    rows = np.concatenate([answers[i].reshape(-1, 4) for i in how["boxes"]])
    cells, strides = grid_cells(card.preprocess.size, how["strides"])
    sides = np.exp(np.minimum(rows[:, 2:], 20))
    boxes = centre_to_corners(np.concatenate([rows[:, :2] + cells, sides], axis=1) * strides)
    return Candidates(boxes, np.sqrt(np.maximum(class_ * objectness, 0)))


decode = partial(with_nms, candidates)


def matches(features: Features) -> Match | None:
    """The match of two scores, a box and perhaps ten numbers of key points for each cell."""
    if features.task not in (None, "detect"):
        return None
    levels = find_levels(features, 1, (1, 1, 4, 10)) or find_levels(features, 1, (1, 1, 4))
    if levels is None:
        return None
    (first, second), (boxes,) = levels.places[1], levels.places[4]
    how = {"scores": first, "objectness": second, "boxes": boxes, "strides": levels.strides}
    why = f"{len(features.outputs)} outputs, for each cell of strides {levels.strides} two scores and a box"
    own = {"fit": "letterbox-corner", "pad": 0.0, "scale": 1.0, "colour": "bgr"}
    inputs = [own, {**own, "colour": "rgb"}]
    return Match(features.cards(NAME, TASK, 1, inputs, iou=0.3, decode=how, why=why), 0.8, why)
