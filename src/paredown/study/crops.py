"""Crops of unlabelled images, of anything: more to learn from than the images that calibrate.

A pupil that learns from its teacher's answers needs no images of the task: crops of a few large ones, at
many scales, show enough of what the world looks like. A small input takes many of them.

Source: Asano & Saeed 2021, arXiv 2112.00725 (classifiers distilled from the crops of one image).

Shapes: H, W of the image, h, w of the model's input.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from paredown import data
from paredown.card import Card
from paredown.model import TensorSpec
from paredown.preprocessing.feeds import feed
from paredown.protocols import Feeds
from paredown.sample import Dataset

MOST = 100  # crops of one image
MEMORY = 1 << 29  # bytes that all crops take at half precision
LEAST = 1.5  # times the input's sides a crop has, where the image is so large


def crops(images: Dataset, card: Card, inputs: Sequence[TensorSpec], seed: int = 0) -> Iterator[Feeds]:
    """Feeds: every image whole, then the crops of each. As many as `MEMORY` holds."""
    how = card.preprocess
    held = max(MEMORY // (2 * 3 * how.size[0] * how.size[1]), 1)
    drawn, rng = data.sample(images, held, seed), np.random.default_rng(seed)
    for sample in drawn:
        yield feed(sample.read(), how, inputs)[0]
    for sample in drawn:
        image = sample.read()
        for _ in range(min(_worth(image.shape[:2], how.size), held // len(drawn)) - 1):
            yield feed(_cut(image, how.size, rng), how, inputs)[0]


def _worth(image: tuple[int, int], size: tuple[int, int]) -> int:
    """How many crops show something new: as many as inputs cover the image."""
    return int(np.clip(image[0] * image[1] / (size[0] * size[1]), 1, MOST))


def _cut(image: NDArray[np.uint8], size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A crop (H', W', 3) of the input's proportions, between `LEAST` times its sides and the whole image."""
    whole = min(image.shape[0] / size[0], image.shape[1] / size[1])
    scale = np.exp(rng.uniform(np.log(min(LEAST, whole)), np.log(whole)))
    height, width = (max(int(side * scale), 1) for side in size)
    top, left = rng.integers(0, image.shape[0] - height + 1), rng.integers(0, image.shape[1] - width + 1)
    return np.ascontiguousarray(image[top : top + height, left : left + width])
