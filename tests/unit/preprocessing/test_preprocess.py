"""Preprocessing against the same thing spelled out slowly."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from paredown.card import Preprocess
from paredown.preprocessing.tensor import preprocess

RNG = np.random.default_rng(0)


def picture(height: int, width: int) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


def ultralytics_letterbox(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """LetterBox of Ultralytics, as published, with auto=False and center=True."""
    shape, (h, w) = image.shape[:2], size
    r = min(h / shape[0], w / shape[1])
    new = round(shape[1] * r), round(shape[0] * r)
    dw, dh = (w - new[0]) / 2, (h - new[1]) / 2
    if shape[::-1] != new:
        image = cv2.resize(image, new, interpolation=cv2.INTER_LINEAR)
    top, bottom = round(dh - 0.1), round(dh + 0.1)
    left, right = round(dw - 0.1), round(dw + 0.1)
    return cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(114,) * 3)


@pytest.mark.parametrize(
    "shape", [(480, 640), (640, 480), (427, 639), (333, 500), (640, 640), (100, 7), (1, 1)]
)
@pytest.mark.parametrize("size", [(640, 640), (320, 544)])
def test_letterbox_is_that_of_ultralytics(shape: tuple[int, int], size: tuple[int, int]) -> None:
    image = picture(*shape)
    if min(round(s * min(size[0] / shape[0], size[1] / shape[1])) for s in shape) < 1:
        pytest.skip("nothing would be left of the image")
    wanted = ultralytics_letterbox(image, size).transpose(2, 0, 1)[None] / 255
    tensor, _ = preprocess(image, Preprocess(size))
    assert tensor.dtype == np.float32
    np.testing.assert_allclose(tensor, wanted, rtol=1e-6)


def test_normalisation_is_per_channel_in_the_tensors_order() -> None:
    image = picture(8, 8)
    how = Preprocess((8, 8), colour="bgr", scale=1.0, mean=(104, 117, 123), std=(1, 2, 4))
    tensor, _ = preprocess(image, how)
    wanted = (image[..., ::-1].astype(np.float64) - (104, 117, 123)) / (1, 2, 4)
    np.testing.assert_allclose(tensor[0].transpose(1, 2, 0), wanted)


def test_an_integer_input_gets_the_pixels() -> None:
    image = picture(8, 8)
    tensor, _ = preprocess(image, Preprocess((8, 8), scale=1.0, dtype="uint8", layout="nhwc"))
    assert tensor.dtype == np.uint8
    np.testing.assert_array_equal(tensor[0], image)


def test_half_precision_and_grey() -> None:
    image = picture(8, 8)
    how = Preprocess((8, 8), colour="grey", mean=(0.5,), std=(0.5,), dtype="float16")
    tensor, _ = preprocess(image, how)
    assert (tensor.shape, tensor.dtype) == ((1, 1, 8, 8), np.float16)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    np.testing.assert_allclose(tensor[0, 0], (grey / 255 - 0.5) / 0.5, atol=1e-3)


def test_channels_last_is_the_same_tensor_turned() -> None:
    image, how = picture(30, 50), Preprocess((32, 64))
    first, _ = preprocess(image, how)
    last, _ = preprocess(image, replace(how, layout="nhwc"))
    np.testing.assert_array_equal(first.transpose(0, 2, 3, 1), last)


def test_crop_cuts_the_middle() -> None:
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 10:20] = 255
    tensor, frame = preprocess(image, Preprocess((10, 10), fit="crop"))
    assert (tensor == 1).all()
    np.testing.assert_allclose(frame.to_image(np.array([[0, 0, 10, 10]])), [[10, 0, 20, 10]])


def test_boxes_are_clipped_to_the_image() -> None:
    _, frame = preprocess(picture(50, 100), Preprocess((100, 100)))
    np.testing.assert_array_equal(frame.to_image(np.array([[-9, 0, 300, 99.0]])), [[0, 0, 100, 50]])
