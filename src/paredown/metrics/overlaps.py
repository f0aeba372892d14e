"""How much a detection is a truth, where more than a box is known: IoU of masks and of turned boxes, OKS.

Each takes detections (n) and truths (m) of one image and class and gives (n, m), 0..1.
Sources: pycocotools `COCOeval.computeIoU` and `computeOks`; Lin et al., 2014, arXiv 1405.0312; for other than
the 17 points of a person a deviation of 1 / P for each of P points, as in Ultralytics, `metrics.py`, kpt_iou.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from faster_coco_eval.core import mask as coco_mask
from numpy.typing import NDArray

from paredown.boxes.turned import turned_iou
from paredown.detections import Detections, Mask
from paredown.sample import Labels, Outline

# of nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles: COCO's
PERSON = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000


def mask_overlap(found: Detections, truth: Labels) -> NDArray[np.float64]:
    """IoU of pixels; over the detection's own for a crowd."""
    said, known = ([packed(m) for m in x.masks or ()] for x in (found, truth))
    iou = coco_mask.iou(said, known, [int(c) for c in truth.crowd])
    return np.asarray(iou, np.float64).reshape(len(said), len(known))


def packed(mask: Mask | Outline | None) -> dict[str, Any]:
    """The mask as COCO's tools read it. One that is not known has no pixel."""
    if isinstance(mask, Outline) or mask is None:
        return packed(Mask.of(np.zeros((1, 1), np.bool_)) if mask is None else drawn(mask))
    return _packed(mask.runs, mask.shape)


def _packed(runs: bytes, shape: tuple[int, ...]) -> dict[str, Any]:
    counted = {"counts": np.frombuffer(runs, np.uint32).tolist(), "size": list(shape)}
    compressed: dict[str, Any] = coco_mask.frPyObjects(counted, *shape)
    return compressed


@lru_cache(maxsize=8192)
def drawn(outline: Outline) -> Mask:
    """The pixels within an outline, as COCO's own tools draw it."""
    height, width = outline.shape
    if outline.polygons:
        corners = [np.frombuffer(p, np.float32).astype(np.float64).tolist() for p in outline.polygons]
        whole = coco_mask.merge(coco_mask.frPyObjects(corners, height, width))
    elif outline.packed:
        whole = {"counts": outline.packed, "size": [height, width]}
    else:
        whole = _packed(outline.runs, outline.shape)
    return Mask.of(np.asarray(coco_mask.decode(whole), np.bool_))


def point_overlap(found: Detections, truth: Labels) -> NDArray[np.float64]:
    """Object keypoint similarity: mean over marked points of exp(-d^2 / (2 area k^2)), k twice a deviation.

    Where none is marked, distances are those to a box three times as large.
    """
    none = np.zeros((0, 1, 3), np.float32)
    said, known = (np.asarray(none if x.points is None else x.points, np.float64) for x in (found, truth))
    said, known = said[:, None, :, :2], known[None]
    n_points = known.shape[2]
    k = 2 * (PERSON if n_points == len(PERSON) else np.full(n_points, 1 / max(1, n_points)))
    marked = known[..., 2] > 0
    low, high = truth.boxes[None, :, None, :2], truth.boxes[None, :, None, 2:]
    side = high - low
    beyond = np.maximum(low - side - said, 0) + np.maximum(said - high - side, 0)
    some = (marked.sum(axis=2) > 0)[..., None]
    away = np.where(some[..., None], said - known[..., :2], beyond)
    area = truth.area[None, :, None] + np.spacing(1)
    likeness = np.exp(-(away**2).sum(axis=-1) / (2 * area * k**2))
    counts = np.where(some, marked, True)
    result: NDArray[np.float64] = (likeness * counts).sum(axis=2) / counts.sum(axis=2)
    return result


def corner_overlap(found: Detections, truth: Labels) -> NDArray[np.float64]:
    """IoU of turned boxes."""
    none = np.zeros((0, 4, 2), np.float32)
    said, known = (none if x.corners is None else x.corners for x in (found, truth))
    return turned_iou(said, known)
