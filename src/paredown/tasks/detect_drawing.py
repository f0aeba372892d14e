"""Boxes drawn into an image: those that a model finds, and what became of them in another model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown.boxes.iou import box_iou
from paredown.card import Card
from paredown.detections import Detections, Mask
from paredown.draw import class_colour, draw_detections, draw_label, draw_shapes
from paredown.sample import Labels, Truth
from paredown.tasks.marks import CHANGED, Canvas, class_name

SAME_IOU = 0.5
NAMED = 8  # boxes that stayed the same have their names where there are no more of them


@dataclass(frozen=True)
class _Change:
    """What became of each box of one model: its word ("" where the other has it too) and its kind."""

    kinds: list[str]
    words: list[str]


def draw_boxes(
    canvas: Canvas, found: Detections, card: Card, place: Callable[[NDArray[Any]], NDArray[Any]]
) -> Canvas:
    """The boxes at the card's confidence. place: points of the image -> points of the canvas, (..., 2)."""
    shown = _placed(found.above(card.conf), place)
    if shown.masks is not None and found.masks:
        shown = replace(shown, masks=tuple(_placed_mask(m, canvas, place) for m in shown.masks))
    return draw_detections(canvas, shown, card.classes)


def _placed(found: Detections, place: Callable[[NDArray[Any]], NDArray[Any]]) -> Detections:
    """The detections where they lie on a canvas, their masks as they are."""
    boxes = place(found.boxes.reshape(-1, 2, 2)).reshape(-1, 4).astype(np.float32)
    points, corners = found.points, found.corners
    if points is not None:
        points = np.concatenate([place(points[..., :2]), points[..., 2:]], axis=-1).astype(np.float32)
    corners = None if corners is None else place(corners).astype(np.float32)
    return replace(found, boxes=boxes, points=points, corners=corners)


def _placed_mask(mask: Mask, canvas: Canvas, place: Callable[[NDArray[Any]], NDArray[Any]]) -> Mask:
    """The mask of an image where the image lies on a canvas."""
    (x1, y1), (x2, y2) = place(np.array([[0.0, 0.0], mask.shape[::-1]]))
    turn = np.array([[(x2 - x1) / mask.shape[1], 0, x1], [0, (y2 - y1) / mask.shape[0], y1]])
    size = canvas.shape[1::-1]
    return Mask.of(cv2.warpAffine(mask.pixels.astype(np.uint8), turn, size, flags=cv2.INTER_NEAREST) > 0)


def draw_changes(
    canvas: Canvas, a: Detections, b: Detections, truth: Truth, card: Card, scale: float
) -> tuple[str, Canvas, Canvas]:
    """In words what became of a's boxes in b, and both drawn. scale: canvas pixels of an image pixel."""
    a, b = a.above(card.conf), b.above(card.conf)
    one, other = _changes(a, b, card)
    missed, new = (sum(k != "" for k in c.kinds) for c in (one, other))
    why = f"{missed} of {len(a)} boxes missed or changed, {new} new or changed"
    first, second = (draw_shapes(canvas, _placed(x, lambda points: points * scale)) for x in (a, b))
    return why, _boxes(first, a, one, truth, scale), _boxes(second, b, other, truth, scale)


def _changes(a: Detections, b: Detections, card: Card) -> tuple[_Change, _Change]:
    """Each box's counterpart of the same class is the same box; one of another class a changed class."""
    overlap = box_iou(a.boxes, b.boxes, np.zeros(len(b), np.bool_)) if len(a) and len(b) else None
    partner: dict[int, int] = {}
    for same in (True, False):
        for i in range(len(a)) if overlap is not None else ():  # best score first
            if i in partner or overlap is None:
                continue
            free = [
                j
                for j in range(len(b))
                if j not in partner.values() and (a.classes[i] == b.classes[j]) == same
            ]
            best = max(free, key=lambda j, i=i: float(overlap[i, j]), default=None)  # type: ignore[misc]
            if best is not None and overlap[i, best] >= SAME_IOU:
                partner[i] = best
    back = {j: i for i, j in partner.items()}
    return (
        _Change(*_named(a, b, partner, "missed", "now", card)),
        _Change(*_named(b, a, back, "new", "was", card)),
    )


def _named(
    mine: Detections, theirs: Detections, partner: dict[int, int], alone: str, turned: str, card: Card
) -> tuple[list[str], list[str]]:
    kinds, words = [], []
    for i in range(len(mine)):
        j = partner.get(i)
        changed = j is not None and theirs.classes[j] != mine.classes[i]
        kinds.append(alone if j is None else "class" if changed else "")
        name = class_name(int(mine.classes[i]), card)
        label = f"{name} {float(mine.scores[i]):.2f}"
        if j is None:
            label = f"{alone}: {label}"
        elif changed:
            label += f", {turned} {class_name(int(theirs.classes[j]), card)}"
        words.append(label)
    return kinds, words


def _boxes(canvas: Canvas, found: Detections, change: _Change, truth: Truth, scale: float) -> Canvas:
    """Truth dashed, unchanged boxes thin, changed ones thick with a light edge and a word."""
    drawn = canvas.copy()
    if isinstance(truth, Labels):
        for box in truth.boxes * scale:
            _dashed(drawn, box)
    order = sorted(range(len(found)), key=lambda i: (change.kinds[i] != "", float(found.scores[i])))
    for i in order:  # what changed lies on top
        x1, y1, x2, y2 = (round(float(v)) for v in found.boxes[i] * scale)
        kind = change.kinds[i]
        colour = CHANGED[kind] if kind else class_colour(int(found.classes[i]))
        if kind:
            cv2.rectangle(drawn, (x1, y1), (x2, y2), (255, 255, 255), 5, cv2.LINE_AA)
        cv2.rectangle(drawn, (x1, y1), (x2, y2), colour, 3 if kind else 1, cv2.LINE_AA)
        if kind or len(found) <= NAMED:
            draw_label(drawn, change.words[i], (x1, y1), colour)
    return drawn


def _dashed(canvas: Canvas, box: NDArray[np.float32], dash: int = 6) -> None:
    """A box of white dashes on a dark line, which shows on every ground."""
    x1, y1, x2, y2 = (round(float(v)) for v in box)
    cv2.rectangle(canvas, (x1, y1), (x2, y2), (30, 30, 30), 1)
    for x in range(x1, x2, 2 * dash):
        for y in (y1, y2):
            cv2.line(canvas, (x, y), (min(x + dash, x2), y), (255, 255, 255), 1)
    for y in range(y1, y2, 2 * dash):
        for x in (x1, x2):
            cv2.line(canvas, (x, y), (x, min(y + dash, y2)), (255, 255, 255), 1)
