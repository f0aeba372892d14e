"""Every real model in PyTorch: the answers of ONNX Runtime to 1e-4, single and in a batch."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

import pruned
from paredown._compress.quantize.placement.body import body_of
from paredown.data import read_dataset
from paredown.graph.load import load_model, to_proto
from paredown.graph.prepare import prepare
from paredown.graph.run import run_once
from paredown.graph.walk import to_ir, weight_of
from paredown.model import Model

torch = pytest.importorskip("torch", reason="pip install 'paredown[train]'")

from paredown.graph.executor import Executor, threads  # noqa: E402

pytestmark = pytest.mark.real
FOLDER = Path(os.environ.get("PAREDOWN_MATERIAL", "."))
MODELS = sorted(p.stem for p in (FOLDER / "models").glob("*.onnx"))


def pictures(model: Model, data: str, n: int, reach: float) -> list[np.ndarray]:
    height, width = (int(d or 0) for d in model.inputs[0].shape[2:])
    read = [cv2.resize(s.read(), (width, height)) for s in read_dataset(str(FOLDER / data)).samples[:n]]
    return [np.ascontiguousarray(p.transpose(2, 0, 1)[None], np.float32) * (reach / 255) for p in read]


@pytest.mark.skipif(
    "PAREDOWN_MATERIAL" not in os.environ, reason="PAREDOWN_MATERIAL does not point at models"
)
@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_answers_are_those_of_the_runtime(name: str, prepared: bool) -> None:
    model = load_model(FOLDER / "models" / f"{name}.onnx")
    model = prepare(model) if prepared else model
    reach = 255.0 if name.startswith(("yolox", "nanodet")) else 1.0
    image = pictures(model, "data/coco_calib/images", 1, reach)[0]
    executor, kinds = Executor(model), {node.op_type for node in to_proto(model).graph.node}
    with threads(1), torch.no_grad():
        got = executor.run(executor.feeds({model.inputs[0].name: image}))
    for key, want in run_once(model.data, {model.inputs[0].name: image}).items():
        assert got[key].shape == want.shape
        assert pruned.apart(got[key].numpy(), want, ranked="TopK" in kinds) <= 1e-4 * np.abs(want).max()


@pytest.mark.skipif(
    "PAREDOWN_MATERIAL" not in os.environ, reason="PAREDOWN_MATERIAL does not point at models"
)
@pytest.mark.parametrize("name", MODELS)
def test_the_last_convolutions_of_every_model_run_in_a_batch(name: str) -> None:
    model = prepare(load_model(FOLDER / "models" / f"{name}.onnx"))
    graph = to_ir(model).graph
    body = body_of(graph)
    last = [n for n in body if weight_of(n) and not any(u.node in body for u in n.outputs[0].uses())]
    executor = Executor(model, [str(n.outputs[0].name) for n in last])
    with threads(1):
        assert executor.batch_fault() == ""
