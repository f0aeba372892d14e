"""A study at several input sizes: what is tried, and what the bundle holds."""

from __future__ import annotations

from pathlib import Path

import onnx

from paredown import Options, run
from paredown.study.limits import Limits
from toys import Toy


def test_every_recipe_is_tried_at_every_size(toy: Toy, tmp_path: Path):
    own = onnx.load(toy.model).graph.input[0].type.tensor_type.shape.dim[2].dim_value
    half = own // 2
    outcome = run(
        toy.model,
        str(toy.data),
        str(toy.calib),
        out=tmp_path / "study",
        limits=Limits(max_drop=100.0),
        options=Options(recipes="int8-minmax", sizes=(own, half)),
    )
    trials = {t.label: t for t in outcome.trials}
    assert set(trials) == {
        "float",
        "int8-minmax",
        f"size{half}",
        f"size{half}+int8-minmax",
    }
    assert trials["int8-minmax"].size == (own, own)
    assert trials[f"size{half}+int8-minmax"].size == (half, half)
    small = onnx.load(outcome.directory / str(trials[f"size{half}"].model_file))
    assert [d.dim_value for d in small.graph.input[0].type.tensor_type.shape.dim] == [1, 3, half, half]
    shipped = onnx.load(outcome.bundle / "model.onnx").graph.input[0].type.tensor_type.shape.dim
    card = (outcome.bundle / "card.toml").read_text(encoding="utf-8")
    assert f"size = [{shipped[2].dim_value}, {shipped[3].dim_value}]" in card
