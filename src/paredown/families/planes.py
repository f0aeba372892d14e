"""Outputs that lie over the image as a grid: which stride, how many channels, and where those stand.

numpy only: the bundle's `detect.py` carries it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STRIDES = (4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Plane:
    """An output (1, channels, h, w) or (1, h, w, channels) over an input: a place for stride x stride
    pixels."""

    channels: int
    stride: int
    channels_last: bool


def find_plane(
    shape: Sequence[int | None], size: tuple[int, int], strides: Sequence[int] = STRIDES
) -> Plane | None:
    """The output as such a plane; None of any other shape. size: (height, width) of the input."""
    if len(shape) != 4 or None in shape:
        return None
    _, first, second, last = (d or 0 for d in shape)
    for channels, places, channels_last in ((first, (second, last), False), (last, (first, second), True)):
        for stride in strides:
            if places == tuple(-(-side // stride) for side in size):
                return Plane(channels, stride, channels_last)
    return None


def find_planes(
    shapes: Sequence[Sequence[int | None]], size: tuple[int, int], strides: Sequence[int] = STRIDES
) -> list[Plane] | None:
    """All outputs as planes, in order; None where one is none."""
    found = [plane for shape in shapes if (plane := find_plane(shape, size, strides)) is not None]
    return found if found and len(found) == len(shapes) else None
