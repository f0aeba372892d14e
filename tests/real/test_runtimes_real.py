"""Real models in the other runtimes: float answers are ONNX Runtime's, and node times have an owner."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from paredown.errors import MissingDependency
from paredown.graph.load import load_model
from paredown.graph.run import random_feeds, run_once
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
