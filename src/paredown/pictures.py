"""What models find, drawn: the images two models disagree about most, and how a model is fed."""

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
from paredown.families import predict
from paredown.families.preprocess import Frame, fit_image, preprocess
from paredown.families.values import describe
from paredown.metrics.classification import probabilities
from paredown.metrics.matching import box_iou
from paredown.protocols import Session
from paredown.sample import Dataset

SAME_IOU = 0.5
LONG_SIDE = 640  # pixels of a drawn picture
QUALITY = 82  # of the JPEG: six pairs stay below 2 MB
LIMIT = 6
TILE, ACROSS = 400, 3  # pixels of the long side of an image on a contact sheet, images in a row
LINE = 22  # pixels of a line of text on it
SHOWN_CLASSES = 3  # of a classifier


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


def contact_sheet(session: Session, card: Card, images: Dataset, limit: int = LIMIT) -> bytes:
    """What the model finds on a few images, drawn on them as they are fed, in one JPEG.

    The images are spread over the data set. Detectors: boxes at the card's confidence; classifiers: the first
    classes. On top stands how the model was fed.
    """
    chosen = np.unique(np.linspace(0, len(images) - 1, min(limit, len(images))).round().astype(int))
    tiles = []
    for i in chosen:
        image = images[int(i)].read()
        tensor, frame = preprocess(image, card.preprocess)
        prediction = predict(session.run({session.inputs[0].name: tensor}), card, frame)
        tiles.append(_tile(fit_image(image, card.preprocess)[0], prediction, card, frame))
    rows = [tiles[i : i + ACROSS] for i in range(0, len(tiles), ACROSS)]
    blank = np.full_like(tiles[0], 255)
    sheet = np.vstack([np.hstack([*row, *[blank] * (min(ACROSS, len(tiles)) - len(row))]) for row in rows])
    height, width = card.preprocess.size
    caption = f"{card.family}, {width}x{height}: {describe(card.preprocess)}"
    return _jpeg(np.vstack([_caption(caption, sheet.shape[1]), sheet])[:, :, ::-1])


def side_by_side(pair: Pair) -> bytes:
    """Both pictures in one JPEG, the first on the left."""
    halves = [
        cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) for jpeg in (pair.first, pair.second)
    ]
    return _jpeg(np.hstack([half for half in halves if half is not None]))


def _tile(fed: NDArray[np.uint8], prediction: Prediction, card: Card, frame: Frame) -> NDArray[np.uint8]:
    """One image as fed (h, w, 3) RGB, no larger than a tile, with what the model says about it."""
    scale = TILE / max(fed.shape[:2])
    canvas = np.asarray(cv2.resize(fed, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    if isinstance(prediction, Detections):
        shown = prediction.above(card.conf)
        corners = shown.boxes.reshape(-1, 2, 2) * frame.scale + frame.offset
        boxes = (corners.reshape(-1, 4) * scale).astype(np.float32)
        return draw_detections(canvas, Detections(boxes, shown.scores, shown.classes), card.classes)
    chances = probabilities(prediction)
    for row, best in enumerate(np.argsort(-chances, kind="stable")[:SHOWN_CLASSES]):
        label = f"{card.classes[int(best)]} {float(chances[best]):.2f}"
        draw_label(canvas, label, (0, LINE * (row + 1)), class_colour(int(best)))
    return canvas


def _caption(text: str, width: int) -> NDArray[np.uint8]:
    """A white strip (LINE, width, 3) with the text, as large as fits."""
    strip = np.full((LINE, width, 3), 255, np.uint8)
    (needed, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.0, 1)
    scale = min(0.5, (width - 8) / max(1, needed))
    cv2.putText(strip, text, (4, LINE - 7), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA)
    return strip


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
