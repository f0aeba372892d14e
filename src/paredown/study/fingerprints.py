"""Short texts that differ where images, truth or settings differ: what a resumed study is compared by."""

from __future__ import annotations

import hashlib

import numpy as np

from paredown.sample import Dataset, Labels, Truth


def digest(parts: tuple[str, ...]) -> str:
    """A short fingerprint of an ordered list of strings."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def images_digest(images: Dataset) -> str:
    """Of the image files, in their order."""
    return digest(tuple(s.digest() for s in images))


def truth_digest(images: Dataset) -> str:
    """Of what is true about the images."""
    return digest(tuple(_truth_text(s.truth) for s in images))


def _truth_text(truth: Truth) -> str:
    if not isinstance(truth, Labels):
        return str(truth)
    parts = (truth.boxes, truth.classes, truth.crowd, truth.area)
    return " ".join(np.ascontiguousarray(part).tobytes().hex() for part in parts)
