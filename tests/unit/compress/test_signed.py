"""INT8 for kernels that read signed, symmetric integers, and for those that write real numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from onnx import numpy_helper

import nets
from paredown._compress.compress import compress
from paredown._compress.presets import spelled
from paredown._compress.recipe import Context
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.model import Model
from paredown.numerics.quant_params import spanning
from paredown.numerics.ranges import Seen, least_cubed_error
from paredown.policy import Policy

CONVOLUTIONS = Policy(
    "real", frozenset({"Conv", "Gemm"}), frozenset(), frozenset(), activations="int8", writes_real=True
)
SIGNED = replace(nets.POLICY, activations="int8")


def made_for(policy: Policy, model: Model, recipe: str) -> Model:
    return compress(spelled(recipe), Context(model, nets.feeds, nets.ANY_BOARD, policy)).model


@pytest.mark.parametrize("name", nets.NETS)
@pytest.mark.parametrize("recipe", ["int8", "w8a8-pc-minmax", "w8a8-pt-mse"])
@pytest.mark.parametrize("policy", [CONVOLUTIONS, SIGNED], ids=["real", "signed"])
def test_activations_are_signed_and_symmetric(name: str, recipe: str, policy: Policy) -> None:
    model = prepare(nets.NETS[name]())
    made = made_for(policy, model, recipe)
    proto = to_proto(made)
    stored = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    pairs = [n for n in proto.graph.node if n.op_type == "QuantizeLinear"]
    assert pairs
    for node in pairs:
        zero = stored[node.input[2]]
        assert zero.dtype == np.int8
        assert not zero.any()
    image = nets.images(1, seed=9)[0]
    for want, got in zip(nets.run(model, image), nets.run(made, image), strict=True):
        assert nets.agreement(want, got) < 0.12


def test_only_kernels_read_rounded_numbers_where_they_write_real_ones() -> None:
    """No pair stands behind a last convolution, and what a sum reads is not rounded."""
    proto = to_proto(made_for(CONVOLUTIONS, prepare(nets.residual()), "int8"))
    made_by = {name: node.op_type for node in proto.graph.node for name in node.output}
    for node in proto.graph.node:
        rounded = [made_by.get(name) == "DequantizeLinear" for name in node.input]
        assert all(rounded) if node.op_type == "Conv" else not any(rounded)
    (answer,) = proto.graph.output
    assert made_by[answer.name] == "Conv"


def test_the_end_nearer_to_zero_costs_a_symmetric_range_nothing() -> None:
    x = np.concatenate([np.linspace(-0.3, 4, 5000), [40.0]]).astype(np.float32)
    low, high = np.array([[-0.3]], np.float32), np.array([[40.0]], np.float32)
    seen = Seen(x, np.zeros(len(x), np.int32), low, high)
    low, high = least_cubed_error(seen, signed=True)
    grid = spanning(low, high, signed=True)
    assert (grid.low, grid.high, int(grid.zero_point)) == (-127, 127, 0)
    assert float(grid.scale) == pytest.approx(max(-low, high) / 127)
    assert low == pytest.approx(-0.3)
