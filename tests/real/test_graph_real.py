"""Loading, preparing and looking into every real model that PAREDOWN_MATERIAL points at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paredown.errors import ModelError
from paredown.graph.inspect import inspect
from paredown.graph.load import load_model
from paredown.graph.prepare import prepare

pytestmark = pytest.mark.real

MODELS = sorted(Path(os.environ.get("PAREDOWN_MATERIAL", "absent"), "models").glob("*.onnx"))


@pytest.fixture(autouse=True)
def _material() -> None:
    if "PAREDOWN_MATERIAL" not in os.environ:
        pytest.skip("PAREDOWN_MATERIAL does not point at the real models")


def test_there_are_models() -> None:
    assert MODELS


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_prepares(path: Path) -> None:
    """`prepare` itself runs the result beside the original; here: the form that it promises."""
    model = load_model(path)
    before = model.sha256
    ready = prepare(model)
    assert model.sha256 == before
    assert [s.name for s in ready.outputs] == [s.name for s in model.outputs]
    assert all(d is not None for s in ready.inputs for d in s.shape)
    seen = inspect(ready)
    assert seen.opset >= 13
    assert "BatchNormalization" not in seen.ops
    assert "Constant" not in seen.ops
    assert seen.macs > 1e6
    assert seen.peak_activation_bytes > 0
    assert len({layer.name for layer in seen.layers}) == len(seen.layers)


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_cut_short(path: Path, tmp_path: Path) -> None:
    data = path.read_bytes()
    short = tmp_path / "short.onnx"
    for length in (len(data) // 3, len(data) - 100):
        short.write_bytes(data[:length])
        with pytest.raises(ModelError):
            load_model(short)
