"""What a promptable model is asked about an image: points and the corners of a box, and how they are fed.

Labels are SAM's: 1 a point of the object, 0 of what is around it, 2 and 3 the corners of its box, -1 nothing.
Sources: Kirillov et al., Segment Anything, 2023, arXiv 2304.02643; facebookresearch/segment-anything,
`segment_anything/utils/onnx.py`. numpy and the plain nouns only: the bundle's `detect.py` carries this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.preprocessing.letterbox import Frame

NOTHING, OBJECT, FIRST, SECOND = -1, 1, 2, 3
KINDS = ("box", "point", "moved box", "grid point")
BOX, POINT, MOVED, GRID = range(4)
POINTS, LABELS, ASKED = "points", "labels", "asked"
"""Keys of a card's [decode]: the inputs that take a prompt, and whether that is a "box" or a "point"."""


@dataclass(frozen=True)
class Prompt:
    """One question about one image.

    points: x, y in pixels of the image; labels: of each; kind: of `KINDS`; thing: the index of the true
    object that it asks for, -1 where there is none.
    """

    points: tuple[tuple[float, float], ...]
    labels: tuple[int, ...]
    kind: int
    thing: int = -1

    @classmethod
    def of_box(cls, box: NDArray[np.floating[Any]], kind: int, thing: int) -> Prompt:
        """The prompt of a box x1 y1 x2 y2."""
        x1, y1, x2, y2 = (float(v) for v in box)
        return cls(((x1, y1), (x2, y2)), (FIRST, SECOND), kind, thing)

    @classmethod
    def of_point(cls, x: float, y: float, kind: int, thing: int = -1) -> Prompt:
        """The prompt of one point of the object."""
        return cls(((float(x), float(y)),), (OBJECT,), kind, thing)


def takes_prompts(card: Card) -> bool:
    """Whether the model of the card answers about what it is asked for."""
    return POINTS in card.decode and LABELS in card.decode


def with_prompt(
    feeds: Mapping[str, NDArray[Any]], prompt: Prompt, card: Card, frame: Frame
) -> dict[str, NDArray[Any]]:
    """The feeds of an image with that prompt in the inputs that the card names; places that are left hold
    nothing.

    Raises: ValueError where the model takes fewer points.
    """
    at, of = str(card.decode[POINTS]), str(card.decode[LABELS])
    points, labels = np.zeros_like(feeds[at]), np.full_like(feeds[of], NOTHING)
    if len(prompt.points) > labels.size:
        raise ValueError(f"a prompt of {len(prompt.points)} points, and the model takes {labels.size}")
    placed = np.asarray(prompt.points, np.float64) * frame.scale + frame.offset
    points.reshape(-1, 2)[: len(placed)] = placed
    labels.reshape(-1)[: len(placed)] = prompt.labels
    return {**feeds, at: points, of: labels}


def asked_by(card: Card, prompt: Prompt) -> Card:
    """The card that reads the answer to that prompt: a box leaves no doubt which object is meant."""
    asked = "box" if prompt.kind in (BOX, MOVED) else "point"
    return replace(card, decode={**card.decode, ASKED: asked})
