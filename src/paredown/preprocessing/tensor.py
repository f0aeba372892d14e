"""An image becomes the input tensor. numpy and OpenCV only.

The same code feeds calibration, measuring and the bundle's `detect.py`, which carries this file as it is.
H, W: size of the original image; h, w: size of the tensor's image, both in pixels.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown.card import Preprocess
from paredown.preprocessing.letterbox import Frame, fit_image


def preprocess(image: NDArray[np.uint8], how: Preprocess) -> tuple[NDArray[Any], Frame]:
    """The input tensor (1, C, h, w) or (1, h, w, C), and where in it the image lies.

    image: (H, W, 3) uint8 RGB.
    """
    fitted, frame = fit_image(image, how)
    if how.colour == "grey":
        planes = [cv2.cvtColor(fitted, cv2.COLOR_RGB2GRAY)]
    else:
        planes = list(cv2.split(fitted))
        planes = planes[::-1] if how.colour == "bgr" else planes
    tensor = np.empty((1, len(planes), *how.size), how.dtype)
    for channel, (plane, table) in enumerate(zip(planes, _value_tables(how), strict=False)):
        tensor[0, channel] = cv2.LUT(plane, table)
    if how.layout == "nhwc":
        tensor = np.ascontiguousarray(tensor.transpose(0, 2, 3, 1))
    return tensor, frame


def _value_tables(how: Preprocess) -> list[NDArray[Any]]:
    """Per channel the tensor's value for each pixel value 0..255: exact, and faster than arithmetic."""
    pixels = np.arange(256, dtype=np.float64)
    tables = [(pixels * how.scale - mean) / std for mean, std in zip(how.mean, how.std, strict=True)]
    dtype = np.dtype(how.dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return [np.clip(np.rint(t), limits.min, limits.max).astype(dtype) for t in tables]
    return [t.astype(np.float32) for t in tables]  # the tensor casts on from here where it is float16
