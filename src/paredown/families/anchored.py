"""Detectors whose graph ends before its prior boxes: SSD, SSDLite, RetinaFace, RetinaNet, EfficientDet.

Outputs: changes of the priors (1, N, 4) and scores (1, N, C); or for each grid (1, h, w, A * 4) and
(1, h, w, A * C), channels first or last. With a prior (x_a, y_a, w_a, h_a) and variances v, u:

    x = x_a + v t_x w_a      w = w_a exp(u t_w)      y and h in the same way

The priors follow from the input's size by the rules in priors.py; how many there are tells which.
Sources: Liu et al., SSD, 2016, arXiv 1512.02325, eq. 2; TensorFlow's Object Detection API,
`box_coders/faster_rcnn_box_coder.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np

from paredown.card import Card
from paredown.errors import CardError
from paredown.families.boxes import Floats, centre_to_corners
from paredown.families.candidates import Candidates, class_scores
from paredown.families.family import Match, match_of
from paredown.families.features import Features
from paredown.families.head import with_nms
from paredown.families.outputs import Output, spell
from paredown.families.planes import find_plane
from paredown.families.priors import PRIORS, PYRAMID
from paredown.preprocessing.values import IMAGENET_MEAN, IMAGENET_STD

NAME = "anchored"
TASK = "detect"
SUMMARY = "SSD, RetinaFace, RetinaNet, EfficientDet before their priors are applied"
_SSD: Mapping[str, object] = {
    "columns": "cx cy w h",
    "variances": (0.1, 0.2),
    "activation": "softmax",
    "background": "first",
}
_FOCAL: Mapping[str, object] = {
    "columns": "cx cy w h",
    "variances": (1.0, 1.0),
    "activation": "sigmoid",
    "background": "none",
}
USUAL: Mapping[str, Mapping[str, object]] = {
    "tensorflow": {**_SSD, "columns": "cy cx h w", "activation": "sigmoid"},
    "torchvision": _SSD,
    "pytorch-ssd": _SSD,
    "ssd300": _SSD,
    "ssd300-coco": _SSD,
    "retinaface": _SSD,
    "retinanet": _FOCAL,
    "retinanet-torchvision": _FOCAL,
    "efficientdet": {**_FOCAL, "columns": "cy cx h w"},
}
"""What goes with the priors of each rule."""


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> Candidates:
    """Every prior's box with its scores.

    card.decode: `boxes`, `scores` give the outputs' positions, grid by grid; `priors`, `columns` (the order
    of the changes), `variances` of centre and size; the rest as in candidates.py.
    """
    how, answers = card.decode, [np.asarray(a, np.float32) for a in outputs.values()]
    size = card.preprocess.size
    places = {key: cast("Sequence[int]", how[key]) for key in ("boxes", "scores")}
    changes = np.concatenate([_rows(answers[i], 4, size) for i in places["boxes"]])
    n_scores = len(card.classes) + (how["background"] != "none")
    values = np.concatenate([_rows(answers[i], n_scores, size) for i in places["scores"]])
    order = str(how["columns"]).split()
    x, y, w, h = (changes[:, order.index(word)] for word in ("cx", "cy", "w", "h"))
    near, far = cast("Sequence[float]", how["variances"])
    prior = PRIORS[str(how["priors"])](size)
    boxes = np.stack(
        [
            prior[:, 0] + near * x * prior[:, 2],
            prior[:, 1] + near * y * prior[:, 3],
            prior[:, 2] * np.exp(np.minimum(far * w, 20)),
            prior[:, 3] * np.exp(np.minimum(far * h, 20)),
        ],
        axis=1,
    )
    return Candidates(centre_to_corners(boxes), class_scores(values, how))


decode = partial(with_nms, candidates)


@dataclass(frozen=True)
class Heads:
    """Where the changes and the scores of N priors stand; `width`: scores of each prior."""

    boxes: tuple[int, ...]
    scores: tuple[int, ...]
    rows: int
    width: int


def matches(features: Features) -> Match | None:
    """The match of changes and scores of as many priors as one rule gives for the input.

    Raises CardError where the card names no rule of ours, or one that gives another number.
    """
    heads = find_heads(features)
    if heads is None:
        return None
    rules = rules_for(heads.rows, features.size)
    said = features.said.get("priors")
    if said is not None and said not in rules:
        raise CardError(
            "decode.priors does not fit the model",
            got=f"{said!r}, and {heads.rows} rows at {features.size[1]}x{features.size[0]}",
            expected=" or ".join(map(repr, rules)) or "no known rule gives so many",
        )
    rules = rules if said is None else [str(said)]
    if len(rules) != 1:
        return None  # none, or two of which nothing tells
    activated = any({"Sigmoid", "Softmax"} & features.outputs[i].tail for i in heads.scores)
    usual = {"boxes": heads.boxes, "scores": heads.scores, "priors": rules[0], **USUAL[rules[0]]}
    usual = {**usual, "activation": "none"} if activated else usual
    why = f"outputs {spell(features.outputs)}: changes of the {heads.rows} priors of the rule {rules[0]!r}"
    readings = [
        features.cards(NAME, TASK, n_classes, _INPUTS, iou=0.5, decode=how, settled=False, why=why)
        for how in features.readings(usual)
        if (n_classes := heads.width - (how["background"] != "none")) > 0
    ]
    return match_of(readings, 0.8, why, settled=False)


def find_heads(features: Features) -> Heads | None:
    """The outputs as changes and scores, without arithmetic behind the weights; None of any other."""
    if features.task not in (None, "detect") or any(o.computes for o in features.outputs):
        return None
    return _lists(features.outputs, features.said) or _grids(features.outputs, features.size)


def undecided(features: Features) -> str:
    """What the outputs look like, in words, where more than one rule gives so many priors, or where both of
    two lists have four columns; else ""."""
    heads = find_heads(features)
    if heads is None and _both_of_four(features):
        return (
            f"like changes of {features.outputs[0].shape[1]} priors and four scores of each, and nothing "
            "tells which are which: `boxes = [0]` and `scores = [1]`, or the other way round, under [decode] "
            "of a card.toml do"
        )
    rules = [] if heads is None else rules_for(heads.rows, features.size)
    if heads is None or len(rules) < 2:
        return ""
    which = " or ".join(repr(rule) for rule in rules)
    return (
        f"like changes of {heads.rows} priors, and `priors` under [decode] of a card.toml says whose: {which}"
    )


def _both_of_four(features: Features) -> bool:
    """Whether the outputs are two lists of four columns each, for as many priors as some rule gives."""
    shapes = [o.shape for o in features.outputs]
    alike = len(shapes) == 2 and shapes[0] == shapes[1] and len(shapes[0]) == 3 and shapes[0][2] == 4
    plain = features.task in (None, "detect") and not any(o.computes for o in features.outputs)
    return alike and plain and bool(rules_for(shapes[0][1] or 0, features.size))


def rules_for(rows: int, size: tuple[int, int]) -> list[str]:
    """The rules that give so many priors for an input of that size."""
    return [name for name, rule in PRIORS.items() if len(rule(size)) == rows]


def _lists(outputs: Sequence[Output], said: Mapping[str, object]) -> Heads | None:
    """One list of changes and one of scores, by their width, by an activation, or as the card says; a third
    of key points is read over."""
    shapes = [o.shape for o in outputs]
    if any(len(s) != 3 or None in s for s in shapes) or len({s[1] for s in shapes}) != 1:
        return None
    active = [i for i, o in enumerate(outputs) if {"Sigmoid", "Softmax"} & o.tail]
    boxes = [i for i, s in enumerate(shapes) if s[2] == 4]
    if len(boxes) == 2:
        boxes = [i for i in boxes if [i] == said.get("boxes") or (i not in active and active)]
    rest = [i for i in range(len(shapes)) if i not in boxes]
    scores = [i for i in rest if i in active] or rest
    if len(boxes) != 1 or len(scores) != 1:
        return None
    return Heads((boxes[0],), (scores[0],), shapes[0][1] or 0, shapes[scores[0]][2] or 0)


def _grids(outputs: Sequence[Output], size: tuple[int, int]) -> Heads | None:
    """A plane of changes and one of scores for each stride."""
    planes = [find_plane(o.shape, size, PYRAMID) for o in outputs]
    by_stride: dict[int, dict[int, int]] = {}  # stride -> channels -> position
    for i, plane in enumerate(planes):
        if plane is None:
            return None
        by_stride.setdefault(plane.stride, {})[plane.channels] = i
    pairs = [by_stride[s] for s in sorted(by_stride)]
    kinds = {tuple(sorted(pair)) for pair in pairs}
    if len(kinds) != 1 or 2 * len(pairs) != len(outputs):
        return None
    (both,) = kinds
    if len(both) != 2:
        return None  # as many channels of scores as of changes: nothing tells which are which
    cells = sum(-(-size[0] // s) * -(-size[1] // s) for s in by_stride)
    for changes, values in (both, both[::-1]):
        anchors = changes // 4
        if changes % 4 == 0 and values % anchors == 0 and rules_for(cells * anchors, size):
            where = tuple(p[changes] for p in pairs), tuple(p[values] for p in pairs)
            return Heads(*where, cells * anchors, values // anchors)
    return None


def _rows(answer: Floats, width: int, size: tuple[int, int]) -> Floats:
    """(n, width) of a list or of a plane, row by row and cell by cell."""
    plane = find_plane(answer.shape, size, PYRAMID)
    if plane is not None and not plane.channels_last:
        answer = answer.transpose(0, 2, 3, 1)
    return answer.reshape(-1, width)


_HALF: dict[str, Any] = {"scale": 1.0, "mean": (127.5,) * 3, "std": (127.5,) * 3}
_IMAGENET: dict[str, Any] = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
_CAFFE: dict[str, Any] = {"scale": 1.0, "colour": "bgr", "mean": (104.0, 117.0, 123.0)}
_INPUTS: tuple[dict[str, Any], ...] = (
    {"fit": "stretch", **_HALF},
    {"fit": "stretch", **_CAFFE},
    {"fit": "letterbox-corner", "pad": 0.0, **_IMAGENET},  # EfficientDet
    {"fit": "stretch", **_IMAGENET},
    {"fit": "stretch"},
    {"fit": "stretch", "scale": 1.0},
)
