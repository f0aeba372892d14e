"""Real models with channels taken out answer as with those channels' columns at zero."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import nets
import pruned
from paredown._compress.compress import compress
from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Context
from paredown.graph.inspect import inspect
from paredown.graph.load import load_model
from paredown.graph.prepare import prepare

pytestmark = pytest.mark.real

MODELS = sorted(Path(os.environ.get("PAREDOWN_MATERIAL", "absent"), "models").glob("*.onnx"))


@pytest.fixture(autouse=True)
def _material() -> None:
    if "PAREDOWN_MATERIAL" not in os.environ:
        pytest.skip("PAREDOWN_MATERIAL does not point at the real models")


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_shrunk_answers_as_zeroed(path: Path) -> None:
    model = prepare(load_model(path))
    removed = pruned.chosen(model, 0.4, align=8)
    made = pruned.shrunk(model, removed)
    assert inspect(made).macs <= 0.6 * inspect(model).macs
    assert pruned.difference(pruned.zeroed(model, removed), made) < 1e-4


@pytest.mark.parametrize("name", ["resnet20_cifar10", "yolo_fastest_1_1_xl", "nanodet_m_320"])
def test_the_whole_step_fits_what_is_left(name: str) -> None:
    """Residual streams end differently in every one; the images are noise, which is enough to fit to."""
    path = next((p for p in MODELS if p.stem == name), None)
    if path is None:
        pytest.skip(f"the material has no {name}")
    model = prepare(load_model(path))
    rng = np.random.default_rng(0)
    shape = [d or 1 for d in model.inputs[0].shape]
    images = [{model.inputs[0].name: rng.random(shape, np.float32)} for _ in range(4)]
    context = Context(model, lambda: iter(images), nets.ANY_BOARD, nets.POLICY, threads=2)
    made = compress(parse_recipe("prune20-l1"), context)
    assert inspect(made.model).macs <= 0.81 * inspect(model).macs
