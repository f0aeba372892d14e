"""Mixed precision on real models: times belong to nodes, choices keep what they promise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paredown import api, data
from paredown.graph.load import load_model, to_proto
from paredown.graph.prepare import prepare
from paredown.runtimes.onnxruntime_nodes import node_times

pytestmark = pytest.mark.real
MODELS = ("nanodet_m_320", "yolov5n", "yolo_fastest_1_1_xl", "yolox_nano", "squeezenet1_1", "mobilenet_v2")


@pytest.fixture
def material() -> Path:
    if "PAREDOWN_MATERIAL" not in os.environ:
        pytest.skip("PAREDOWN_MATERIAL does not point at the real models")
    return Path(os.environ["PAREDOWN_MATERIAL"])


@pytest.mark.parametrize("name", MODELS)
def test_nearly_all_of_the_time_belongs_to_nodes(material: Path, name: str) -> None:
    model = prepare(load_model(material / "models" / f"{name}.onnx"))
    (times,) = node_times([model], threads=1, rounds=3)
    assert times.unmapped_s < 0.02 * times.total_s
    products = {n.name for n in to_proto(model).graph.node if n.op_type in ("Conv", "Gemm")}
    without = products - times.seconds.keys()
    assert len(without) <= 0.05 * len(products)


@pytest.mark.slow
def test_mixed_keeps_the_limit_it_was_given(material: Path) -> None:
    images = api.read_dataset(str(material / "data" / "cifar10/calib.zip"))
    calibration = data.sample(images, 50)
    model = api.load(material / "models" / "resnet20_cifar10.onnx", calibration)
    others = data.sample(data.without(images, calibration), 200)
    made = api.compress(model, "cle+mix-drop1", calibration, choose_on=others, threads=1)
    judged = [r for r in made.log if not r.where and "points" in r.data]
    chosen = next(r for r in judged if r.data["chosen"])
    assert float(str(chosen.data["expected"])) + float(str(chosen.data["noise"])) <= 1.0
    layers = [r for r in made.log if "choice" in r.data]
    assert len(layers) == sum(n.op_type in ("Conv", "Gemm") for n in to_proto(model).graph.node)
    assert made.model.size_bytes < 0.6 * model.size_bytes
