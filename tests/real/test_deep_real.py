"""deep on a small real classifier: a twelfth of the file once packed, hardly another answer."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nets
import paredown
from paredown._compress.pack import pdz
from paredown.data import read_dataset
from paredown.sample import Dataset
from paredown.study.bench import FedImages

pytestmark = pytest.mark.real


def _some(images: Dataset, start: int, end: int) -> Dataset:
    return replace(images, samples=images.samples[start:end])


def test_a_twelfth_of_the_file_answers_alike() -> None:
    if "PAREDOWN_MATERIAL" not in os.environ:
        pytest.skip("PAREDOWN_MATERIAL does not point at the real models")
    folder = Path(os.environ["PAREDOWN_MATERIAL"])
    images = read_dataset(str(folder / "data/cifar10/calib.zip"))
    model = paredown.load(folder / "models" / "resnet20_cifar10.onnx", _some(images, 0, 20))
    assert model.card is not None
    made = paredown.compress(model, "deep", _some(images, 0, 200), threads=1).model
    packed = pdz.pack(made.data)
    assert model.size_bytes >= 12 * len(packed)
    assert pdz.unpack(packed) == made.data
    judged = list(FedImages(_some(images, 200, 300), model.card, model.inputs))
    want, got = (np.concatenate([nets.run(m, *x.values())[0] for x in judged]) for m in (model, made))
    assert (want.argmax(1) == got.argmax(1)).mean() >= 0.9
