"""Anchor-free YOLO with one output: YOLOv8, v9, v11, v12 and their kin, as Ultralytics exports them.

Output (1, 4 + C, N), or transposed (1, N, 4 + C): centre x, centre y, width, height in input pixels, then C
class scores after the sigmoid; no objectness. N: cells of all grids.
Source: Ultralytics, `ultralytics/nn/modules/head.py`, class Detect.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from paredown.families.candidates import PLAIN
from paredown.families.family import Match, match_of
from paredown.families.features import Features
from paredown.families.grids import grid_head
from paredown.families.head import read_one_output, with_nms

NAME = "yolov8"
TASK = "detect"
SUMMARY = "YOLOv8, v9, v11, v12: one output of boxes and class scores, no objectness"
HOW: Mapping[str, object] = {"columns": "cx cy w h scores", **PLAIN, "transposed": False}
EXTRA: Mapping[str, str] = {"pose": "keypoints", "obb": "angle"}  # by the task: what stands behind the scores
candidates = partial(read_one_output, HOW)
decode = partial(with_nms, candidates)


def matches(features: Features) -> Match | None:
    """The match where the one output's boxes are as many as cells in the usual grids."""
    if features.task in EXTRA and not features.names and "columns" not in features.said:
        return None  # how many of the columns are scores, nothing tells
    for transposed in (False, True):
        tasks = ("detect", *EXTRA)
        head = grid_head(features, least=5, tasks=tasks, columns_first=not transposed)
        # The raw answer of other families has the transposed shape too, and theirs may hold an Exp (YOLOX).
        if head is None or not head.output.computes or "Exp" in head.output.tail:
            continue
        if transposed and head.output.parts == 3:
            continue
        usual: Mapping[str, object] = {**HOW, "columns": _columns(features), "transposed": transposed}
        why = f"{head.says}: {head.columns} channels for the cells of strides {head.strides}"
        ways = (usual, {**usual, "units": "fractions"}, *_more(features, usual, head.columns))
        readings = features.row_cards(NAME, head.columns, *ways, why=why)
        if readings:
            unsure = transposed and head.output.parts != 2
            named = readings[0][0].origin["classes"] == "metadata"
            return match_of(readings, 1.0 if named else 0.5 if unsure else 0.8, why)
    return None


def _more(features: Features, usual: Mapping[str, object], columns: int) -> list[Mapping[str, object]]:
    """Pose and turned boxes that lost their metadata: what their values may ask for."""
    if features.task is not None or "columns" in features.said:
        return []
    n_points = columns - 5
    pose = {**usual, "columns": f"cx cy w h scores*1 keypoints*{n_points}"}
    turned = {**usual, "columns": f"cx cy w h scores*{columns - 5} angle"}
    return [turned, pose] if n_points >= 6 and n_points % 3 == 0 else [turned]


def _columns(features: Features) -> str:
    """By the metadata's task, for as many classes as it names."""
    behind = EXTRA.get(features.task or "")
    return str(HOW["columns"]) if behind is None else f"cx cy w h scores*{len(features.names)} {behind}"
