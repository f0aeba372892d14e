"""Overlap and suppression of turned boxes. numpy and OpenCV: the bundle's `detect.py` carries this file."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

MOST = 3000  # best-scoring candidates that are looked at


def turned_iou(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """(n, m) IoU of convex quadrilaterals a (n, 4, 2) and b (m, 4, 2)."""
    a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
    areas = [[cv2.contourArea(corners) for corners in side] for side in (a, b)]
    apart = (a.min(axis=1)[:, None] >= b.max(axis=1)[None]) | (b.min(axis=1)[None] >= a.max(axis=1)[:, None])
    iou = np.zeros((len(a), len(b)))
    for i, j in zip(*np.nonzero(~apart.any(axis=2)), strict=True):
        shared = cv2.intersectConvexConvex(a[i], b[j])[0]
        both = areas[0][i] + areas[1][j] - shared
        iou[i, j] = shared / both if both > 0 else 0.0
    return iou


def turned_nms(
    corners: NDArray[np.floating[Any]],
    scores: NDArray[np.floating[Any]],
    classes: NDArray[np.integer[Any]],
    *,
    iou: float,
    max_detections: int,
) -> NDArray[np.intp]:
    """Indices of the kept boxes (n, 4, 2), best score first: greedy, within each class.

    Differs from Ultralytics, whose overlap is that of two normal distributions and not of areas.
    """
    left = np.argsort(-scores, kind="stable")[:MOST]
    kept: list[int] = []
    while len(left) and len(kept) < max_detections:
        best, left = left[0], left[1:]
        kept.append(int(best))
        same = classes[left] == classes[best]
        near = np.zeros(len(left))
        near[same] = turned_iou(corners[best][None], corners[left[same]])[0]
        left = left[near <= iou]
    return np.array(kept, np.intp)
