"""qat on a small real classifier: nearer to the float model, the same in the runtime as in the executor."""

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

torch = pytest.importorskip("torch", reason="pip install 'paredown[train]'")

from paredown.graph.executor import Executor  # noqa: E402

pytestmark = pytest.mark.real


def test_four_bit_weights_learn_what_rounding_lost() -> None:
    if "PAREDOWN_MATERIAL" not in os.environ:
        pytest.skip("PAREDOWN_MATERIAL does not point at the real models")
    folder = Path(os.environ["PAREDOWN_MATERIAL"])
    model = prepare(load_model(folder / "models" / "resnet20_cifar10.onnx"))
    read = [cv2.resize(s.read(), (32, 32)) for s in read_dataset(str(folder / "data/cifar10/calib.zip"))]
    mean, std = np.array([125.3, 123.0, 113.9]), np.array([63.0, 62.1, 66.7])
    images = [((p - mean) / std).transpose(2, 0, 1)[None].astype(np.float32) for p in read]
    half = len(images) // 2
    learn, judge = [{model.inputs[0].name: x} for x in images[:half]], images[half:]
    made = {
        recipe: nets.compressed(model, recipe, given=lambda: learn, threads=1).model
        for recipe in ("w4a8-all", "w4a8-all+qat-steps60")
    }
    want = np.concatenate([nets.run(model, i)[0] for i in judge])
    errors = {
        r: nets.agreement(want, np.concatenate([nets.run(m, i)[0] for i in judge])) for r, m in made.items()
    }
    assert errors["w4a8-all+qat-steps60"] < 0.75 * errors["w4a8-all"]
    executor = Executor(made["w4a8-all+qat-steps60"])
    with torch.no_grad():
        mine = next(
            iter(executor.run(executor.feeds({model.inputs[0].name: np.concatenate(judge)})).values())
        ).numpy()
    theirs = np.concatenate([nets.run(made["w4a8-all+qat-steps60"], i)[0] for i in judge])
    assert (mine.argmax(1) == theirs.argmax(1)).mean() >= 0.99
