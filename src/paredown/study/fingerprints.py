"""Short texts that differ where images, truth or settings differ: what a resumed study is compared by."""

from __future__ import annotations

import hashlib

from paredown.sample import Dataset
from paredown.tasks import TASKS

RULES = {"segment": 2}
"""Task -> the number of the rules that it is judged by, where they have changed: figures by other rules stand
in no study with ours. segment 2: pixels of classes that the model does not know are its background."""


def digest(parts: tuple[str, ...]) -> str:
    """A short fingerprint of an ordered list of strings."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def images_digest(images: Dataset) -> str:
    """Of the image files, in their order."""
    return digest(tuple(s.digest() for s in images))


def truth_digest(images: Dataset) -> str:
    """Of what is true about the images."""
    text = str if images.task is None else TASKS[images.task].truth_text
    return digest(tuple(text(s.truth) for s in images))
