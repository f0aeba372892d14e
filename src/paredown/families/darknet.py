"""Darknet's anchor-based YOLO, decoded: YOLOv2, v3, v4, their tiny forms, Yolo-Fastest.

Output (1, N, 5 + C) as in YOLOv5, but widths and heights are anchor * exp(p), and images are stretched. From
YOLOv3 on there are three anchors in each cell of several grids; YOLOv2 has five on one grid, and a softmax
over the classes.
Sources: Redmon and Farhadi, YOLO9000, 2016, arXiv 1612.08242, section 2; YOLOv3, 2018, arXiv 1804.02767,
section 2.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from paredown.families.candidates import PLAIN
from paredown.families.family import Match, match_of
from paredown.families.features import Features
from paredown.families.grids import grid_head
from paredown.families.head import read_one_output, with_nms

NAME = "darknet"
TASK = "detect"
SUMMARY = "Darknet YOLOv2, v3, v4, tiny, Yolo-Fastest: anchors with exp, plain resize"
HOW: Mapping[str, object] = {"columns": "cx cy w h objectness scores", **PLAIN}
candidates = partial(read_one_output, HOW)
decode = partial(with_nms, candidates)


def matches(features: Features) -> Match | None:
    """The match where there are three boxes per cell, or five on one grid, and sizes come from an Exp."""
    anchors = 5 if any("Softmax" in output.tail for output in features.outputs) else 3
    head = grid_head(features, anchors=anchors)
    if head is None or head.rows is None or "Exp" not in head.output.tail:
        return None
    if (len(head.strides) == 1) != (anchors == 5):
        return None
    where = f"{anchors} anchors in each cell of strides {head.strides}, sizes through Exp"
    why = f"{head.says}: {head.columns} values for {where}"
    stretch, letterbox = {"fit": "stretch"}, {"fit": "letterbox", "pad": 128.0}
    inputs: list[dict[str, Any]] = [stretch, letterbox, {**stretch, "colour": "bgr"}]
    ways = (HOW, {**HOW, "units": "fractions"})
    readings = features.row_cards(NAME, head.columns, *ways, inputs=inputs, iou=0.45, why=why)
    return match_of(readings, 0.8, why)
