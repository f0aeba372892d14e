"""Box arithmetic that the families share: corners, grids, what is left of all candidates. numpy only.

The bundle's `detect.py` carries this file as it is. n, m: boxes; C: classes; boxes are xyxy unless said
otherwise; a grid of stride s over an input of h x w pixels has ceil(h/s) rows and ceil(w/s) columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.boxes.nms import NMS_CANDIDATES, nms
from paredown.boxes.turned import turned_nms

Floats = NDArray[np.floating[Any]]


def centre_to_corners(boxes: Floats) -> Floats:
    """xyxy (n, 4) from centre x, centre y, width, height (n, 4)."""
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def grid_shape(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """(rows, columns) of the grid of that stride."""
    return -(-size[0] // stride), -(-size[1] // stride)


def grid_cells(size: tuple[int, int], strides: Sequence[int]) -> tuple[Floats, Floats]:
    """Column and row (n, 2) of every cell and its stride (n, 1): grids in the order given, row by row."""
    cells, steps = [], []
    for stride in strides:
        rows, columns = grid_shape(size, stride)
        y, x = np.mgrid[:rows, :columns]
        cells.append(np.stack([x.ravel(), y.ravel()], axis=1))
        steps.append(np.full((rows * columns, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(steps).astype(np.float32)


def softmax(x: Floats) -> Floats:
    """Softmax over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    result: Floats = e / e.sum(axis=-1, keepdims=True)
    return result


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x)), without overflow."""
    result: Floats = 0.5 * (1 + np.tanh(0.5 * x))
    return result


def distances_to_corners(points: Floats, distances: Floats) -> Floats:
    """xyxy (n, 4) from points (n, 2) and distances to the left, top, right and bottom side (n, 4)."""
    return np.concatenate([points - distances[:, :2], points + distances[:, 2:]], axis=1)


def expected_distances(bins: Floats) -> Floats:
    """Distances (n, 4) in cells from logits (n, 4 * B) over 0..B-1: the mean of each side's softmax.

    Source: Li et al., Generalized Focal Loss, 2020, arXiv 2006.04388, eq. 5.
    """
    logits = bins.reshape(len(bins), 4, bins.shape[1] // 4)  # of no candidate at all as well
    return softmax(logits) @ np.arange(logits.shape[-1], dtype=np.float32)


def select(
    boxes: Floats,
    scores: Floats,
    corners: Floats | None = None,
    *,
    conf: float,
    iou: float,
    max_detections: int,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and classes of what is left of boxes (n, 4) with class scores (n, C), best first.

    corners: (n, 4, 2) of turned boxes, whose overlap counts then.

    Every class of a box that reaches `conf` is a candidate of its own, as in the usual mAP evaluation.
    """
    usable = np.flatnonzero((scores.max(axis=1) >= conf) & np.isfinite(boxes).all(axis=1))
    likely = scores[usable]
    row, classes = np.nonzero(likely >= max(conf, _kth_best(likely, NMS_CANDIDATES)))
    anchor = usable[row]
    candidate_scores = scores[anchor, classes]
    if corners is None:
        keep = nms(boxes[anchor], candidate_scores, classes, iou=iou, max_detections=max_detections)
    else:
        keep = turned_nms(corners[anchor], candidate_scores, classes, iou=iou, max_detections=max_detections)
    return anchor[keep], classes[keep]


def _kth_best(scores: Floats, k: int) -> float:
    """The k-th best of all scores; -inf where there are not more than k."""
    flat = scores.ravel()
    return float(np.partition(flat, len(flat) - k)[len(flat) - k]) if len(flat) > k else -np.inf
