"""Maps over the input brought to the image: the pixels of an object, the class of every pixel.

numpy and OpenCV only: the bundle's `detect.py` carries this file. h, w: a map's rows and columns, which lie
over the whole input, however many they are; H, W: the image's.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown.detections import ClassMap, Mask
from paredown.families.boxes import Floats
from paredown.preprocessing.letterbox import Frame


def mask_within(values: Floats, box: Floats, frame: Frame, size: tuple[int, int]) -> Mask:
    """Where values (h, w) are above 0 within a box, xyxy in pixels of the image. size: of the input."""
    pixels = np.zeros(frame.image_size, np.bool_)
    x1, y1 = np.floor(box[:2]).astype(int)
    x2, y2 = np.ceil(box[2:]).astype(int)
    if x2 > x1 and y2 > y1:
        columns, rows = _places(frame, size, values.shape, (x1, x2), (y1, y2))
        pixels[y1:y2, x1:x2] = cv2.remap(values, columns, rows, cv2.INTER_LINEAR,
                                         borderMode=cv2.BORDER_REPLICATE) > 0  # fmt: skip
    return Mask.of(pixels)


def class_map(maps: NDArray[np.float32], frame: Frame, size: tuple[int, int]) -> ClassMap:
    """The class of every pixel of the image from scores (h, w, C), or class numbers (h, w, 1), of the input.

    Scores are brought to the image's size before the best is taken; class numbers are those of the nearest.
    """
    height, width = frame.image_size
    columns, rows = _places(frame, size, maps.shape[:2], (0, width), (0, height))
    how = cv2.INTER_NEAREST if maps.shape[2] == 1 else cv2.INTER_LINEAR
    planes = [
        cv2.remap(np.ascontiguousarray(p), columns, rows, how, borderMode=cv2.BORDER_REPLICATE)
        for p in maps.transpose(2, 0, 1)
    ]
    return ClassMap.of(best_class(np.stack(planes, axis=2)))


def best_class(maps: NDArray[np.float32]) -> NDArray[np.int64]:
    """(h, w) the class of each place of scores (h, w, C), or of class numbers (h, w, 1)."""
    whole = maps.shape[2] == 1
    best: NDArray[np.int64] = np.rint(maps[:, :, 0]).astype(np.int64) if whole else maps.argmax(axis=2)
    return best


def _places(
    frame: Frame, size: tuple[int, int], shape: tuple[int, ...], x: tuple[int, int], y: tuple[int, int]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Column and row of a map of that shape where the middle of each pixel x[0] .. x[1], y[0] .. y[1] of the
    image lies: image -> input -> map."""
    down, across = shape[0] / size[0], shape[1] / size[1]
    columns = ((np.arange(*x) + 0.5) * frame.scale[0] + frame.offset[0]) * across - 0.5
    rows = ((np.arange(*y) + 0.5) * frame.scale[1] + frame.offset[1]) * down - 0.5
    grid_x, grid_y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
    return grid_x, grid_y
