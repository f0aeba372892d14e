"""YOLOv6: anchor-free, decoded, with an objectness that is always one.

Output (1, N, 5 + C): centre x, centre y, width, height in input pixels, 1, then C class scores after the
sigmoid. N: cells of all grids.
Source: Li et al., YOLOv6, 2022, arXiv 2209.02976; `yolov6/models/effidehead.py`, class Detect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.card import Card
from paredown.detections import Detections
from paredown.families.boxes import select
from paredown.families.candidates import PLAIN, Candidates, read_candidates, spread
from paredown.families.features import Features, Match, match_of, spell, strides_for
from paredown.preprocessing.letterbox import Frame

NAME = "yolov6"
TASK = "detect"
SUMMARY = "YOLOv6: one decoded box per cell, objectness always one"
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


def unlike(outputs: Mapping[str, Any], card: Card) -> str:
    """What in the answer this family never gives: an objectness that is not one."""
    (answer,) = outputs.values()
    rows = np.asarray(answer[0], np.float32)
    place = spread(str({**HOW, **card.decode}["columns"]), rows.shape[1]).get("objectness")
    if place is None or len(rows) == 0 or np.allclose(rows[:, place[0]], 1, atol=0.02):
        return ""
    low, high = rows[:, place[0]].min(), rows[:, place[0]].max()
    return f"objectness {low:.3g} .. {high:.3g} where YOLOv6 has always 1"


def matches(features: Features) -> Match | None:
    """The match where each cell has one decoded box and box, objectness and classes are joined at the end."""
    if len(features.outputs) != 1 or features.task not in (None, "detect"):
        return None
    output = features.outputs[0]
    if len(output.shape) != 3 or not output.computes or "Exp" in output.tail or output.parts == 2:
        return None
    _, count, channels = output.shape
    strides = strides_for(count, features.size)
    if count is None or channels is None or channels < 6 or strides is None:
        return None
    why = f"output shape {spell([output])}: {channels} decoded values in each cell of strides {strides}"
    readings = [
        features.cards(NAME, TASK, n_classes or 0, features.letterbox_inputs, decode=how, why=why)
        for how, n_classes in features.row_readings(channels, HOW)
    ]
    return match_of(readings, 0.8 if output.parts == 3 else 0.5, why)
