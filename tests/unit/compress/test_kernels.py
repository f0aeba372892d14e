"""A policy that our integer steps do not write for is refused, never silently ignored."""

from __future__ import annotations

from dataclasses import replace

import pytest

import nets
from paredown._compress.recipe import Compressed
from paredown._compress.weight_bits import SAFE_LIMIT
from paredown.errors import UsageError
from paredown.graph.prepare import prepare
from paredown.graph.walk import to_ir

RECIPES = ["w8a8-pc-mse", "w8a8-pc-mse+gptq", "w8a8-pc-mse+bc", "int8-dynamic"]
OTHERS = {
    "signed activations": replace(nets.ANY_BOARD, activations="int8"),
    "unsigned weights": replace(nets.ANY_BOARD, weights="uint8"),
}


REFUSED = [
    *(("signed activations", recipe) for recipe in ("w4a4", "int8-dynamic", "ort-static")),
    *(("unsigned weights", recipe) for recipe in ("w8a8-pt-mse", "w4a8", "int8-dynamic", "ort-static")),
]


@pytest.mark.parametrize(("kind", "recipe"), REFUSED)
def test_other_integer_types_are_refused(kind: str, recipe: str) -> None:
    device = OTHERS[kind]
    with pytest.raises(UsageError, match="activations, int8 weights") as refused:
        nets.compressed(prepare(nets.residual()), recipe, device=device)
    assert f"for {nets.POLICY.name} on " in str(refused.value)
    assert ("takes the recipes" in str(refused.value)) == (kind == "signed activations")


def test_a_scale_per_channel_is_refused_where_there_is_none() -> None:
    model, device = prepare(nets.residual()), replace(nets.ANY_BOARD, per_channel=False)
    for recipe in ("w8a8-pc-mse", "int8-dynamic", "ort-static-pc-minmax"):
        with pytest.raises(UsageError, match="per channel"):
            nets.compressed(model, recipe, device=device)
    for recipe in ("w8a8-pt-mse", "ort-static-pt-minmax", "w8", "ort-dynamic"):
        nets.compressed(model, recipe, device=device)


@pytest.mark.parametrize("recipe", RECIPES)
def test_no_weight_exceeds_seven_bits_where_eight_saturate(recipe: str) -> None:
    device = replace(nets.ANY_BOARD, saturates=True)
    assert (
        32 < _largest_weight(nets.compressed(prepare(nets.detector()), recipe, device=device)) <= SAFE_LIMIT
    )


@pytest.mark.parametrize("recipe", RECIPES)
def test_no_weight_is_minus_128_two_of_which_overflow_on_arm_without_dot_product(recipe: str) -> None:
    assert _largest_weight(nets.compressed(prepare(nets.detector()), recipe)) == 127


def _largest_weight(made: Compressed) -> int:
    """The largest int8 weight, its sign dropped."""
    stored = [
        v.const_value.numpy()
        for v in to_ir(made.model).graph.initializers.values()
        if v.const_value is not None and v.dtype is not None and v.dtype.name == "INT8"
    ]
    return max(int(abs(w.astype(int)).max()) for w in stored if w.ndim > 1)
