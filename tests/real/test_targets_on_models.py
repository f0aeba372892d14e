"""Targets and timing on the real models that PAREDOWN_MATERIAL points at."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest

from paredown._measure.timing.interleaved import TimingPlan
from paredown._measure.timing.latency import measure_latency
from paredown.model import TensorSpec
from paredown.targets import target

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def models() -> list[Path]:
    """The model files, smallest first."""
    if "PAREDOWN_MATERIAL" not in os.environ:
        pytest.skip("PAREDOWN_MATERIAL does not point at the real models")
    files = Path(os.environ["PAREDOWN_MATERIAL"], "models").glob("*.onnx")
    return sorted(files, key=lambda file: file.stat().st_size)


def random_feeds(inputs: tuple[TensorSpec, ...]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {i.name: rng.random([d or 1 for d in i.shape]).astype(i.dtype) for i in inputs}


def test_every_model_compiles_and_answers_what_it_declares(models: list[Path]) -> None:
    for file in models:
        session = target("local").compile(file, threads=1)
        nothing = target("null").compile(file)
        assert [s.name for s in session.outputs] == [s.name for s in nothing.outputs]
        answers = session.run(random_feeds(session.inputs))
        for spec in session.outputs:
            assert answers[spec.name].dtype == np.dtype(spec.dtype), file.name


def test_inner_tensors_of_a_real_model(models: list[Path]) -> None:
    node = next(n for n in onnx.load(models[0]).graph.node if n.op_type == "Conv")
    session = target("local").compile(models[0], taps=[node.output[0]])
    assert session.run(random_feeds(session.inputs))[node.output[0]].ndim == 4


def test_the_ratio_tells_a_large_model_from_a_small_one(models: list[Path]) -> None:
    small, large = models[0], models[-1]
    feeds = [random_feeds(target("null").compile(file).inputs) for file in (small, large)]
    plan = TimingPlan(min_runs=10, min_seconds=0.3, min_rounds=5, turn_s=0.05, warmup_s=0.05)
    quantities, _, _ = measure_latency(
        small, large, target("local"), feeds[0], baseline_feeds=feeds[1], threads=1, plan=plan
    )
    found = {q.name: q for q in quantities}
    assert found["latency_ratio"].high < 1
    assert found["model_memory_bytes"].value > 0
