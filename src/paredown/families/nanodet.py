"""NanoDet and NanoDet-Plus: class scores and, for each side of a box, a distribution over distances.

NanoDet: per grid one output of class scores (1, n, C) and one of bins (1, n, 4 * B), or both without the
batch axis. NanoDet-Plus: one output (1, N, C + 4 * B). A side's distance is the mean of the softmax over
its B bins, in cells. n: cells of one grid; N: of all.
Source: RangiLyu/nanodet, `nanodet/model/head/nanodet_head.py` and `nanodet_plus_head.py`;
Li et al., Generalized Focal Loss, 2020, arXiv 2006.04388.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np

from paredown.card import Card
from paredown.families.boxes import distances_to_corners, expected_distances, grid_cells, sigmoid
from paredown.families.candidates import Candidates
from paredown.families.family import Match
from paredown.families.features import Features
from paredown.families.grids import strides_for
from paredown.families.head import with_nms
from paredown.families.outputs import Output, spell
from paredown.preprocessing.values import IMAGENET_MEAN, IMAGENET_STD

NAME = "nanodet"
TASK = "detect"
SUMMARY = "NanoDet, NanoDet-Plus: class scores and distance distributions per grid"
USUAL_BINS = 8  # reg_max + 1 in every published configuration


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> Candidates:
    """Every box with its scores, without those that do not reach `least`.

    card.decode: `classes`, `boxes` give the outputs' positions, finest grid first; empty where one output
    holds both. `centred`: distances start from the middle of a cell, not from its corner.
    """
    answers = [np.asarray(a, np.float32) for a in outputs.values()]
    answers = [a.reshape(-1, a.shape[-1]) for a in answers]
    how = {key: cast("Sequence[int]", card.decode[key]) for key in ("classes", "boxes", "strides")}
    if how["classes"]:
        scores = np.concatenate([answers[i] for i in how["classes"]])
        bins = np.concatenate([answers[i] for i in how["boxes"]])
    else:
        scores, bins = np.split(answers[0], [len(card.classes)], axis=1)
    if not card.decode["activated"]:
        scores = sigmoid(scores)
    likely = ~(scores.max(axis=1) < least)  # what is no number stays, to be noticed
    cells, strides = grid_cells(card.preprocess.size, how["strides"])
    points = cells[likely] + (0.5 if card.decode["centred"] else 0.0)
    boxes = distances_to_corners(points, expected_distances(bins[likely])) * strides[likely]
    return Candidates(boxes, scores[likely])


decode = partial(with_nms, candidates)


def matches(features: Features) -> Match | None:
    """The match of either form: a pair of outputs per grid, or all in one without arithmetic."""
    if features.task not in (None, "detect"):
        return None
    return _match_joined(features) if len(features.outputs) == 1 else _match_pairs(features)


def _normalised(fit: str) -> list[dict[str, Any]]:
    """ImageNet's mean and deviation in pixels, channels in BGR order as the published weights have it."""
    mean, std = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)
    bgr = {"fit": fit, "pad": 0.0, "colour": "bgr", "scale": 1.0, "mean": mean, "std": std}
    other_fit = "stretch" if fit == "letterbox" else "letterbox"
    return [bgr, {**bgr, "fit": other_fit}, {**bgr, "colour": "rgb", "mean": mean[::-1], "std": std[::-1]}]


def _of_picodet() -> list[dict[str, Any]]:
    """PP-PicoDet has the same head on four grids: ImageNet's values in RGB order, images stretched.

    Source: PaddleDetection, `configs/picodet/_base_/picodet_416_reader.yml`.
    """
    rgb = {"fit": "stretch", "mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    return [rgb, *_normalised("stretch")]


def _match_joined(features: Features) -> Match | None:
    output = features.outputs[0]
    channels, n_bins = output.shape[-1], 4 * USUAL_BINS
    if len(output.shape) != 3 or output.computes or channels is None or channels <= n_bins:
        return None
    strides = strides_for(output.shape[1], features.size)
    if output.shape[1] is None or strides is None or output.parts == 3 == len(strides):
        return None
    n_classes = channels - n_bins
    why = (
        f"output shape {spell([output])}: {n_classes} scores and 4 x {USUAL_BINS} bins per cell of {strides}"
    )
    activated = "Sigmoid" in output.tail
    decode_how = {"classes": (), "boxes": (), "strides": strides, "activated": activated, "centred": False}
    cards = features.cards(NAME, TASK, n_classes, _normalised("stretch"), iou=0.6, decode=decode_how, why=why)
    return Match(cards, 0.8 if len(strides) == 4 else 0.5, why)


def _match_pairs(features: Features) -> Match | None:
    grids: dict[int, list[int]] = {}
    for position, output in enumerate(features.outputs):
        count = output.shape[-2] if len(output.shape) in (2, 3) else None
        if count is None or output.shape[-1] is None:
            return None
        grids.setdefault(count, []).append(position)
    counts = sorted(grids, reverse=True)
    strides = strides_for(sum(counts), features.size)
    if strides is None or len(strides) != len(counts) or any(len(pair) != 2 for pair in grids.values()):
        return None
    pairs = [_class_first(features.outputs, *grids[count]) for count in counts]
    classes, boxes = tuple(p[0] for p in pairs), tuple(p[1] for p in pairs)
    widths = {features.outputs[i].shape[-1] for i in classes}, {features.outputs[i].shape[-1] for i in boxes}
    if any(len(w) != 1 for w in widths):
        return None
    (n_classes,), (n_bins,) = widths
    if n_classes is None or n_bins is None or n_bins % 4 or n_bins < 8:
        return None
    activated = all("Sigmoid" in features.outputs[i].tail for i in classes)
    why = (
        f"{len(features.outputs)} outputs, for each of the strides {strides} {n_classes} class scores and "
        f"4 x {n_bins // 4} bins, sigmoid {'applied' if activated else 'left to do'}"
    )
    decode_how = {
        "classes": classes,
        "boxes": boxes,
        "strides": strides,
        "activated": activated,
        "centred": True,
    }
    inputs = _of_picodet() if len(strides) == 4 else _normalised("letterbox")
    cards = features.cards(NAME, TASK, n_classes, inputs, iou=0.6, decode=decode_how, why=why)
    return Match(cards, 0.8, why)


def _class_first(outputs: Sequence[Output], a: int, b: int) -> tuple[int, int]:
    """The pair as (classes, boxes): scores have a sigmoid, else boxes the usual number of bins."""
    sigmoids = ["Sigmoid" in outputs[i].tail for i in (a, b)]
    if sigmoids[0] != sigmoids[1]:
        return (a, b) if sigmoids[0] else (b, a)
    return (b, a) if outputs[a].shape[-1] == 4 * USUAL_BINS else (a, b)
