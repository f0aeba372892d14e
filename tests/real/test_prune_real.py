"""Real models with channels taken out answer as with those channels' columns at zero."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import pruned
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
