"""The images two models disagree about most, drawn side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.detections import ClassScores, Detections, Prediction
from paredown.metrics.matching import box_iou
from paredown.sample import Dataset

SAME_IOU = 0.5
LONG_SIDE = 640  # pixels of a drawn picture
QUALITY = 82  # of the JPEG; twelve pictures stay below 2 MB
LIMIT = 6

Canvas = NDArray[Any]  # (H, W, 3) uint8 BGR


@dataclass(frozen=True)
class Pair:
    """One image twice, as JPEG: what the first model says, and what the second says."""

    name: str
    why: str
    first: bytes = field(repr=False)
    second: bytes = field(repr=False)


def most_different(
    dataset: Dataset,
    first: Sequence[Prediction],
    second: Sequence[Prediction],
    card: Card,
    limit: int = LIMIT,
) -> list[Pair]:
    """The images the models disagree about most, at the card's confidence, worst first."""
    found = [(*_difference(a, b, card), i) for i, (a, b) in enumerate(zip(first, second, strict=True))]
    worst = sorted((f for f in found if f[0] > 0), key=lambda f: (-f[0], f[2]))[:limit]
    pairs = []
    for _, why, i in worst:
        image = dataset[i].read()
        pairs.append(Pair(dataset[i].name, why, draw(image, first[i], card), draw(image, second[i], card)))
    return pairs


def draw(image: NDArray[np.uint8], prediction: Prediction, card: Card) -> bytes:
    """The image (H, W, 3) RGB with what the model says about it, as JPEG."""
    scale = min(1.0, LONG_SIDE / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas: Canvas = np.ascontiguousarray(small[:, :, ::-1])  # OpenCV writes BGR
    if isinstance(prediction, Detections):
        shown = prediction.above(card.conf)
        for box, score, index in zip(shown.boxes * scale, shown.scores, shown.classes, strict=True):
            _draw_box(canvas, box, f"{card.classes[index]} {score:.2f}", _colour(int(index)))
    else:
        _label(canvas, (2, 2), _first_class(prediction, card), (0, 114, 178))
    done, jpeg = cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise ValueError(f"OpenCV could not write a picture of {canvas.shape}")
    return jpeg.tobytes()


def _difference(a: Prediction, b: Prediction, card: Card) -> tuple[float, str]:
    """How much b differs from a, and in words."""
    if isinstance(a, Detections) and isinstance(b, Detections):
        a, b = a.above(card.conf), b.above(card.conf)
        kept = _matched(a, b)
        missed, new = len(a) - kept, len(b) - kept
        return float(missed + new), f"{missed} of {len(a)} boxes missed, {new} new"
    if isinstance(a, ClassScores) and isinstance(b, ClassScores) and a.scores.argmax() != b.scores.argmax():
        return 1.0, f"{_first_class(a, card)} became {_first_class(b, card)}"
    return 0.0, ""


def _matched(a: Detections, b: Detections) -> int:
    """How many boxes of a find one of b, of the same class and IoU at least 0.5, each used once."""
    if not len(a) or not len(b):
        return 0
    overlap = box_iou(a.boxes, b.boxes, np.zeros(len(b), np.bool_)) * (
        a.classes[:, None] == b.classes[None, :]
    )
    matched = 0
    for row in overlap:  # best score first
        best = int(row.argmax())
        if row[best] >= SAME_IOU:
            matched += 1
            overlap[:, best] = 0
    return matched


def _first_class(prediction: Prediction, card: Card) -> str:
    return card.classes[int(prediction.scores.argmax())]


def _draw_box(
    canvas: NDArray[np.uint8], box: NDArray[np.float32], text: str, colour: tuple[int, ...]
) -> None:
    x1, y1, x2, y2 = (round(float(v)) for v in box)
    cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, 2)
    _label(canvas, (x1, y1), text, colour)


def _label(canvas: Canvas, corner: tuple[int, int], text: str, colour: tuple[int, ...]) -> None:
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)
    x, y = corner[0], max(corner[1], height + 4)
    cv2.rectangle(canvas, (x, y - height - 4), (x + width + 2, y), colour, -1)
    cv2.putText(canvas, text, (x + 1, y - 3), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)


def _colour(index: int) -> tuple[int, ...]:
    """A colour of its own for each class, dark enough for white letters, as BGR."""
    hsv = np.array([[[index * 47 % 180, 190, 170]]], np.uint8)
    return tuple(int(v) for v in cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0])
