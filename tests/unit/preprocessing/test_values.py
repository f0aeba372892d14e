"""Value ranges by word: what they mean, how they are shown, and that both agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paredown.card import Preprocess
from paredown.errors import CardError
from paredown.preprocessing.tensor import preprocess
from paredown.preprocessing.values import (
    NAMED,
    describe,
    describe_values,
    name_of,
    parse_values,
    same_values,
    with_colour,
    with_values,
)

RGB = Preprocess((4, 4), fit="stretch")
RAMP = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)


def fed(how: Preprocess) -> np.ndarray:
    return preprocess(np.full((4, 4, 3), (10, 100, 200), np.uint8), how)[0][0, :, 0, 0]


@pytest.mark.parametrize(
    ("word", "low", "high"),
    [("0..1", 0, 1), ("0..255", 0, 255), ("-1..1", -1, 1), ("-0.5..0.5", -0.5, 0.5), ("1/255", 0, 1),
     ("1/127.5", 0, 2), ("0.5", 0, 127.5), (" 0..1 ", 0, 1), ("0..2", 0, 2)],
)  # fmt: skip
def test_a_word_maps_black_and_white(word: str, low: float, high: float) -> None:
    how = with_values(RGB, parse_values(word))
    for pixel, value in ((0, low), (255, high)):
        tensor = preprocess(np.full((4, 4, 3), pixel, np.uint8), how)[0]
        assert tensor == pytest.approx(value, abs=1e-5)


def test_named_means_follow_the_channel_order() -> None:
    rgb = with_values(RGB, parse_values("imagenet"))
    bgr = with_values(replace(RGB, colour="bgr"), parse_values("ImageNet"))
    assert rgb.mean == (0.485, 0.456, 0.406)
    assert bgr.mean == (0.406, 0.456, 0.485)
    assert fed(rgb)[::-1] == pytest.approx(fed(bgr))
    assert with_colour(rgb, "bgr") == bgr
    caffe = with_values(replace(RGB, colour="bgr"), parse_values("caffe"))
    assert caffe.mean == (104.0, 117.0, 123.0)
    grey = Preprocess((4, 4), colour="grey", mean=(0.0,), std=(1.0,))
    assert with_values(grey, parse_values("imagenet")).mean == (0.456,)


@pytest.mark.parametrize(
    "word", ["", "0-1", "1..0", "0..0", "0..inf", "1/0", "-3", "imagnet", "nan", "0..1..2"]
)
def test_a_wrong_word_is_refused_with_the_right_ones(word: str) -> None:
    with pytest.raises(CardError, match="imagenet"):
        parse_values(word)


def test_the_same_values_spelled_differently_have_the_same_name() -> None:
    in_pixels = replace(RGB, scale=1.0, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
    assert name_of(in_pixels) == "imagenet"
    assert name_of(replace(RGB, mean=(0.5,) * 3, std=(0.5,) * 3)) == "-1..1"
    assert name_of(replace(RGB, scale=1.0, mean=(1.0, 2.0, 3.0))) is None


def test_words_for_a_person() -> None:
    assert describe(replace(RGB, fit="letterbox")) == "RGB, 0..1, letterbox (pad 114)"
    assert describe_values(replace(RGB, scale=1.0, mean=(127.5,) * 3, std=(127.5,) * 3)) == "-1..1"
    ultraface = replace(RGB, scale=1.0, mean=(127.0,) * 3, std=(128.0,) * 3)
    assert describe_values(ultraface) == "0..255 minus 127 over 128 (about -0.992..1)"
    odd = replace(RGB, scale=0.017, mean=(1.0, 2.0, 3.0))
    assert describe_values(odd) == "0.017 x minus (1, 2, 3) (about -3..3.33)"


@given(st.sampled_from(sorted(NAMED)), st.sampled_from(["rgb", "bgr"]))
def test_every_name_reads_back(name: str, colour: str) -> None:
    how = with_values(replace(RGB, colour=colour), NAMED[name])  # type: ignore[arg-type]
    assert name_of(how) == name
    assert same_values(how, with_values(how, parse_values(name)))


@given(st.floats(-10, 10), st.floats(0.1, 20))
def test_any_range_reads_back_to_a_hundredth_of_a_pixel(low: float, width: float) -> None:
    how = with_values(RGB, parse_values(f"{low:.4f}..{low + width:.4f}"))
    word = name_of(how)
    assert word is not None
    assert same_values(how, with_values(RGB, parse_values(word)))
