"""The images two models disagree about most, drawn twice by their task: what changed stands out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from paredown._measure.compare import most_different
from paredown.card import Card
from paredown.detections import Prediction
from paredown.pictures import jpeg
from paredown.sample import Dataset, Truth
from paredown.tasks import TASKS
from paredown.tasks.marks import Canvas

LONG_SIDE = 640  # pixels of a drawn picture
LEAST_SIDE = 320  # smaller images are enlarged, so that words on them can be read
LIMIT = 6
MOST_BYTES = 48_000  # of a picture: six pairs and the plots' script stay below 6 MB in a report
SMALLER = ((1.0, 82), (1.0, 65), (1.0, 50), (0.85, 50), (0.7, 45), (0.55, 40), (0.4, 35))  # scale, quality


@dataclass(frozen=True)
class Pair:
    """One image twice, as JPEG: what the first model says, and what the second says.

    truth: whether what is true about the image is drawn too.
    """

    name: str
    why: str
    first: bytes = field(repr=False)
    second: bytes = field(repr=False)
    truth: bool = False


def differing_pairs(
    dataset: Dataset,
    first: Sequence[Prediction],
    second: Sequence[Prediction],
    card: Card,
    limit: int = LIMIT,
) -> list[Pair]:
    """The images the models disagree about most, at the card's confidence, worst first."""
    return [
        _pair(dataset[i].name, dataset[i].read(), dataset[i].truth, first[i], second[i], card)
        for i in most_different(first, second, limit, card)
    ]


def side_by_side(pair: Pair) -> bytes:
    """Both pictures in one JPEG, the first on the left."""
    halves = [
        cv2.imdecode(np.frombuffer(half, np.uint8), cv2.IMREAD_COLOR) for half in (pair.first, pair.second)
    ]
    return jpeg(np.hstack([half for half in halves if half is not None]))


def _pair(name: str, image: Canvas, truth: Truth, a: Prediction, b: Prediction, card: Card) -> Pair:
    longest = max(image.shape[:2])
    scale = min(1.0, LONG_SIDE / longest) if longest >= LEAST_SIDE else LEAST_SIDE / longest
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    canvas = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=kind), np.uint8)
    why, *drawn = TASKS[card.task].draw_pair(canvas, a, b, truth, card, scale)
    left, right = (_small(c[:, :, ::-1]) for c in drawn)
    return Pair(name, why, left, right, truth is not None)


def _small(canvas: Canvas) -> bytes:
    """The picture (H, W, 3) BGR as JPEG of at most MOST_BYTES, as fine as they allow."""
    data = b""
    for scale, quality in SMALLER:
        small = (
            canvas
            if scale == 1
            else cv2.resize(canvas, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        )
        data = jpeg(small, quality)
        if len(data) <= MOST_BYTES:
            break
    return data
