"""An image brought to the input's size, and boxes brought back: letterbox, stretch or centre crop.

numpy and OpenCV only: the bundle's `detect.py` carries this file as it is.
H, W: size of the original image; h, w: size of the tensor's image, both in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown.card import Preprocess


@dataclass(frozen=True)
class Frame:
    """Where an image lies in the input tensor: input = original * scale + offset, as (x, y) in pixels."""

    image_size: tuple[int, int]  # H, W
    scale: tuple[float, float]
    offset: tuple[float, float]

    def to_image(self, boxes: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Boxes (n, 4) xyxy in pixels of the original image, clipped to it, from boxes in input pixels."""
        height, width = self.image_size
        corners = self.place(np.asarray(boxes).reshape(-1, 2, 2))
        return np.clip(corners, 0, (width, height)).reshape(-1, 4).astype(np.float32)

    def place(self, points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Points (..., 2) in pixels of the original image, perhaps outside, from points in input pixels."""
        placed: NDArray[np.float64] = (np.asarray(points, np.float64) - self.offset) / self.scale
        return placed


def fit_image(image: NDArray[np.uint8], how: Preprocess) -> tuple[NDArray[np.uint8], Frame]:
    """The image brought to (h, w, 3) as `how.fit` says, still uint8 RGB, and where it lies there."""
    (height, width), (h, w) = image.shape[:2], how.size
    if how.fit == "stretch":
        return _resize(image, h, w), Frame((height, width), (w / width, h / height), (0.0, 0.0))
    if how.fit == "crop":
        ratio = max(h / height, w / width)
        resized = _resize(image, max(h, round(height * ratio)), max(w, round(width * ratio)))
        top, left = (resized.shape[0] - h) // 2, (resized.shape[1] - w) // 2
        frame = Frame((height, width), (ratio, ratio), (float(-left), float(-top)))
        return resized[top : top + h, left : left + w], frame
    ratio = min(h / height, w / width)
    if how.fit == "letterbox-corner":  # YOLOX cuts the size to whole pixels where the others round it
        resized = _resize(image, max(1, int(height * ratio)), max(1, int(width * ratio)))
        top = left = 0
    else:
        resized = _resize(image, max(1, round(height * ratio)), max(1, round(width * ratio)))
        # Half a pixel of border goes to the bottom and the right, as Ultralytics' LetterBox does.
        top = round((h - resized.shape[0]) / 2 - 0.1)
        left = round((w - resized.shape[1]) / 2 - 0.1)
    canvas = np.full((h, w, 3), round(how.pad), np.uint8)
    canvas[top : top + resized.shape[0], left : left + resized.shape[1]] = resized
    return canvas, Frame((height, width), (ratio, ratio), (float(left), float(top)))


def _resize(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    if image.shape[:2] == (height, width):
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]
