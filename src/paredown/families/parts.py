"""Finished detections whose boxes, scores and class numbers are outputs of their own, perhaps with a count.

boxes (1, K, 4), scores (1, K), classes (1, K), and (1, 1) or (1,) of how many of the K are filled. RT-DETR,
D-FINE and DEIM as their authors export them, YOLO-NAS with NMS inside, TensorRT's EfficientNMS, TensorFlow's
detection models. numpy only down to `find_parts`: the bundle's `detect.py` carries it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    if len(shapes) not in (3, 4):
        return []
    boxes = [i for i, s in enumerate(shapes) if len(s) == 3 and s[-1] == 4]
    counts = [i for i, s in enumerate(shapes) if len(shapes) == 4 and s in ((1, 1), (1,), (None, 1))]
    lists = [i for i, s in enumerate(shapes) if len(s) == 2 and i not in counts]
    if len(boxes) != 1 or len(lists) != 2 or len(counts) != len(shapes) - 3:
        return []
    if any(shapes[i][1] != shapes[boxes[0]][1] for i in lists):
        return []
    base = {"boxes": boxes[0], "count": counts[0] if counts else -1}
    orders = [(a, b) for a, b in (lists, lists[::-1]) if not whole[a]]
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
