"""What a recipe found out is found out once, and answers as if it were found out again."""

from __future__ import annotations

import numpy as np
import pytest

import nets
from paredown._compress.kept import MODELS, Kept
from paredown._compress.quantize.ranges import calibrate as module
from paredown._compress.quantize.ranges.calibrate import calibrate
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.model import Model
from paredown.numerics.ranges import Seen


def one(value: float) -> Seen:
    array = np.full((1, 1), value, np.float32)
    return Seen(array[0], np.zeros(1, np.int32), array, array)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tensors each pass over the images watched."""
    told: list[int] = []
    plain = module.calibrate

    def counted(model: Model, tensors: list[str], *rest: object, **more: object) -> dict[str, Seen]:
        told.append(len(tensors))
        return plain(model, tensors, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "calibrate", counted)
    return told


def test_the_steps_of_a_recipe_share_one_pass(passes: list[int]) -> None:
    nets.compressed(prepare(nets.detector()), "cle+gates+w8a8-pc-mse-guard")
    assert len(passes) == 1


def test_recipes_share_what_was_kept_and_come_out_alike(passes: list[int]) -> None:
    model, kept = prepare(nets.detector()), Kept()
    recipes = ("w8a8-pc-mse-guard", "w8a8-pc-minmax", "w4a8-pc-mse+gptq")
    shared = [nets.compressed(model, recipe, kept=kept).model.sha256 for recipe in recipes]
    assert len(passes) == 1
    assert shared == [nets.compressed(model, recipe).model.sha256 for recipe in recipes]
    assert len(passes) == 1 + len(recipes)


def test_only_the_last_models_are_held() -> None:
    kept = Kept()
    for number in range(MODELS + 1):
        kept.add_calibration(str(number), {"x": one(number)})
    assert kept.calibration("0") == {}
    kept.add_calibration("1", {"y": one(9)})
    kept.add_calibration("new", {})
    assert set(kept.calibration("1")) == {"x", "y"}


def test_a_silu_is_told_from_the_tensor_it_reads() -> None:
    model = prepare(nets.detector())
    nodes = {n.output[0]: n for n in to_proto(model).graph.node}
    product, x = next(
        (made, (set(n.input) - {gate}).pop())
        for made, n in nodes.items()
        if n.op_type == "Mul"
        for gate in n.input
        if gate in nodes and nodes[gate].op_type == "Sigmoid"
    )
    told = calibrate(model, [x, product], nets.feeds(3))
    alone = calibrate(model, [product], nets.feeds(3))[product]
    np.testing.assert_allclose(told[product].highs, alone.highs, atol=1e-6)
    assert (told[product].channel_low <= alone.channel_low + 1e-6).all()  # the bottom is taken to be met
    np.testing.assert_allclose(told[product].channel_low, alone.channel_low, atol=0.02)
    of = told[x].sample
    np.testing.assert_allclose(told[product].sample, of / (1 + np.exp(-of)), atol=1e-6)
