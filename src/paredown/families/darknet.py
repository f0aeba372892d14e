"""Darknet's anchor-based YOLO, decoded: YOLOv2, v3, v4, their tiny forms, Yolo-Fastest.

Output (1, N, 5 + C) as in YOLOv5, but widths and heights are anchor * exp(p), and images are stretched. From
YOLOv3 on there are three anchors in each cell of several grids; YOLOv2 has five on one grid, and a softmax
over the classes.
Sources: Redmon and Farhadi, YOLO9000, 2016, arXiv 1612.08242, section 2; YOLOv3, 2018, arXiv 1804.02767,
section 2.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.card import Card
from paredown.detections import Detections
from paredown.families.boxes import select
from paredown.families.candidates import PLAIN, Candidates, read_candidates
from paredown.families.features import Features, Match, match_of, spell, strides_for
from paredown.preprocessing.letterbox import Frame

NAME = "darknet"
TASK = "detect"
SUMMARY = "Darknet YOLOv2, v3, v4, tiny, Yolo-Fastest: anchors with exp, plain resize"
HOW: Mapping[str, object] = {"columns": "cx cy w h objectness scores", **PLAIN}


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> Candidates:
    """Every box with its scores, perhaps without those below `least`. card.decode: see candidates.py."""
    (answer,) = outputs.values()
    return read_candidates(
        np.asarray(answer[0], np.float32), {**HOW, **card.decode}, card.preprocess.size, least
    )


def decode(
    outputs: Mapping[str, Any], card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> Detections:
    """Detections of one image from the model's answer."""
    found = candidates(outputs, card, conf)
    return select(found.boxes, found.scores, frame, conf=conf, iou=iou, max_detections=max_detections)


def matches(features: Features) -> Match | None:
    """The match where there are three boxes per cell, or five on one grid, and sizes come from an Exp."""
    if len(features.outputs) != 1 or features.task not in (None, "detect"):
        return None
    output = features.outputs[0]
    if len(output.shape) != 3 or "Exp" not in output.tail:
        return None
    _, count, channels = output.shape
    anchors = 5 if "Softmax" in output.tail else 3
    strides = strides_for(count, features.size, per_cell=anchors)
    if count is None or channels is None or channels < 6 or strides is None:
        return None
    if (len(strides) == 1) != (anchors == 5):
        return None
    where = f"{anchors} anchors in each cell of strides {strides}, sizes through Exp"
    why = f"output shape {spell([output])}: {channels} values for {where}"
    stretch, letterbox = {"fit": "stretch"}, {"fit": "letterbox", "pad": 128.0}
    inputs: list[dict[str, Any]] = [stretch, letterbox, {**stretch, "colour": "bgr"}]
    readings = [
        features.cards(NAME, TASK, n_classes or 0, inputs, iou=0.45, decode=how, why=why)
        for how, n_classes in features.row_readings(channels, HOW, {**HOW, "units": "fractions"})
    ]
    return match_of(readings, 0.8, why)
