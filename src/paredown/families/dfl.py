"""Anchor-free YOLO before its decode (YOLOv8, v11, PP-YOLOE): class scores and bins of distances by grid.

Outputs for each stride, channels first or last, in any order:

    bins      4 B channels   for each side of the box a distribution over 0 .. B - 1 cells; its softmax's mean
                             is how far the side is from the middle of the cell
    scores    C channels     of the classes, after the sigmoid or before it
    (sums)    1 channel      of the scores, which exports for Rockchip's NPU add; read over

or one output for each stride with the bins and then the scores. So NPU converters want YOLO: what lies behind
the last convolutions is left to the CPU.
Sources: Li et al., Generalized Focal Loss, 2020, arXiv 2006.04388, eq. 5; Ultralytics, `nn/modules/head.py`,
class Detect; airockchip/rknn_model_zoo, `examples/yolov8`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np

from paredown.card import Card
from paredown.families.boxes import (
    Floats,
    distances_to_corners,
    expected_distances,
    grid_cells,
    sigmoid,
)
from paredown.families.candidates import Candidates
from paredown.families.family import Match
from paredown.families.features import Features
from paredown.families.head import with_nms
from paredown.families.outputs import spell
from paredown.families.planes import Plane, find_plane, find_planes

NAME = "dfl"
TASK = "detect"
SUMMARY = "YOLOv8, v11, PP-YOLOE before their decode: scores and bins of distances"
SIDES = (64, 68, 32)  # channels of bins: 16 to a side in YOLOv8 to v12, 17 in PP-YOLOE and YOLOv6, 8


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> Candidates:
    """Every cell's box with its scores, without those that do not reach `least`.

    card.decode: `boxes`, `scores` give the outputs' positions, finest grid first, the same ones where one
    output holds both; `bins`: to a side; `activated`: the scores are after the sigmoid.
    """
    how, size = card.decode, card.preprocess.size
    answers = [np.asarray(a, np.float32) for a in outputs.values()]
    where = {key: cast("Sequence[int]", how[key]) for key in ("boxes", "scores", "strides")}
    width = 4 * cast("int", how["bins"])
    bins = np.concatenate([_rows(answers[i], size)[:, :width] for i in where["boxes"]])
    behind = width if where["boxes"] == where["scores"] else 0
    scores = np.concatenate([_rows(answers[i], size)[:, behind:] for i in where["scores"]])
    scores = scores if how["activated"] else sigmoid(scores)
    likely = ~(scores.max(axis=1) < least)  # what is no number stays, to be noticed
    cells, strides = grid_cells(size, where["strides"])
    points = cells[likely] + 0.5
    boxes = distances_to_corners(points, expected_distances(bins[likely])) * strides[likely]
    return Candidates(boxes, scores[likely])


decode = partial(with_nms, candidates)


@dataclass(frozen=True)
class Heads:
    """Positions of bins and scores, finest grid first; channels of the bins and of the scores."""

    boxes: tuple[int, ...]
    scores: tuple[int, ...]
    strides: tuple[int, ...]
    bins: int
    n_classes: int


def matches(features: Features) -> Match | None:
    """The match of bins and scores, together or apart, over each of two to four grids."""
    if features.task not in (None, "detect") or any(o.computes for o in features.outputs):
        return None
    heads = _find(features)
    if heads is None:
        return None
    activated = all("Sigmoid" in features.outputs[i].tail for i in heads.scores)
    how = {"boxes": heads.boxes, "scores": heads.scores, "strides": heads.strides, "bins": heads.bins // 4,
           "activated": activated}  # fmt: skip
    why = f"outputs {spell(features.outputs)}: {heads.n_classes} scores and 4 x {heads.bins // 4} bins for "
    why += f"each cell of strides {heads.strides}"
    (said,) = features.readings(how)
    cards = features.cards(NAME, TASK, heads.n_classes, features.letterbox_inputs, decode=said, why=why)
    return Match(cards, 0.8, why)


def _find(features: Features) -> Heads | None:
    planes = find_planes([o.shape for o in features.outputs], features.size)
    if planes is None:
        return None
    by_stride: dict[int, list[int]] = {}
    for i, plane in enumerate(planes):
        by_stride.setdefault(plane.stride, []).append(i)
    strides = tuple(sorted(by_stride))
    kinds = {tuple(sorted(planes[i].channels for i in by_stride[s])) for s in strides}
    if not 2 <= len(strides) <= 4 or len(kinds) != 1:
        return None
    pairs = [_roles(by_stride[s], planes, features) for s in strides]
    found = [pair for pair in pairs if pair is not None]
    if len(found) != len(strides):
        return None
    boxes, scores = tuple(p[0] for p in found), tuple(p[1] for p in found)
    joined = boxes == scores
    bins = SIDES[0] if joined else planes[boxes[0]].channels
    n_classes = planes[scores[0]].channels - (bins if joined else 0)
    return Heads(boxes, scores, strides, bins, n_classes) if n_classes > 0 else None


def _roles(own: Sequence[int], planes: Sequence[Plane], features: Features) -> tuple[int, int] | None:
    """Which of a grid's outputs hold the bins and the scores; None where they are something else."""
    if len(own) == 1:  # two convolutions side by side: one alone is a head with anchors
        output = features.outputs[own[0]]
        return (own[0], own[0]) if output.parts == 2 and planes[own[0]].channels > SIDES[0] else None
    channels = [planes[i].channels for i in own]
    if len(own) == 3:
        if 1 not in channels:
            return None
        own = [i for k, i in enumerate(own) if k != len(own) - 1 - channels[::-1].index(1)]
    if len(own) != 2:
        return None
    wide = [i for i in own if planes[i].channels in SIDES]
    if len(wide) == 2:
        plain = [i for i in wide if "Sigmoid" not in features.outputs[i].tail]
        wide = plain if len(plain) == 1 else []
    return (wide[0], next(i for i in own if i != wide[0])) if len(wide) == 1 else None


def _rows(answer: Floats, size: tuple[int, int]) -> Floats:
    """(h w, channels) of a plane, row by row."""
    plane = find_plane(answer.shape, size)
    if plane is not None and not plane.channels_last:
        answer = answer.transpose(0, 2, 3, 1)
    return answer.reshape(-1, answer.shape[-1])
