"""CenterNet and its kin (TTFNet, MobileNetV3-CenterNet): objects as peaks of a heat map for each class.

Outputs over one grid of stride s, (1, K, h, w) or (1, h, w, K), in any order:

    heat     C channels   how likely each place is the centre of an object, 0..1 or before a sigmoid
    extent   2 channels   width and height, in places of the grid;     centre = place + offset
             4 channels   distances to the left, top, right and bottom side, in pixels;     centre = place
    offset   2 channels   of the centre within its place; where there is none, half a place each way

A peak is what no neighbour of its 3 x 3 exceeds; there is no NMS.
Source: Zhou, Wang, Kraehenbuehl, Objects as Points, 2019, arXiv 1904.07850, section 4; Liu et al., TTFNet,
2019, arXiv 1909.00700, section 3 (distances).
Differs from the source: of equal neighbours one is a peak, not all. In 8 bits many peaks are flat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import permutations
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.families.boxes import Floats, centre_to_corners, distances_to_corners, sigmoid
from paredown.families.candidates import Candidates
from paredown.families.family import Match, match_of
from paredown.families.features import Features
from paredown.families.head import without_nms
from paredown.families.outputs import spell
from paredown.families.planes import find_planes
from paredown.preprocessing.values import IMAGENET_MEAN, IMAGENET_STD

NAME = "centernet"
TASK = "detect"
SUMMARY = "CenterNet, TTFNet: heat maps of centres with the sizes of boxes beside them"
FINE = (2, 4, 8)
MOST = 100  # detections of an image, as its authors take
FAR = 1.5  # places of the grid: no offset is larger


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> Candidates:
    """The box of every place of the grid that has a peak of `least`, with its peaks; 0 where it has none.

    card.decode: `heat`, `extent`, `offset` give the outputs' positions, -1 for none; `channels` = "first" or
    "last"; `activation` = "sigmoid" where it is left to do.
    """
    heat, extent, offset = _maps(outputs, card)
    heat = sigmoid(heat) if card.decode["activation"] == "sigmoid" else heat
    rows, columns = heat.shape[:2]
    peaks = np.where(_is_peak(heat), heat, 0).reshape(rows * columns, -1)
    kept = np.flatnonzero(~(peaks.max(axis=1) < least))  # what is no number stays, to be noticed
    y, x = np.divmod(kept, columns)
    places = np.stack([x, y], axis=1).astype(np.float32)
    stride = np.array(card.preprocess.size[::-1], np.float32) / (columns, rows)
    sides = extent.reshape(rows * columns, -1)[kept]
    if sides.shape[1] == 4:
        return Candidates(distances_to_corners(places * stride, sides), peaks[kept])
    centres = places + (0.5 if offset is None else offset.reshape(rows * columns, 2)[kept])
    boxes = centre_to_corners(np.concatenate([centres * stride, sides * stride], axis=1))
    return Candidates(boxes, peaks[kept])


decode = partial(without_nms, candidates)


def unlike(outputs: Mapping[str, Any], card: Card) -> str:
    """What in the answer this family never gives: centres that lie outside their places."""
    _, _, offset = _maps(outputs, card)
    if offset is None or np.abs(offset).max() <= FAR:
        return ""
    return f"offsets of centres up to {np.abs(offset).max():.3g} places, which are rather sizes"


def matches(features: Features) -> Match | None:
    """The match of a heat map with sizes, and perhaps offsets, over the same grid."""
    planes = find_planes([o.shape for o in features.outputs], features.size, FINE)
    if features.task not in (None, "detect") or planes is None or len(planes) not in (2, 3):
        return None
    roles = [r for r in permutations(range(len(planes))) if _fit([planes[i].channels for i in r])]
    classes = {planes[r[0]].channels for r in roles}
    if len({(p.channels_last, p.stride) for p in planes}) != 1 or len(classes) != 1:
        return None  # of two classes any of the maps could be the heat
    first = planes[0]
    where = f"on a grid of stride {first.stride}"
    why = f"outputs {spell(features.outputs)}: heat maps of centres and sizes {where}"
    usual: list[dict[str, object]] = [
        {
            "heat": heat,
            "extent": extent,
            "offset": offset[0] if offset else -1,
            "channels": "last" if first.channels_last else "first",
            "activation": "none" if "Sigmoid" in features.outputs[heat].tail else "sigmoid",
        }
        for heat, extent, *offset in roles
    ]
    (n_classes,) = classes
    readings = [
        features.cards(NAME, TASK, n_classes, _INPUTS, decode=how, settled=False, why=why)
        for how in features.readings(*usual)
    ]
    found = [tuple(replace(card, max_detections=MOST) for card in cards) for cards in readings]
    return match_of(found, 0.8, why, settled=False)


def _fit(channels: Sequence[int]) -> bool:
    """Whether maps of so many channels can be heat, extent and offset, in this order."""
    heat, extent, *offset = channels
    if heat in (2, 4):
        return False
    return extent in (2, 4) if not offset else (extent, *offset) == (2, 2)


def _maps(outputs: Mapping[str, Any], card: Card) -> tuple[Floats, Floats, Floats | None]:
    """heat (h, w, C), extent (h, w, 2 or 4), offset (h, w, 2) or None."""
    answers = [np.asarray(a[0], np.float32) for a in outputs.values()]
    if card.decode["channels"] == "first":
        answers = [a.transpose(1, 2, 0) for a in answers]
    heat, extent, offset = (cast("int", card.decode[key]) for key in ("heat", "extent", "offset"))
    return answers[heat], answers[extent], None if offset == -1 else answers[offset]


def _is_peak(heat: Floats) -> NDArray[np.bool_]:
    """(h, w, C) whether no neighbour is larger. Of equal neighbours, as rounding makes them, the first is."""
    rows, columns = heat.shape[:2]
    around = np.pad(heat, ((1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    shifted = [around[y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
    before, behind = np.maximum.reduce(shifted[:4]), np.maximum.reduce(shifted[5:])
    found: NDArray[np.bool_] = (heat > before) & (heat >= behind)
    return found


# The mean and deviation of the authors' own data loader, in the order blue, green, red.
_OWN = {"mean": (0.408, 0.447, 0.470), "std": (0.289, 0.274, 0.278), "colour": "bgr"}
_INPUTS: tuple[dict[str, Any], ...] = (
    {"fit": "letterbox", "pad": 0.0, **_OWN},
    {"fit": "stretch", **_OWN},
    {"fit": "stretch", "scale": 1.0},
    {"fit": "stretch", "scale": 1.0, "colour": "bgr"},
    {"fit": "stretch"},
    {"fit": "stretch", "mean": IMAGENET_MEAN, "std": IMAGENET_STD},
)
