"""What the pictures of all tasks share: colours of what changed, and the names of classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card

CHANGED = {"missed": (230, 81, 0), "new": (0, 122, 204), "class": (170, 0, 170)}  # RGB
Canvas = NDArray[np.uint8]  # (H, W, 3) RGB


def class_name(index: int, card: Card) -> str:
    """The name of a class, "?" where the card has none."""
    return card.classes[index] if index < len(card.classes) else "?"
