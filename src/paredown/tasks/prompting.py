"""Which prompts a promptable model is judged by: a rule, the same for every model and every run.

Of each true object that is no crowd, at most the MOST_THINGS largest of an image: its box; the pixel of its
mask that lies farthest from the mask's border, or the middle of the box where no mask is known; and
TIMES_MOVED boxes with each side moved at random by a tenth of the box's length, at most 20 pixels. Where
nothing is known of an image: points on a grid of SIDE x SIDE.
Source: Kirillov et al., Segment Anything, 2023, arXiv 2304.02643, section 7.1 and appendix D.1 (the point of
the largest interior distance), appendix A (noise of 10 % of a box's length, at most 20 pixels), section 5
(the grid).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown.detections import Mask
from paredown.metrics.overlaps import drawn
from paredown.preprocessing.prompts import BOX, GRID, MOVED, POINT, Prompt
from paredown.sample import Labels, Outline, Truth

MOST_THINGS = 8  # of one image
TIMES_MOVED = 3
NOISE, MOST_NOISE = 0.1, 20.0  # of a box's length; pixels
SIDE = 3  # of the grid


def prompts_of(truth: Truth, size: tuple[int, int]) -> tuple[Prompt, ...]:
    """The prompts for one image of `size` (height, width), always in the same order: none where an image is
    known to hold no object."""
    if not isinstance(truth, Labels):
        return _grid(size)
    found: list[Prompt] = []
    for i in things(truth):
        box = truth.boxes[i].astype(np.float64)
        x, y = _inside(mask_of(truth, i), box)
        found += [Prompt.of_box(box, BOX, i), Prompt.of_point(x, y, POINT, i)]
        found += [Prompt.of_box(moved, MOVED, i) for moved in _moved(box, i)]
    return tuple(found)


def things(truth: Labels) -> list[int]:
    """The indices of the objects that are asked for, in the order of the truth."""
    sides = truth.boxes[:, 2:] - truth.boxes[:, :2]
    able = np.flatnonzero(~truth.crowd & (sides.min(axis=1, initial=np.inf) > 0))
    largest = able[np.argsort(-truth.area[able], kind="stable")[:MOST_THINGS]]
    return [int(i) for i in np.sort(largest)]


def mask_of(truth: Labels, i: int) -> Mask | None:
    """The mask of the object; None where it is not known or holds no pixel."""
    mask = None if truth.masks is None else truth.masks[i]
    if isinstance(mask, Outline):
        mask = drawn(mask) if mask.shape else None
    return mask if mask is not None and mask.area else None


def _inside(mask: Mask | None, box: NDArray[np.float64]) -> tuple[float, float]:
    """x, y of the middle of the pixel that lies deepest in the mask, else of the middle of the box."""
    if mask is None:
        return float(box[0::2].mean()), float(box[1::2].mean())
    pixels = np.pad(mask.pixels.astype(np.uint8), 1)  # the border of the image is one of the mask
    depth = cv2.distanceTransform(pixels, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(column) + 0.5, float(row) + 0.5


def _moved(box: NDArray[np.float64], thing: int) -> list[NDArray[np.float64]]:
    """TIMES_MOVED boxes near it, none of them turned inside out."""
    rng = np.random.default_rng([thing, 2304])
    lengths = np.tile(box[2:] - box[:2], 2)
    found = []
    for noise in rng.normal(0, NOISE, (TIMES_MOVED, 4)):
        shift = np.clip(noise * lengths, -MOST_NOISE, MOST_NOISE)
        shift = np.clip(shift, -0.4 * lengths, 0.4 * lengths)
        found.append(box + shift)
    return found


def _grid(size: tuple[int, int]) -> tuple[Prompt, ...]:
    """The middles of SIDE x SIDE equal parts of the image, row by row."""
    places = (np.arange(SIDE) + 0.5) / SIDE
    return tuple(Prompt.of_point(x * size[1], y * size[0], GRID) for y in places for x in places)
