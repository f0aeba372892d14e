"""What a model finds, drawn as it is fed."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.detections import Prediction
from paredown.families.recognition import predict
from paredown.preprocessing.feeds import feed
from paredown.preprocessing.letterbox import Frame, fit_image
from paredown.preprocessing.values import describe
from paredown.protocols import Session
from paredown.sample import Dataset
from paredown.tasks import TASKS

QUALITY = 82  # of the JPEG
LIMIT = 6
TILE, ACROSS = 400, 3  # pixels of the long side of an image on a contact sheet, images in a row
LINE = 22  # pixels of a line of text on it


def contact_sheet(session: Session, card: Card, images: Dataset, limit: int = LIMIT) -> bytes:
    """What the model finds on a few images, drawn on them as they are fed, in one JPEG.

    The images are spread over the data set; what is found is drawn by the task. On top stands how the model
    was fed.
    """
    chosen = np.unique(np.linspace(0, len(images) - 1, min(limit, len(images))).round().astype(int))
    tiles = []
    for i in chosen:
        image = images[int(i)].read()
        feeds, frame = feed(image, card.preprocess, session.inputs)
        prediction = predict(session.run(feeds), card, frame)
        tiles.append(_tile(fit_image(image, card.preprocess)[0], prediction, card, frame))
    rows = [tiles[i : i + ACROSS] for i in range(0, len(tiles), ACROSS)]
    blank = np.full_like(tiles[0], 255)
    sheet = np.vstack([np.hstack([*row, *[blank] * (min(ACROSS, len(tiles)) - len(row))]) for row in rows])
    height, width = card.preprocess.size
    caption = f"{card.family}, {width}x{height}: {describe(card.preprocess)}"
    return jpeg(np.vstack([_caption(caption, sheet.shape[1]), sheet])[:, :, ::-1])


def _tile(fed: NDArray[np.uint8], prediction: Prediction, card: Card, frame: Frame) -> NDArray[np.uint8]:
    """One image as fed (h, w, 3) RGB, no larger than a tile, with what the model says about it."""
    scale = TILE / max(fed.shape[:2])
    canvas = np.asarray(cv2.resize(fed, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    return TASKS[card.task].draw(canvas, prediction, card, lambda p: (p * frame.scale + frame.offset) * scale)


def _caption(text: str, width: int) -> NDArray[np.uint8]:
    """A white strip (LINE, width, 3) with the text, as large as fits."""
    strip = np.full((LINE, width, 3), 255, np.uint8)
    (needed, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.0, 1)
    scale = min(0.5, (width - 8) / max(1, needed))
    cv2.putText(strip, text, (4, LINE - 7), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA)
    return strip


def jpeg(canvas: NDArray[Any], quality: int = QUALITY) -> bytes:
    """The picture (H, W, 3) uint8 BGR as JPEG."""
    done, data = cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"OpenCV cannot encode a picture of shape {canvas.shape}")
    return data.tobytes()
