"""Finished detections whose boxes, scores and class numbers are outputs of their own, perhaps with a count.

boxes (1, K, 4), scores (1, K), classes (1, K), each perhaps without the 1, and (1, 1) or (1,) of how many
of the K are filled. RT-DETR, D-FINE and DEIM as their authors export them, YOLO-NAS with NMS inside,
TensorRT's EfficientNMS, torchvision, TensorFlow's detection models, whose raw boxes are read over.
numpy only down to `find_parts`: the bundle's `detect.py` carries it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any, cast

import numpy as np

from paredown.families.boxes import Floats
from paredown.families.candidates import Candidates, corners, scaled

CORNERS, ROWS_FIRST = "x1 y1 x2 y2", "y1 x1 y2 x2"


def read_parts(outputs: Sequence[Any], how: Mapping[str, object], size: tuple[int, int]) -> Candidates:
    """The candidates. how: `boxes`, `scores`, `classes` and `count` are positions of outputs, -1 for none."""

    def answer(part: str) -> Floats:
        return np.asarray(outputs[cast("int", how[part])], np.float32)

    boxes = answer("boxes").reshape(-1, 4)
    count = len(boxes) if how["count"] == -1 else min(int(answer("count").ravel()[0]), len(boxes))
    boxes = corners(boxes[:count], str(how["columns"]))
    labels = answer("classes").ravel()[:count] - cast("int", how["first_class"])
    return Candidates(scaled(boxes, how["units"], size), answer("scores").ravel()[:count, None], labels)


def find_parts(shapes: Sequence[tuple[int | None, ...]], whole: Sequence[bool]) -> list[dict[str, object]]:
    """The ways that outputs of those shapes can be such parts. whole: which hold integers.

    Where scores and classes are both floats, either may be which: the values tell.
    """
    counts = [i for i, s in enumerate(shapes) if s in ((1, 1), (1,), (None, 1), ())]
    found = [
        (i, _lists_beside(s, shapes, counts)) for i, s in enumerate(shapes) if len(s) in (2, 3) and s[-1] == 4
    ]
    found = [(i, lists) for i, lists in found if len(lists) in (2, 3)]
    if len(found) != 1 or len(counts) > 1 or (not counts and len(found[0][1]) != len(shapes) - 1):
        return []
    ((box, lists),) = found
    base = {"boxes": box, "count": counts[0] if counts else -1}
    orders = [(a, b) for a, b in permutations(lists, 2) if not whole[a]]
    orders = [o for o in orders if whole[o[1]]] or orders
    return [
        {**base, "scores": a, "classes": b, "columns": columns, "units": units, "first_class": first}
        for a, b in orders
        for columns, units, first in (
            (CORNERS, "pixels", 0),
            (CORNERS, "fractions", 0),
            (ROWS_FIRST, "fractions", 1),
            (ROWS_FIRST, "fractions", 0),
        )
    ]


def _lists_beside(
    boxes: Sequence[int | None], shapes: Sequence[tuple[int | None, ...]], counts: Sequence[int]
) -> list[int]:
    """The outputs with one number for each of the boxes, (1, K) or (K,) as they are (1, K, 4) or (K, 4)."""
    beside = [i for i, s in enumerate(shapes) if len(s) == len(boxes) - 1 and s[-1] == boxes[-2]]
    return [i for i in beside if i not in counts]
