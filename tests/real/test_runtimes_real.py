"""Real models in the other runtimes: float answers are ONNX Runtime's, and node times have an owner."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from paredown._compress.compress import compress
from paredown._compress.presets import parse_recipe
from paredown._compress.quantize.placement.plan import place
from paredown._compress.recipe import Context
from paredown.errors import MissingDependency
from paredown.graph.load import load_model
from paredown.graph.prepare import prepare
from paredown.graph.run import random_feeds, run_once
from paredown.graph.walk import to_ir, weight_of
from paredown.runtimes import runtime
from paredown.testing.runtimes import DEVICE

pytestmark = pytest.mark.real
MODELS = ("nanodet_m_320", "yolox_nano")
NEAR = 1e-3  # of an output's range


@pytest.fixture
def material():
    if "PAREDOWN_MATERIAL" not in os.environ:
        pytest.skip("PAREDOWN_MATERIAL does not point at the real models")
    return Path(os.environ["PAREDOWN_MATERIAL"])


def installed(name):
    try:
        runtime(name).version()
    except MissingDependency as error:
        pytest.skip(f"{error.what}: {error.hint}")
    return runtime(name)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("other", ["openvino", "ncnn"])
def test_answers_are_those_of_onnx_runtime(material, tmp_path, other, name):
    model = load_model(material / "models" / f"{name}.onnx")
    found = installed(other)
    session = found.open(found.build(model.data, DEVICE, tmp_path), threads=1)
    feeds = random_feeds(model, seed=5)
    answers, wanted = session.run(feeds), run_once(model.data, feeds)
    assert list(answers) == list(wanted)
    for output, want in wanted.items():
        assert answers[output].shape == want.shape
        assert np.abs(answers[output] - want).max() <= NEAR * np.ptp(want)


def test_nearly_all_of_openvino_s_time_belongs_to_nodes(material):
    installed("openvino")
    times = runtime("openvino").node_times
    (found,) = times([load_model(material / "models" / "nanodet_m_320.onnx")], threads=1)
    assert found.unmapped_s <= 0.02 * found.total_s


@pytest.mark.slow
@pytest.mark.parametrize("name", ["yolov8n", "yolov5n", "yolox_nano", "nanodet_m_416"])
def test_every_product_that_is_planned_for_openvino_runs_in_integers(material, name):
    policy = installed("openvino").policy(DEVICE)
    model = prepare(load_model(material / "models" / f"{name}.onnx"))

    def images():
        return (random_feeds(model, seed=seed) for seed in range(2))

    made = compress(parse_recipe("w8a8-pc-minmax"), Context(model, images, DEVICE, policy)).model
    plan = place(to_ir(model).graph, policy)
    planned = {str(n.name) for n in plan.roles if weight_of(n) is not None}
    ran = import_module("paredown.runtimes.openvino_nodes").precisions(made, threads=1)
    assert len(planned) > 50
    assert {n: ran.get(n) for n in planned if ran.get(n) not in ("u8", "i8")} == {}
