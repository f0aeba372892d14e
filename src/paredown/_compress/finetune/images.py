"""The images to learn from, and those held out to judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from paredown.graph.torch_ops import Tensor, torch
from paredown.protocols import ImageTensors

HELD_OUT = 16  # images that judge, at most; a tenth of all where there are few
MEMORY = 1 << 30  # bytes of images kept, about 430 of 640 x 640


def read(images: ImageTensors) -> list[Tensor]:
    """As many images as `MEMORY` holds, at half precision."""
    seen: list[Tensor] = []
    for x in images():
        seen.append(torch.from_numpy(x.astype(np.float16 if x.dtype == np.float32 else x.dtype)))
        if sum(y.nbytes for y in seen) > MEMORY:
            break
    return seen


def divide(images: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Held-out images and those to learn from; one image alone is both."""
    every = max(len(images) // HELD_OUT, 10)
    held = list(images[::every])[:HELD_OUT]
    rest = [x for i, x in enumerate(images) if i % every]
    return held, rest or held


def batches(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """The items, so many at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
