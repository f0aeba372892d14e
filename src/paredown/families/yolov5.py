"""Anchor-based YOLO with one decoded output: YOLOv5, v7 and Ultralytics' YOLOv3.

Output (1, N, 5 + C): centre x, centre y, width, height in input pixels, objectness, then C class scores, all
after the sigmoid; score = objectness * class score. N: three anchors for each cell of all grids.
Source: Ultralytics, `yolov5/models/yolo.py`, class Detect.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from paredown.families.candidates import PLAIN
from paredown.families.family import Match, match_of
from paredown.families.features import Features
from paredown.families.grids import grid_head
from paredown.families.head import read_one_output, with_nms

NAME = "yolov5"
TASK = "detect"
SUMMARY = "YOLOv5, v7: three anchors per cell, boxes decoded, objectness"
HOW: Mapping[str, object] = {"columns": "cx cy w h objectness scores", **PLAIN}
candidates = partial(read_one_output, HOW)
decode = partial(with_nms, candidates)


def matches(features: Features) -> Match | None:
    """The match where there are three boxes per cell and no Exp: sizes come from a squared sigmoid."""
    head = grid_head(features, anchors=3)
    if head is None or not head.output.computes or "Exp" in head.output.tail or len(head.strides) == 1:
        return None
    why = f"{head.says}: {head.columns} values for 3 anchors in each cell of strides {head.strides}"
    readings = features.row_cards(NAME, head.columns, HOW, {**HOW, "units": "fractions"}, why=why)
    named = bool(readings) and readings[0][0].origin["classes"] == "metadata"
    if head.rows is None and not named:
        return None
    return match_of(readings, 1.0 if named else 0.8, why)
