"""What annotations say of an object beside its box: its outline, its key points, its four corners.

What is no such thing is left out without a word: a box is enough for most, and a task that needs more says
how many images have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.sample import Outline

LEAST_CORNERS = 3
MOST_POINTS = 1000  # key points of one object


def coco_outline(value: object) -> Outline | None:
    """COCO's `segmentation`: lists of x, y, or {"counts": ..., "size": [h, w]}, packed or not."""
    if isinstance(value, dict):
        counts, size = value.get("counts"), value.get("size")
        if not isinstance(size, list) or len(size) != 2 or not all(type(s) is int and s > 0 for s in size):
            return None
        if not isinstance(counts, str | list):
            return None
        if isinstance(counts, str):
            return Outline((), (size[0], size[1]), counts.encode("ascii", "replace"))
        runs = _numbers(counts, np.uint32)
        whole = runs is not None and int(runs.sum()) == size[0] * size[1]
        return None if runs is None or not whole else Outline((), (size[0], size[1]), runs=runs.tobytes())
    if not isinstance(value, list):
        return None
    polygons = [_numbers(part, np.float32) for part in value]
    usable = [
        p.tobytes() for p in polygons if p is not None and p.size >= 2 * LEAST_CORNERS and p.size % 2 == 0
    ]
    return Outline(tuple(usable)) if usable else None


def outline_of(corners: Sequence[float]) -> Outline:
    """The outline through x, y, x, y, ... in pixels."""
    return Outline((np.array(corners, np.float32).tobytes(),))


def coco_points(value: object) -> tuple[float, ...] | None:
    """COCO's `keypoints`: x, y, and 0 not marked, 1 hidden, 2 seen, for each."""
    found = _numbers(value, np.float64)
    if found is None or found.size == 0 or found.size % 3 or found.size > 3 * MOST_POINTS:
        return None
    return tuple(found.tolist())


def gathered(
    outlines: Sequence[Outline | None],
    points: Sequence[tuple[float, ...] | None],
    corners: Sequence[tuple[float, ...] | None],
    size: tuple[int, int],
) -> dict[str, Any]:
    """What `Labels` holds beside boxes, for the objects of one image: what none of them has is left out."""
    found: dict[str, Any] = {}
    if any(o is not None for o in outlines):
        found["masks"] = tuple(o if o is None or o.shape else replace(o, shape=size) for o in outlines)
    lengths = {len(p) for p in points if p is not None}
    if len(lengths) == 1:
        (length,) = lengths
        rows = [p if p is not None else (0.0,) * length for p in points]
        found["points"] = np.array(rows, np.float32).reshape(len(rows), -1, 3)
    if corners and all(c is not None for c in corners):
        found["corners"] = np.array(corners, np.float32).reshape(-1, 4, 2)
    return found


def _numbers(value: object, kind: type) -> NDArray[Any] | None:
    """The list as an array of finite numbers of that kind; None of anything else."""
    if not isinstance(value, list) or not all(type(v) in (int, float) for v in value):
        return None
    try:
        found = np.array(value, np.float64)
    except OverflowError:
        return None
    fits = (
        np.isfinite(found).all()
        and (abs(found) < 2**32).all()
        and (kind is not np.uint32 or (found >= 0).all())
    )
    return found.astype(kind) if fits else None
