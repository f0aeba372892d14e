"""Transformer detectors that answer with a set: DETR, RT-DETR, D-FINE, DEIM, RF-DETR.

Outputs: logits (1, Q, C) and boxes (1, Q, 4) as centre x, centre y, width, height, fractions of the image.
Each query gives its classes by a sigmoid, or by a softmax whose last class is "no object" (the first DETR).
Ultralytics joins both after the sigmoid: one output (1, Q, 4 + C). No NMS. Q: queries. The authors of RT-DETR
and D-FINE export the best queries: boxes (1, K, 4), scores (1, K), classes (1, K), see parts.py.
Source: Carion et al., DETR, 2020, arXiv 2005.12872; Zhao et al., RT-DETR, 2023, arXiv 2304.08069.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np

from paredown.card import Card
from paredown.families.candidates import (
    PLAIN,
    Candidates,
    class_scores,
    corners,
    read_candidates,
    scaled,
)
from paredown.families.family import Match, match_of
from paredown.families.features import Features
from paredown.families.grids import strides_for
from paredown.families.head import without_nms
from paredown.families.outputs import spell
from paredown.families.parts import CORNERS, find_parts, read_parts

NAME = "detr"
TASK = "detect"
SUMMARY = "DETR, RT-DETR, D-FINE, RF-DETR: a set of boxes with logits, or its best"
COCO_CLASSES = 80  # assumed where a set comes as class numbers and nothing names them
QUERIES = (100, 1000)  # fewest and most of one joined output
PAIR: Mapping[str, object] = {
    "scores": 0,
    "boxes": 1,
    "columns": "cx cy w h",
    "units": "fractions",
    "activation": "sigmoid",
    "background": "none",
}
JOINED: Mapping[str, object] = {**PLAIN, "columns": "cx cy w h scores", "units": "fractions"}


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> Candidates:
    """Every query's box with its scores.

    card.decode: `scores`, `boxes` give the outputs' positions where there are two; rest: candidates.py.
    """
    size = card.preprocess.size
    if len(outputs) == 3:
        return read_parts(list(outputs.values()), card.decode, size)
    answers = [np.asarray(a, np.float32)[0] for a in outputs.values()]
    if len(answers) == 1:
        return read_candidates(answers[0], {**JOINED, **card.decode}, size, least)
    how = {**PAIR, **card.decode}
    boxes = corners(answers[cast("int", how["boxes"])], str(how["columns"]))
    scores = class_scores(answers[cast("int", how["scores"])], how)
    return Candidates(scaled(boxes, how["units"], size), scores)


decode = partial(without_nms, candidates)


def matches(features: Features) -> Match | None:
    """The match of logits and boxes of the same queries, or of both joined in one output."""
    if features.task not in (None, "detect"):
        return None
    if len(features.outputs) == 3:
        return _match_finished(features)
    return _match_joined(features) if len(features.outputs) == 1 else _match_pair(features)


def _match_finished(features: Features) -> Match | None:
    """Boxes, scores and classes of the best queries, chosen by a TopK: RT-DETR, D-FINE by their authors."""
    shapes, whole = [o.shape for o in features.outputs], ["int" in o.spec.dtype for o in features.outputs]
    tail = frozenset().union(*(o.tail for o in features.outputs))
    if "TopK" not in tail or "NonMaxSuppression" in tail:
        return None
    why = f"output shapes {spell(features.outputs)}: boxes, scores and classes of the best queries"
    usual = len(features.names) or len(features.named.by_number) or COCO_CLASSES
    ways = [{**how} for how in find_parts(shapes, whole) if how["columns"] == CORNERS]
    readings = [
        features.cards(NAME, TASK, usual, [{"fit": "stretch"}], decode=how, why=why)
        for how in features.readings(*ways)
    ]
    axes_open = "columns" not in features.said
    return match_of(readings, 0.9, why, open_classes=not features.names, axes_open=axes_open)


def _match_pair(features: Features) -> Match | None:
    """Two outputs over the same queries, boxes after a sigmoid and scores before any."""
    if len(features.outputs) != 2:
        return None
    for scores, boxes in ((0, 1), (1, 0)):
        what, where = features.outputs[scores], features.outputs[boxes]
        if len(where.shape) != 3 or len(what.shape) != 3 or where.shape[-1] != 4:
            continue
        if where.shape[1] != what.shape[1] or what.shape[-1] is None:
            continue
        # RF-DETR and LW-DETR give no sigmoid of the box but changes of a reference: exp(w) * reference.
        relative = "Exp" in where.tail and where.shape[1] is not None and where.shape[1] <= QUERIES[1]
        if not ("Sigmoid" in where.tail or relative) or what.tail & {"Softmax", "Sigmoid"}:
            continue
        why = f"output shapes {spell([what, where])}: logits and boxes of the same queries"
        how = {**PAIR, "scores": scores, "boxes": boxes}
        no_object = {**how, "activation": "softmax", "background": "last"}
        readings = [
            _cards(features, what.shape[-1] - (reading["background"] != "none"), reading, why, relative)
            for reading in features.readings(how, no_object)
        ]
        # Named classes: Ultralytics' RT-DETR, which takes 0..1, stretched.
        return match_of(readings, 0.8, why, settled=bool(features.names) or relative)
    return None


def _match_joined(features: Features) -> Match | None:
    """One output of boxes and finished scores. Six columns are more often finished detections of end2end."""
    output = features.outputs[0]
    if len(output.shape) != 3 or output.shape[1] is None or output.shape[2] is None:
        return None
    queries, columns = output.shape[1], output.shape[2]
    if not QUERIES[0] <= queries <= QUERIES[1] or "Sigmoid" not in output.tail:
        return None
    if any(strides_for(n, features.size) is not None for n in (queries, columns)):
        return None
    why = f"output shape {spell([output])}: {columns} values for each of {queries} queries"
    readings = [
        _cards(features, n_classes, how, why)
        for how, n_classes in features.row_readings(columns, JOINED, {**JOINED, "units": "pixels"})
        if n_classes is not None and (not features.names or n_classes == len(features.names))
    ]
    certainty = 0.5 if columns == 6 else 1.0 if features.names else 0.8
    return match_of(readings, certainty, why, settled=bool(features.names))


def _cards(
    features: Features, n_classes: int, how: Mapping[str, object], why: str, imagenet_first: bool = False
) -> tuple[Card, ...]:
    """The cards of one reading, without and with ImageNet's mean; imagenet_first: RF-DETR's convention."""
    if n_classes < 1:
        return ()
    imagenet = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    inputs: list[dict[str, Any]] = [{"fit": "stretch"}, {"fit": "stretch", **imagenet}]
    inputs = inputs[::-1] if imagenet_first else inputs
    settled = bool(features.names) or imagenet_first
    cards = features.cards(NAME, TASK, n_classes, inputs, decode=how, settled=settled, why=why)
    # The first DETR has 100 queries.
    most = 100 if how["activation"] == "softmax" else 300
    return tuple(replace(card, max_detections=most) for card in cards)
