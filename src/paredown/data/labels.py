"""Rows of an annotation file become `Labels`: the impossible is refused, what reaches outside is clipped.

Shapes: n boxes in one image, xyxy in pixels of the upright image.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from paredown.data.shapes import gathered
from paredown.errors import DataError
from paredown.sample import Labels, Outline

# The fullest images of public sets hold some 2,000 (DOTA) to 5,000 boxes (cells, crowds). Matching takes the
# product of boxes and detections, so a million of them on one image is hours and gigabytes.
MAX_BOXES_PER_IMAGE = 10_000
_FRACTION = 1.5  # pixels: labels that all end before this are fractions of their images
_ROUNDING_PX = 1.0  # overshoot that annotation tools produce by rounding, clipped without a word


class Box(NamedTuple):
    """One annotation. `where` names it in errors ("annotation 12 in instances.json")."""

    x1: float
    y1: float
    x2: float
    y2: float
    class_index: int
    where: str
    crowd: bool = False
    area: float | None = None  # of the object, where known
    outline: Outline | None = None
    points: tuple[float, ...] | None = None  # x, y, and 0 not marked, 1 hidden, 2 seen, for each key point
    corners: tuple[float, ...] | None = None  # x, y of four, of a turned box


@dataclass
class Repairs:
    """Counts what was put right while one data set was read, to be told in its notes."""

    boxes: int = 0
    far: list[str] = field(default_factory=list)
    reach: float = 0.0  # the largest coordinate of any box, in pixels
    clipped: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)

    def notes(self) -> tuple[str, ...]:
        """What was put right, a sentence each. Raises: DataError where the boxes as a whole are wrong."""
        if self.boxes and self.reach <= _FRACTION:
            raise DataError(
                "the boxes look like fractions of their images, this format has pixels",
                got=f"no coordinate above {self.reach:g} in {self.boxes} boxes",
                hint="multiply x by the image's width and y by its height",
            )
        if 2 * len(self.far) > self.boxes:
            raise DataError(
                f"{len(self.far)} of {self.boxes} boxes lie outside their images by far",
                got=f"{self.far[0]}, of which more than half is outside",
                expected="boxes in pixels of the upright image",
                hint="look at the order of the coordinates, and at the size of the image they were drawn on",
            )
        said = (
            (self.clipped, "boxes reached outside their image and were clipped"),
            (self.dropped, "boxes hold no pixel of their image and were left out"),
            (self.repeated, "entries stand there twice and were kept once"),
        )
        return tuple(f"{len(w)} {text}, such as {w[0]}" for w, text in said if w)


def to_labels(boxes: Sequence[Box], size: tuple[int, int] | None, repairs: Repairs) -> Labels:
    """Labels of one image. `size`: height and width; None where it cannot be read, which leaves it no boxes.

    Raises: DataError for a box that cannot be true.
    """
    check_count(len(boxes), boxes[0].where if boxes else "")
    kept: list[Box] = []
    for box in boxes:
        _refuse_impossible(box)
        if size is None:
            continue
        repairs.boxes += 1
        repairs.reach = max(repairs.reach, box.x2, box.y2)
        height, width = size
        clipped = box._replace(
            x1=min(max(box.x1, 0.0), width),
            y1=min(max(box.y1, 0.0), height),
            x2=min(max(box.x2, 0.0), width),
            y2=min(max(box.y2, 0.0), height),
        )
        if 2 * _area(clipped) < _area(box):
            repairs.far.append(box.where)
        if clipped.x2 <= clipped.x1 or clipped.y2 <= clipped.y1:
            repairs.dropped.append(box.where)
            continue
        if max(abs(a - b) for a, b in zip(clipped[:4], box[:4], strict=True)) > _ROUNDING_PX:
            repairs.clipped.append(box.where)
        kept.append(clipped)
    return Labels(
        np.array([b[:4] for b in kept], np.float32).reshape(-1, 4),
        np.array([b.class_index for b in kept], np.int64),
        np.array([b.crowd for b in kept], np.bool_),
        np.array([(b.x2 - b.x1) * (b.y2 - b.y1) if b.area is None else b.area for b in kept], np.float32),
        **gathered(
            [b.outline for b in kept], [b.points for b in kept], [b.corners for b in kept], size or (0, 0)
        ),
    )


def check_count(n: int, where: str) -> None:
    """Raises: DataError where one image holds more boxes than can be judged."""
    if n > MAX_BOXES_PER_IMAGE:
        raise DataError(
            f"one image holds too many boxes: {where}",
            got=f"{n:,} boxes" if n > MAX_BOXES_PER_IMAGE + 1 else f"more than {MAX_BOXES_PER_IMAGE:,} boxes",
            expected=f"at most {MAX_BOXES_PER_IMAGE:,} in an image",
        )


def _area(box: Box) -> float:
    return max(box.x2 - box.x1, 0.0) * max(box.y2 - box.y1, 0.0)


def to_number(value: object, where: str) -> float:
    """A finite float. Raises: DataError naming `where`."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or abs(number) > 1e9:
        raise DataError(
            f"a number that cannot be used in {where}", got=shown(value), expected="a finite number"
        )
    return number


def to_class_names(names: Iterable[object], where: str) -> tuple[str, ...]:
    """Class names as text. Raises: DataError for one that is empty or no text."""
    checked = []
    for name in names:
        text = str(name).strip() if isinstance(name, str | int) else ""
        if not text or not text.isprintable():
            raise DataError(f"a class name that cannot be used in {where}", got=shown(name), expected="text")
        checked.append(text)
    return tuple(checked)


def shown(value: object) -> str:
    """`value` as it may stand in a one-line error: short, whatever it holds."""
    if isinstance(value, str):
        return repr(value[:80])
    if value is None or isinstance(value, float | bool) or (isinstance(value, int) and abs(value) < 1e18):
        return repr(value)
    return f"a value of type {type(value).__name__}"


def _refuse_impossible(box: Box) -> None:
    values = box[:4] if box.area is None else (*box[:4], box.area)
    if not all(math.isfinite(v) for v in values):
        raise DataError(f"a box that is no box: {box.where}", got=values, expected="finite numbers")
    if box.x2 < box.x1 or box.y2 < box.y1 or (box.area is not None and box.area < 0):
        raise DataError(f"a box of negative size: {box.where}", got=values, expected="x1 <= x2 and y1 <= y2")
