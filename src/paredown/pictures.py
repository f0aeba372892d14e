"""The images two models disagree about most, drawn side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown._measure.compare import most_different
from paredown.card import Card
from paredown.deploy.draw import class_colour, draw_detections, draw_label
from paredown.detections import ClassScores, Detections, Prediction
from paredown.metrics.matching import box_iou
from paredown.sample import Dataset

SAME_IOU = 0.5
LONG_SIDE = 640  # pixels of a drawn picture
QUALITY = 82  # of the JPEG: six pairs stay below 2 MB
LIMIT = 6


@dataclass(frozen=True)
class Pair:
    """One image twice, as JPEG: what the first model says, and what the second says."""

    name: str
    why: str
    first: bytes = field(repr=False)
    second: bytes = field(repr=False)


def differing_pairs(
    dataset: Dataset,
    first: Sequence[Prediction],
    second: Sequence[Prediction],
    card: Card,
    limit: int = LIMIT,
) -> list[Pair]:
    """The images the models disagree about most, at the card's confidence, worst first."""
    pairs = []
    for i in most_different(first, second, limit, conf=card.conf):
        image, why = dataset[i].read(), _difference(first[i], second[i], card)
        pairs.append(Pair(dataset[i].name, why, draw(image, first[i], card), draw(image, second[i], card)))
    return pairs


def draw(image: NDArray[np.uint8], prediction: Prediction, card: Card) -> bytes:
    """The image (H, W, 3) RGB with what the model says about it, as JPEG."""
    scale = min(1.0, LONG_SIDE / max(image.shape[:2]))
    canvas = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8)
    if isinstance(prediction, Detections):
        shown = prediction.above(card.conf)
        scaled = Detections((shown.boxes * scale).astype(np.float32), shown.scores, shown.classes)
        canvas = draw_detections(canvas, scaled, card.classes)
    else:
        best = int(prediction.scores.argmax())
        draw_label(canvas, card.classes[best], (0, 0), class_colour(best))
    return _jpeg(canvas[:, :, ::-1])


def side_by_side(pair: Pair) -> bytes:
    """Both pictures in one JPEG, the first on the left."""
    halves = [
        cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) for jpeg in (pair.first, pair.second)
    ]
    return _jpeg(np.hstack([half for half in halves if half is not None]))


def _jpeg(canvas: NDArray[Any]) -> bytes:
    """canvas: (H, W, 3) uint8 BGR."""
    done, jpeg = cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise ValueError(f"OpenCV cannot encode a picture of shape {canvas.shape}")
    return jpeg.tobytes()


def _difference(a: Prediction, b: Prediction, card: Card) -> str:
    """How b differs from a, in words."""
    if isinstance(a, ClassScores) and isinstance(b, ClassScores):
        before, after = (card.classes[int(p.scores.argmax())] for p in (a, b))
        return f"{before} became {after}" if before != after else f"{before} in both, less alike in score"
    if isinstance(a, Detections) and isinstance(b, Detections):
        a, b = a.above(card.conf), b.above(card.conf)
        kept = _matched(a, b)
        return f"{len(a) - kept} of {len(a)} boxes missed, {len(b) - kept} new"
    return ""


def _matched(a: Detections, b: Detections) -> int:
    """How many boxes of a find one of b, of the same class and IoU at least 0.5, each used once."""
    if not len(a) or not len(b):
        return 0
    overlap = box_iou(a.boxes, b.boxes, np.zeros(len(b), np.bool_))
    overlap *= a.classes[:, None] == b.classes[None, :]
    matched = 0
    for row in overlap:  # best score first
        best = int(row.argmax())
        if row[best] >= SAME_IOU:
            matched += 1
            overlap[:, best] = 0
    return matched
