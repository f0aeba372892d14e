"""SSD and its kin with the decode in the graph: boxes and scores apart, NMS left to do. Also UltraFace.

Outputs: boxes (1, N, 4) xyxy as fractions of the image (YOLO-NAS: in pixels), scores (1, N, C) after a
softmax whose first class is the background, or after a sigmoid without one. N: priors. TensorFlow's models
give y first (yxyx), which mirror images tell (_measure/feeding/mirrored.py).
Source: Liu et al., SSD, 2016, arXiv 1512.02325; Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import numpy as np

from paredown.card import Card
from paredown.families.candidates import Candidates, class_scores, corners, scaled
from paredown.families.family import Match, match_of
from paredown.families.features import Features
from paredown.families.head import with_nms
from paredown.families.outputs import spell

NAME = "ssd"
TASK = "detect"
SUMMARY = "SSD, UltraFace, YOLO-NAS: boxes and class scores as two outputs"
ROWS_FIRST = "y1 x1 y2 x2"  # TensorFlow's
HOW: Mapping[str, object] = {
    "boxes": 0,
    "scores": 1,
    "columns": "x1 y1 x2 y2",
    "units": "fractions",
    "activation": "none",
    "background": "none",
}


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> Candidates:
    """Every prior's box with its scores.

    card.decode: `boxes`, `scores` give the outputs' positions; the rest as in candidates.py.
    """
    answers = [np.asarray(a, np.float32) for a in outputs.values()]
    how = {**HOW, **card.decode}
    boxes = corners(answers[cast("int", how["boxes"])].reshape(-1, 4), str(how["columns"]))
    scores = answers[cast("int", how["scores"])]
    scores = class_scores(scores.reshape(-1, scores.shape[-1]), how)
    return Candidates(scaled(boxes, how["units"], card.preprocess.size), scores)


decode = partial(with_nms, candidates)


def matches(features: Features) -> Match | None:
    """The match of two outputs over the same priors, the scores after a softmax or a sigmoid."""
    if len(features.outputs) != 2 or features.task not in (None, "detect"):
        return None
    for boxes, scores in ((0, 1), (1, 0)):
        where, what = features.outputs[boxes], features.outputs[scores]
        activation = what.tail & {"Softmax", "Sigmoid"}
        if len(where.shape) != 3 or len(what.shape) != 3 or where.shape[-1] != 4 or not where.computes:
            continue
        if where.shape[1] != what.shape[1] or what.shape[-1] is None or len(activation) != 1:
            continue
        kind = "softmax" if activation == {"Softmax"} else "sigmoid"
        why = f"output shapes {spell([where, what])}: boxes and {kind} scores"
        usual: list[dict[str, object]] = [
            {**HOW, "boxes": boxes, "scores": scores, "background": background, "units": units}
            for background in (("first", "last") if kind == "softmax" else ("none", "first"))
            for units in ("fractions", "pixels")
        ]
        usual += [{**how, "columns": ROWS_FIRST} for how in usual if how["units"] == "fractions"]
        readings = [
            features.cards(NAME, TASK, n_classes, _INPUTS, iou=0.45, decode=how, settled=False, why=why)
            for how in features.readings(*usual)
            if (n_classes := what.shape[-1] - (how["background"] != "none")) > 0
        ]
        if readings:
            axes_open = "columns" not in features.said
            return match_of(readings, 0.8, why, settled=False, axes_open=axes_open)
    return None


_RAW: dict[str, Any] = {"fit": "stretch", "scale": 1.0}
_CAFFE_MEAN = (104.0, 117.0, 123.0)
_INPUTS = (
    {**_RAW, "colour": "bgr"},
    {**_RAW, "colour": "rgb"},
    {**_RAW, "colour": "bgr", "mean": (127.5,) * 3, "std": (127.5,) * 3},
    {**_RAW, "colour": "rgb", "mean": (127.5,) * 3, "std": (127.5,) * 3},
    {**_RAW, "colour": "rgb", "mean": (127.0,) * 3, "std": (128.0,) * 3},
    {**_RAW, "colour": "bgr", "mean": _CAFFE_MEAN},
    {**_RAW, "colour": "rgb", "mean": _CAFFE_MEAN[::-1]},
    {"fit": "stretch"},
)
