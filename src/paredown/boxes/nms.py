"""Non-maximum suppression within each class. numpy only: the bundle's `detect.py` carries this file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NMS_CANDIDATES = 30000  # best-scoring candidates that go into NMS, as in the usual mAP evaluation


def nms(
    boxes: NDArray[np.floating[Any]],
    scores: NDArray[np.floating[Any]],
    classes: NDArray[np.integer[Any]],
    *,
    iou: float,
    max_detections: int,
) -> NDArray[np.intp]:
    """Indices of the kept boxes, best score first: greedy, within each class, equal scores in given order.

    A box falls where its IoU with a better kept box of its class exceeds `iou`.
    """
    order = np.argsort(-scores, kind="stable")[:NMS_CANDIDATES]
    # Sorted by class and then by score, all that one box can make fall is one slice behind it.
    # In the smallest integer type, as numpy sorts 8 and 16 bits by radix.
    short = classes[order].astype(np.min_scalar_type(int(classes.max(initial=0))))
    by_class = np.argsort(short, kind="stable")
    place = np.empty_like(by_class)  # in `grouped`, of each box from the best score down
    place[by_class] = np.arange(len(by_class))
    grouped = order[by_class]
    x1, y1, x2, y2 = np.ascontiguousarray(boxes[grouped].T, dtype=np.float64)
    area = (x2 - x1) * (y2 - y1)
    last = np.cumsum(np.bincount(short)) if len(short) else short
    ends = last[short[by_class]].tolist()
    fallen = np.zeros(len(grouped), bool)
    kept: list[int] = []
    for i in place.tolist():
        if fallen[i]:
            continue
        kept.append(i)
        if len(kept) == max_detections:
            break
        rest = slice(i + 1, ends[i])
        inner_x = np.minimum(x2[rest], x2[i]) - np.maximum(x1[rest], x1[i])
        inner_y = np.minimum(y2[rest], y2[i]) - np.maximum(y1[rest], y1[i])
        inner = np.maximum(inner_x, 0) * np.maximum(inner_y, 0)
        fallen[rest] |= inner > iou * (area[rest] + area[i] - inner)
    result: NDArray[np.intp] = grouped[np.array(kept, np.intp)]
    return result
