"""The images to learn from, and those held out to judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from paredown.graph.torch_ops import Tensor, torch
from paredown.protocols import Array, FeedSource

FeedTensors = dict[str, Tensor]
"""A batch for each input of a model, by name."""

HELD_OUT = 16  # images that judge, at most; a tenth of all where there are few
MEMORY = 1 << 30  # bytes of images kept, about 430 of 640 x 640


def read(images: FeedSource) -> list[FeedTensors]:
    """As many images as `MEMORY` holds, at half precision."""
    seen: list[FeedTensors] = []
    held = 0
    for feeds in images():
        seen.append({name: torch.from_numpy(_half(x)) for name, x in feeds.items()})
        held += sum(x.nbytes for x in seen[-1].values())
        if held > MEMORY:
            break
    return seen


def _half(x: Array) -> Array:
    return x.astype(np.float16) if x.dtype == np.float32 else x


def together(images: Sequence[FeedTensors]) -> FeedTensors:
    """One batch of several images."""
    return {name: torch.cat([image[name] for image in images]) for name in images[0]}


def divide(images: Sequence[FeedTensors]) -> tuple[list[FeedTensors], list[FeedTensors]]:
    """Held-out images and those to learn from; one image alone is both."""
    every = max(len(images) // HELD_OUT, 10)
    held = list(images[::every])[:HELD_OUT]
    rest = [x for i, x in enumerate(images) if i % every]
    return held, rest or held


def batches(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """The items, so many at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
