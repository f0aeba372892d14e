"""A grid of boxes that its card describes: YOLOv2 to v7 before their anchors are applied, FastestDet.

Outputs (1, A K, h, w), (1, h, w, A K), (1, A, K, h, w) or (1, A, h, w, K) for A anchors in each cell and K
columns for each: `columns` says what they are, as for rows (candidates.py). In cell (i, j) of stride s:

    cx = (j + centre(p_x)) s    cy = (i + centre(p_y)) s    w = extent(p_w)    h = extent(p_h)

    centre   "sigmoid" (YOLOv2, v3), "2*sigmoid-0.5" (v4, v5, v7), "tanh" (FastestDet), "none"
    extent   "exp" (YOLOv2, v3, v4): anchor exp(p), or s exp(p) where there are no anchors
             "squared" (v5, v7): anchor (2 sigmoid(p))^2;  "sigmoid" (FastestDet): of the whole input;  "none"

    score = objectness^a class^b    `powers` = [a, b]: 1 and 1 but for FastestDet, 0.6 and 0.4

`activated` says that the graph itself puts a sigmoid on every value (exports for NPUs), which is not done
twice then. That is seen in the graph, where the card does not say it. Nothing else of this can be seen from
outside: no model is taken for one of these unless its card says `columns`.
Sources: Redmon and Farhadi, YOLO9000, 2016, arXiv 1612.08242, section 2; YOLOv3, 2018, arXiv 1804.02767;
Ultralytics, `yolov5/models/yolo.py`, class Detect; dog-qiuqiu/FastestDet, `utils/tool.py`, handle_preds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np

from paredown.card import Card
from paredown.errors import CardError, UnknownName
from paredown.families.boxes import Floats, centre_to_corners, sigmoid
from paredown.families.candidates import Candidates, box_form, class_count, class_scores, spread
from paredown.families.family import Match
from paredown.families.features import Features
from paredown.families.head import with_nms
from paredown.families.outputs import spell
from paredown.families.planes import Plane, find_plane

NAME = "grid"
TASK = "detect"
SUMMARY = "a grid of boxes that the card describes: YOLOv2..v7 before anchors, FastestDet"
CENTRES = ("sigmoid", "2*sigmoid-0.5", "tanh", "none")
EXTENTS = ("exp", "squared", "sigmoid", "none")
HOW: Mapping[str, object] = {
    "columns": "cx cy w h objectness scores",
    "anchors": (),
    "centre": "sigmoid",
    "extent": "exp",
    "activation": "sigmoid",
    "background": "none",
    "powers": (1.0, 1.0),
    "activated": False,
}


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> Candidates:
    """Every cell's boxes with their scores. card.decode: `anchors` are width, height of each in pixels of the
    input, for one output after the other; the rest as above."""
    how = {**HOW, **card.decode}
    anchors = np.array(how["anchors"], np.float32).reshape(len(outputs), -1, 2)
    found = [
        _read(np.asarray(answer, np.float32), own, how, card.preprocess.size)
        for answer, own in zip(outputs.values(), anchors, strict=True)
    ]
    return Candidates(np.concatenate([f.boxes for f in found]), np.concatenate([f.scores for f in found]))


decode = partial(with_nms, candidates)


def matches(features: Features) -> Match | None:
    """The match where the card says what stands in the columns of each cell. Raises CardError."""
    if features.task not in (None, "detect") or "columns" not in features.said:
        return None
    if not all(_inner(o.shape, features.size) for o in features.outputs):
        return None
    activated = all(_ends_in_sigmoid(o.tail) for o in features.outputs)
    usual = {"activated": True, "activation": "none"} if activated else {}
    (said,) = features.readings({**HOW, **usual})
    how = _checked(said, len(features.outputs))
    n_anchors = max(1, len(cast("Sequence[float]", how["anchors"])) // (2 * len(features.outputs)))
    widths = {_width(o.shape, n_anchors, features.size) for o in features.outputs}
    width = widths.pop()
    if width is None or widths:
        return None
    why = f"outputs {spell(features.outputs)}: grids of {n_anchors} x {width} values that the card describes"
    try:
        n_classes = class_count(how, width)
    except ValueError as error:
        raise CardError(
            "the card's [decode] does not fit the grid",
            got=f"{width} values for each of {n_anchors} boxes",
            hint=str(error),
        ) from error
    cards = features.cards(NAME, TASK, n_classes or 0, _INPUTS, iou=0.45, decode=how, settled=False, why=why)
    return Match(cards, 0.8, why, settled=False)


def _ends_in_sigmoid(tail: Collection[str]) -> bool:
    """Whether one sigmoid goes over all values of an output, and not over a part of them."""
    return "Sigmoid" in tail and not {"Concat", "Softmax"} & set(tail)


def _checked(said: Mapping[str, object], n_outputs: int) -> dict[str, object]:
    """What the card says, its numbers as floats. Raises CardError."""
    how = dict(said)
    if set(box_form(str(how["columns"])).split()) != {"cx", "cy", "w", "h"}:
        raise CardError(
            "the box of a cell is its centre and its size", got=repr(how["columns"]), expected="cx cy w h"
        )
    for key, known in (("centre", CENTRES), ("extent", EXTENTS)):
        if how[key] not in known:
            raise UnknownName(f"value of decode.{key}", str(how[key]), known)
    for key in ("anchors", "powers"):
        values = how[key]
        if not isinstance(values, Sequence) or not all(isinstance(v, int | float) and v > 0 for v in values):
            raise CardError(f"decode.{key} has a wrong value", got=repr(values), expected="numbers above 0")
        how[key] = tuple(float(v) for v in values)
    n = len(cast("tuple[float, ...]", how["anchors"]))
    if n % (2 * n_outputs) or len(cast("tuple[float, ...]", how["powers"])) != 2:
        raise CardError(
            "decode.anchors or decode.powers has a wrong length",
            got=f"{n} and {how['powers']}",
            expected=f"width and height of as many anchors for each of {n_outputs} outputs; two powers",
        )
    return how


def _inner(shape: Sequence[int | None], size: tuple[int, int]) -> Plane | None:
    """An output as a plane over the input: a whole one, or one anchor's of five axes."""
    return find_plane((1, *shape[2:]) if len(shape) == 5 else shape, size)


def _width(shape: Sequence[int | None], n_anchors: int, size: tuple[int, int]) -> int | None:
    """How many columns each of an output's boxes has; None where they are not so many anchors."""
    plane = _inner(shape, size)
    if plane is None or (len(shape) == 5 and shape[1] != n_anchors):
        return None
    if len(shape) == 5:
        return plane.channels
    return None if plane.channels % n_anchors else plane.channels // n_anchors


def _cells(answer: Floats, n_anchors: int, size: tuple[int, int]) -> Floats:
    """(h, w, A, K) of an output of any of the layouts."""
    plane = _inner(answer.shape, size)
    last = plane is not None and plane.channels_last
    if answer.ndim == 5:
        cells: Floats = answer[0].transpose((1, 2, 0, 3) if last else (2, 3, 0, 1))
    else:
        across = answer[0] if last else answer[0].transpose(1, 2, 0)
        cells = across.reshape(*across.shape[:2], n_anchors, -1)
    return cells


def _read(answer: Floats, anchors: Floats, how: Mapping[str, object], size: tuple[int, int]) -> Candidates:
    """The candidates of one output. anchors: (A, 2) in pixels, (0, 2) for none."""
    cells = _cells(answer, max(1, len(anchors)), size)
    (rows, columns), width = cells.shape[:2], cells.shape[-1]
    stride = np.array((size[1] / columns, size[0] / rows), np.float32)
    found = spread(str(how["columns"]), width)
    y, x = np.mgrid[:rows, :columns]
    places = np.stack([x, y], axis=-1)[:, :, None].astype(np.float32)
    middle = cells[..., [found["cx"][0], found["cy"][0]]]
    sides = cells[..., [found["w"][0], found["h"][0]]]
    scale = anchors if len(anchors) else stride
    gate = (lambda p: p) if how["activated"] else sigmoid
    end = str(how["extent"])
    if end == "exp":
        sides = np.exp(np.minimum(sides, 20)) * scale
    elif end == "squared":
        sides = (2 * gate(sides)) ** 2 * scale
    elif end == "sigmoid":
        sides = gate(sides) * np.array(size[::-1], np.float32)
    centres = (places + _starts(middle, str(how["centre"]), gate)) * stride
    boxes = np.concatenate([centres, sides], axis=-1).reshape(-1, 4)
    return Candidates(centre_to_corners(boxes), _scores(cells.reshape(-1, width), found, how))


def _starts(p: Floats, kind: str, gate: Callable[[Floats], Floats]) -> Floats:
    """How far from the corner of its cell a centre is, in cells."""
    if kind == "tanh":
        return np.tanh(p)
    if kind == "none":
        return p
    return gate(p) if kind == "sigmoid" else 2 * gate(p) - 0.5


def _scores(rows: Floats, found: Mapping[str, tuple[int, ...]], how: Mapping[str, object]) -> Floats:
    """(n, C) of all boxes."""
    first, second = cast("tuple[float, float]", how["powers"])
    scores = class_scores(rows[:, [*found.get("score", found.get("scores", ()))]], how) ** second
    if "objectness" not in found:
        return scores
    objectness = rows[:, [*found["objectness"]]]
    done = how["activated"] or how["activation"] == "none"
    return scores * (objectness if done else sigmoid(objectness)) ** first


_INPUTS: tuple[dict[str, Any], ...] = tuple(
    {**values, "fit": fit}
    for values in ({}, {"colour": "bgr"}, {"scale": 1.0}, {"scale": 1.0, "colour": "bgr"})
    for fit in ("stretch", "letterbox")
)
