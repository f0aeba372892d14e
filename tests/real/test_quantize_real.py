"""INT8 on two small real models: the answers stay close to the float model's."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

import nets
from paredown.data import read_dataset
from paredown.graph.load import load_model
from paredown.graph.prepare import prepare
from paredown.model import Model

pytestmark = pytest.mark.real


@pytest.fixture
def material() -> Path:
    if "PAREDOWN_MATERIAL" not in os.environ:
        pytest.skip("PAREDOWN_MATERIAL does not point at the real models")
    return Path(os.environ["PAREDOWN_MATERIAL"])


def inputs_from(data: Path, model: Model, n: int) -> list[dict[str, np.ndarray]]:
    """n pictures stretched to the model's input, 0..1, RGB; in normal use the model's card says how."""
    height, width = (int(d or 0) for d in model.inputs[0].shape[2:])
    pictures = [cv2.resize(s.read(), (width, height)) for s in read_dataset(str(data)).samples[:n]]
    assert len(pictures) == n
    tensors = [np.ascontiguousarray(p.transpose(2, 0, 1)[None], np.float32) / 255 for p in pictures]
    return [{model.inputs[0].name: x} for x in tensors]


@pytest.mark.parametrize(
    ("name", "data"), [("resnet20_cifar10", "cifar10/calib.zip"), ("yolo_fastest_1_1_xl", "coco_calib")]
)
def test_int8_keeps_the_answers(material: Path, name: str, data: str) -> None:
    model = prepare(load_model(material / "models" / f"{name}.onnx"))
    images = inputs_from(material / "data" / data, model, 12)
    made = nets.compressed(model, "int8", given=lambda: images[:8], threads=1).model
    assert made.size_bytes < 0.5 * model.size_bytes
    assert nets.ops(nets.optimized(made).graph.node)["QLinearConv"] >= 10
    answers = [zip(nets.run(model, i), nets.run(made, i), strict=True) for i in images[8:]]
    by_output = zip(*answers, strict=True)
    for pairs in by_output:
        want, got = (np.concatenate([p[k].ravel() for p in pairs]) for k in (0, 1))
        assert np.corrcoef(want, got)[0, 1] > 0.98


def test_fitted_levels_are_nearer_than_even_ones_and_fold_when_loaded(material: Path) -> None:
    """On pictures not seen, in a graph that is INT8's once it is loaded."""
    model = prepare(load_model(material / "models" / "yolov5n.onnx"))
    images = inputs_from(material / "data" / "coco_calib", model, 16)
    made = [
        nets.compressed(model, recipe, given=lambda: images[:12], threads=1).model
        for recipe in ("cle+w4a8-pc-mse+gptq+pack", "cle+w4a8-pc-mse-even+gptq+pack")
    ]
    fitted, even = made
    assert fitted.size_bytes < even.size_bytes * 1.02
    assert nets.ops(nets.optimized(fitted).graph.node) == nets.ops(nets.optimized(even).graph.node)
    apart = [
        np.mean([nets.agreement(nets.run(model, i)[0], nets.run(m, i)[0]) for i in images[12:]]) for m in made
    ]
    assert apart[0] < 0.9 * apart[1]
