"""Whether boxes lie where boxes of an image can lie, and if not, which other way of reading them would.

b: boxes of all images looked at. `form`: the words of a card's [decode] columns for the four of a box.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.families.boxes import Floats
from paredown.families.candidates import box_form, corners, scaled, with_box_form

LEAST_BOXES = 5  # fewer are no ground to judge by
TINY = 2.0  # pixels: no coordinate of any box is beyond, so they are fractions
SMALL = 2.0  # pixels: half of the boxes have no longer side, so two of the columns are no box's
FAR = 4.0  # times the input: fractions that were pixels
DISORDERED = 0.1  # share of boxes with their corners the wrong way round
STRAY = 0.15  # share of boxes whose centre lies outside the image, or that end far outside
REACH = 0.5  # "far": this part of the image beyond its edge
LOOSE = 0.5  # share of boxes that end more than EDGE outside the image
EDGE = 0.1
NEAR = 0.05  # of the image outside it: a share of OUTSIDE is enough where another form has next to none
OUTSIDE = 0.08
CLEAN = 0.01
FORMS = (
    "x1 y1 x2 y2",
    "cx cy w h",
    "y1 x1 y2 x2",
    "x1 y1 w h",
    "cy cx h w",
    "x1 x2 y1 y2",
)
FAMILIAR = {
    "x1 y1 x2 y2": "corners, not centre and size",
    "cx cy w h": "centre and size, not corners",
    "y1 x1 y2 x2": "y first",
    "cy cx h w": "y first",
    "x1 y1 w h": "left top corner and size",
    "x1 x2 y1 y2": "both x before both y",
}


def box_fault(
    boxes: Sequence[Floats],
    contents: Sequence[tuple[float, float, float, float]],
    size: tuple[int, int],
    decode: Mapping[str, object],
) -> tuple[str, str, Mapping[str, object]] | None:
    """What is wrong with likely boxes of several images, what it suggests, and what [decode] would say.

    boxes: (m, 4) each, xyxy in input pixels as read now. contents: where in the input each image lies.
    """
    every = np.concatenate(boxes)
    if len(every) < LEAST_BOXES:
        return None
    region = np.concatenate([np.tile(c, (len(b), 1)) for b, c in zip(boxes, contents, strict=True)])
    reach = float(np.abs(every).max())
    largest = float(max(size))
    if reach <= TINY and decode.get("units", "pixels") == "pixels":
        seen = f"no box reaches beyond {reach:.3g} pixels of an input of {size[1]}x{size[0]}"
        return _as_fractions(seen, boxes, contents, size, decode)
    half = float(np.median(np.maximum(every[:, 2] - every[:, 0], every[:, 3] - every[:, 1])))
    if 0 <= half <= SMALL:
        return (
            f"half of the likely boxes are no longer than {half:.3g} pixels",
            "another order of the columns",
            {},
        )
    median = float(np.median(np.abs(every).max(axis=1)))
    if decode.get("units") == "fractions" and median > FAR * largest:
        seen = f"fractions as large as {reach / largest:.4g}"
        return seen, "pixels instead of fractions", {"units": "pixels"}
    form = box_form(str(decode.get("columns", "")))
    readable = len(form.split()) == 4
    readings = {f: _read_as(every, form, f, size, decode) for f in FORMS if f != form} if readable else {}
    possible = {f: read for f, read in readings.items() if not _wrong(read, region)}
    best = min(possible, key=lambda f: _past(possible[f], region, NEAR), default=None)
    wrong = _wrong(every, region)
    if best is not None:
        wrong = wrong or _worse(every, possible[best], region)
        columns = with_box_form(str(decode["columns"]), best)
        return (wrong, FAMILIAR[best], {"columns": columns}) if wrong else None
    return (wrong, "another order of the columns" if readable else "", {}) if wrong else None


def _as_fractions(
    seen: str,
    boxes: Sequence[Floats],
    contents: Sequence[tuple[float, float, float, float]],
    size: tuple[int, int],
    decode: Mapping[str, object],
) -> tuple[str, str, Mapping[str, object]]:
    """The fault of pixels that are fractions, with all that a card must say: the form of the box as well."""
    if "units" not in decode:
        return seen, "fractions instead of pixels", {}
    units = {"units": "fractions"}
    larger = [scaled(b, "fractions", size) for b in boxes]
    more = box_fault(larger, contents, size, {**decode, **units})
    if more is None or not more[2]:
        return seen, "fractions instead of pixels", units
    return seen, f"fractions instead of pixels, and {more[1]}", {**units, **more[2]}


def _worse(b: Floats, other: Floats, region: NDArray[Any]) -> str:
    """What is wrong with boxes b that is not with the others, in words; "" where they are about as good."""
    outside = _past(b, region, NEAR)
    if _past(other, region, NEAR) > CLEAN or outside < OUTSIDE:
        return ""
    return (
        _wrong(b, region) or f"{outside:.0%} of the likely boxes end outside the image, none read otherwise"
    )


def _past(b: Floats, region: NDArray[Any], part: float) -> float:
    """The share of boxes (n, 4) that end more than that part of the image outside it."""
    extent = region[:, 2:] - region[:, :2]
    past = np.maximum(region[:, :2] - b[:, :2], b[:, 2:] - region[:, 2:]) > part * extent
    return float(past.any(axis=1).mean())


def _wrong(b: Floats, region: NDArray[Any]) -> str:
    """What is wrong with boxes (n, 4), as a sentence with figures; "" where nothing is."""
    disordered = float(((b[:, 2] < b[:, 0]) | (b[:, 3] < b[:, 1])).mean())
    if disordered > DISORDERED:
        return f"the second corner before the first in {disordered:.0%} of the likely boxes"
    for most, part in ((STRAY, REACH), (LOOSE, EDGE)):
        share = _past(b, region, part)
        if share > most:
            return f"{share:.0%} of the likely boxes end more than {part:.0%} of the image outside it"
    centre, margin = (b[:, :2] + b[:, 2:]) / 2, 0.02 * (region[:, 2:] - region[:, :2])
    stray = float(((centre < region[:, :2] - margin) | (centre > region[:, 2:] + margin)).any(axis=1).mean())
    if stray > STRAY:
        return f"the centre of {stray:.0%} of the likely boxes lies outside the image"
    return ""


def _read_as(b: Floats, form: str, other: str, size: tuple[int, int], decode: Mapping[str, object]) -> Floats:
    """The boxes (n, 4) in input pixels that the same four columns hold when they are read as `other`."""
    height, width = size
    scale = np.array((width, height, width, height)) if decode.get("units") == "fractions" else np.ones(4)
    return corners(_columns_of(b / scale, form), other) * scale


def _columns_of(b: Floats, form: str) -> Floats:
    """The four columns that read as `form` give boxes (n, 4) xyxy: `corners` turned round."""
    x1, y1, x2, y2 = b.T
    sides = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "w": x2 - x1, "h": y2 - y1}
    sides |= {"cx": (x1 + x2) / 2, "cy": (y1 + y2) / 2}
    return np.stack([sides[word] for word in form.split()], axis=1)
