"""The values that pixels 0..255 become, by name: what `--scale` takes and what a person is shown.

x = (pixel * scale - mean) / std, the means and deviations given here in the order red, green, blue.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from paredown.card import Card, Preprocess
from paredown.errors import CardError

T = TypeVar("T")

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CAFFE_MEAN = (123.0, 117.0, 104.0)
_NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"
FED = "preprocessing"  # the key of `Card.origin` that says where the preprocessing comes from
_SHORT = 11  # letters of a range that is easier to read than the arithmetic behind it
EXPECTED = "0..1, 0..255, -1..1, any LOW..HIGH, imagenet, caffe, or a factor such as 1/255"


@dataclass(frozen=True)
class Values:
    """One way to turn pixels into numbers; `mean` and `std` in the order red, green, blue."""

    scale: float
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)


NAMED = {
    "0..1": Values(1 / 255),
    "0..255": Values(1.0),
    "-1..1": Values(1.0, (127.5,) * 3, (127.5,) * 3),
    "imagenet": Values(1 / 255, IMAGENET_MEAN, IMAGENET_STD),  # torchvision, timm
    "caffe": Values(1.0, CAFFE_MEAN),
}


def parse_values(text: str) -> Values:
    """The values that a word of `--scale` or of a card means. Raises CardError."""
    word = text.strip().lower()
    if word in NAMED:
        return NAMED[word]
    bounds = re.fullmatch(rf"({_NUMBER})\.\.({_NUMBER})", word)
    if bounds is not None and float(bounds[1]) < float(bounds[2]) < math.inf:
        low, high = float(bounds[1]), float(bounds[2])
        return Values((high - low) / 255, (-low,) * 3)
    factor = re.fullmatch(rf"({_NUMBER})(?:/({_NUMBER}))?", word)
    if factor is not None and float(factor[2] or 1) != 0:
        scale = float(factor[1]) / float(factor[2] or 1)
        if 0 < scale < math.inf:
            return Values(scale)
    raise CardError("no such range of input values", got=repr(text), expected=EXPECTED)


def with_values(how: Preprocess, values: Values) -> Preprocess:
    """The preprocessing with those values, in the channel order that it has."""
    mean, std = in_order(values.mean, how.colour), in_order(values.std, how.colour)
    return replace(how, scale=values.scale, mean=mean, std=std)


def with_colour(how: Preprocess, colour: str) -> Preprocess:
    """The preprocessing with the other channel order; means and deviations move with their channels."""
    if colour == how.colour or "grey" in (colour, how.colour):
        return how
    return replace(how, colour=colour, mean=how.mean[::-1], std=how.std[::-1])  # type: ignore[arg-type]


def in_order(rgb: tuple[T, ...], colour: str) -> tuple[T, ...]:
    """Three values for red, green, blue in the order of `colour`; the green one stands for grey."""
    return rgb[1:2] if colour == "grey" else rgb[::-1] if colour == "bgr" else rgb


def slope_and_start(how: Preprocess) -> list[tuple[float, float]]:
    """Per channel (a, b) of x = a * pixel + b: the same for every spelling of the same values."""
    return [(how.scale / s, -m / s) for m, s in zip(how.mean, how.std, strict=True)]


def same_values(a: Preprocess, b: Preprocess) -> bool:
    """Whether both give every pixel the same value, to a hundredth of a pixel."""
    mine, other = slope_and_start(a), slope_and_start(b)
    return len(mine) == len(other) and all(
        math.isclose(x, y, rel_tol=1e-3, abs_tol=1e-2 * abs(p[0]))
        for p, q in zip(mine, other, strict=True)
        for x, y in zip(p, q, strict=True)
    )


def nearly_same(a: Preprocess, b: Preprocess) -> bool:
    """Whether both feed the same but for a hundredth of the range, such as (x - 127) / 128 and -1..1."""
    if (a.size, a.fit, a.colour, a.pad) != (b.size, b.fit, b.colour, b.pad):
        return False
    ends = [np.array(_ends(how)) for how in (a, b)]
    return bool((abs(ends[0] - ends[1]) <= 0.01 * abs(ends[0][1] - ends[0][0])).all())


def name_of(how: Preprocess) -> str | None:
    """The word of `--scale` that means these values; None where only numbers say it."""
    for name, values in NAMED.items():
        if same_values(how, with_values(how, values)):
            return name
    low, high = _ends(how)
    if max(low) - min(low) < 1e-6 and max(high) - min(high) < 1e-6:
        return f"{_plain(low[0])}..{_plain(high[0])}"
    return None


def describe_values(how: Preprocess) -> str:
    """The values in words: "0..1", "ImageNet mean and deviation (about -2.1..2.6)"."""
    name = name_of(how)
    low, high = _ends(how)
    about = f"about {min(low):.3g}..{max(high):.3g}"
    if name == "imagenet":
        return f"ImageNet's mean and deviation ({about})"
    if name is not None and name != "caffe" and len(name) <= _SHORT:
        return name
    words = "0..255" if how.scale == 1 else "0..1" if math.isclose(how.scale, 1 / 255) else f"{how.scale:g} x"
    words += f" minus {_numbers(how.mean)}" if any(how.mean) else ""
    words += f" over {_numbers(how.std)}" if any(s != 1 for s in how.std) else ""
    return f"{words} ({about})"


def describe(how: Preprocess) -> str:
    """What the model is fed, in words: "RGB, 0..1, letterbox (pad 114)"."""
    colour = "grey" if how.colour == "grey" else how.colour.upper()
    fit = f"{how.fit} (pad {how.pad:g})" if how.fit.startswith("letterbox") else how.fit
    return f"{colour}, {describe_values(how)}, {fit}"


def feeding(card: Card) -> str:
    """How the model is fed and why, in one line; sizes are width x height."""
    height, width = card.preprocess.size
    why = card.origin.get(FED, "as the card says")
    return f"preprocessing: {card.family}, {width}x{height}, {describe(card.preprocess)}; why: {why}"


def feeding_values(card: Card) -> dict[str, object]:
    """The same as plain values, for machines."""
    how = card.preprocess
    return {
        "family": card.family,
        "size": {"width": how.size[1], "height": how.size[0]},
        "fit": how.fit,
        "pad": how.pad if how.fit.startswith("letterbox") else None,
        "colour": how.colour,
        "values": describe_values(how),
        "scale": how.scale,
        "mean": how.mean,
        "std": how.std,
        "layout": how.layout,
        "dtype": how.dtype,
        "words": describe(how),
        "why": card.origin.get(FED, "as the card says"),
    }


def _ends(how: Preprocess) -> tuple[list[float], list[float]]:
    lines = slope_and_start(how)
    return [b for _, b in lines], [255 * a + b for a, b in lines]


def _plain(value: float) -> str:
    return f"{round(value, 6):g}" if abs(value) > 1e-9 else "0"


def _numbers(values: Sequence[float]) -> str:
    same = len(set(values)) == 1
    return f"{values[0]:g}" if same else f"({', '.join(f'{v:g}' for v in values)})"
