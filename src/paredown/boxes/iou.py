"""Intersection over union of boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def box_iou(
    a: NDArray[np.floating], b: NDArray[np.floating], crowd: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(n, m) IoU of boxes a (n, 4) with b (m, 4); with a crowd region: the share of `a` inside it."""
    a64, b64 = a.astype(np.float64), b.astype(np.float64)
    low = np.maximum(a64[:, None, :2], b64[None, :, :2])
    high = np.minimum(a64[:, None, 2:], b64[None, :, 2:])
    overlap = np.clip(high - low, 0, None).prod(-1)
    area_a, area_b = (a64[:, 2:] - a64[:, :2]).prod(-1), (b64[:, 2:] - b64[:, :2]).prod(-1)
    union = np.where(crowd[None], area_a[:, None], area_a[:, None] + area_b[None] - overlap)
    iou: NDArray[np.float64] = np.divide(overlap, union, out=np.zeros(union.shape), where=union > 0)
    return iou
