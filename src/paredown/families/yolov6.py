"""YOLOv6: anchor-free, decoded, with an objectness that is always one.

Output (1, N, 5 + C): centre x, centre y, width, height in input pixels, 1, then C class scores after the
sigmoid. N: cells of all grids.
Source: Li et al., YOLOv6, 2022, arXiv 2209.02976; `yolov6/models/effidehead.py`, class Detect.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from paredown.card import Card
from paredown.families.candidates import PLAIN, spread
from paredown.families.family import Match, match_of
from paredown.families.features import Features
from paredown.families.grids import grid_head
from paredown.families.head import read_one_output, with_nms

NAME = "yolov6"
TASK = "detect"
SUMMARY = "YOLOv6: one decoded box per cell, objectness always one"
HOW: Mapping[str, object] = {"columns": "cx cy w h objectness scores", **PLAIN}
candidates = partial(read_one_output, HOW)
decode = partial(with_nms, candidates)


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
    head = grid_head(features)
    if head is None or head.rows is None or not head.output.computes:
        return None
    if "Exp" in head.output.tail or head.output.parts == 2:
        return None
    why = f"{head.says}: {head.columns} decoded values in each cell of strides {head.strides}"
    readings = features.row_cards(NAME, head.columns, HOW, why=why)
    return match_of(readings, 0.8 if head.output.parts == 3 else 0.5, why)
