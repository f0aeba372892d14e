"""Crops of unlabelled images: every image whole, then as many crops as inputs would cover it."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.card import Card, Preprocess
from paredown.model import TensorSpec
from paredown.sample import Dataset, Sample
from paredown.study import crops as module
from paredown.study.crops import crops


def gradients(*sizes: tuple[int, int]) -> Dataset:
    """Images whose red rises from left to right and whose green from top to bottom."""

    def read(height: int, width: int) -> np.ndarray:
        image = np.zeros((height, width, 3), np.uint8)
        image[..., 0] = np.linspace(0, 255, width)[None]
        image[..., 1] = np.linspace(0, 255, height)[:, None]
        return image

    samples = (
        Sample(f"{i}.png", lambda size=size: read(*size), lambda i=i: str(i)) for i, size in enumerate(sizes)
    )
    return Dataset("made", "plain", ".", (), tuple(samples))


def card(height: int, width: int, fit: str = "crop") -> Card:
    return Card("classifier", "classify", Preprocess((height, width), fit=fit), ("a", "b"))


def tensors(images: Dataset, of: Card, seed: int = 0) -> list[np.ndarray]:
    """The crops as the one input of a model gets them."""
    inputs = (TensorSpec("x", (1, 3, *of.preprocess.size), "float32"),)
    return [feeds["x"] for feeds in crops(images, of, inputs, seed)]


def spans(x: np.ndarray) -> tuple[float, float]:
    """What part of the image's width and height a tensor shows."""
    return float(np.ptp(x[0, 0])), float(np.ptp(x[0, 1]))


def test_a_large_image_gives_many_pieces_of_many_sizes_and_a_small_one_only_itself() -> None:
    made = tensors(gradients((160, 320), (16, 16)), card(16, 16))
    assert {x.shape for x in made} == {(1, 3, 16, 16)}
    assert len(made) == 2 + module.MOST - 1
    down = [spans(x)[1] for x in made[2:]]
    assert 1.4 * 16 / 160 < min(down) < 0.2
    assert 0.8 < max(down) <= 1
    assert spans(made[0])[1] > 0.9  # the whole image comes first


def test_pieces_have_the_proportions_of_the_input() -> None:
    for x in tensors(gradients((200, 200)), card(10, 20, "stretch"))[1:]:
        across, down = spans(x)
        assert across == pytest.approx(2 * down, abs=0.1)


def test_the_same_seed_gives_the_same_pieces() -> None:
    first, second, other = (
        np.concatenate(tensors(gradients((64, 64)), card(16, 16), seed)) for seed in (0, 0, 1)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_no_more_than_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMORY", 2 * 3 * 16 * 16 * 7)
    assert len(tensors(gradients((160, 160), (160, 160)), card(16, 16))) == 6
    assert len(tensors(gradients(*[(160, 160)] * 20), card(16, 16))) == 7
