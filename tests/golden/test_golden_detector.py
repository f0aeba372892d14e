"""A fixed detector after every kind of recipe: what the runtime makes of it, and how far its answers move.

Structure is compared exactly, answers in steps of 1/255 of each output row's own spread: pixels in
the first four rows, probabilities in the last two. A limit is about twice what was found when it was set.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import nets
from paredown._compress.recipe import Compressed
from paredown.graph.prepare import prepare

LAYERS = {  # how the six convolutions run: the sixth is the softmax integral of the decode tail
    "int8": {
        "QLinearConv": 5,
        "ConvInteger": 0,
        "Conv": 1,
        "QLinearSigmoid": 3,
        "QLinearMul": 3,
        "Softmax": 1,
    },
    "int8-per-tensor": {"QLinearConv": 5, "ConvInteger": 0, "Conv": 1, "QLinearSigmoid": 3, "Softmax": 1},
    "int8-dynamic": {"QLinearConv": 0, "ConvInteger": 5, "Conv": 1, "DynamicQuantizeLinear": 4},
    "int8-weights": {"QLinearConv": 0, "ConvInteger": 0, "Conv": 6, "Cast": 0, "DequantizeLinear": 0},
    "ort-static": {"QLinearConv": 6, "QLinearSoftmax": 1, "Softmax": 0},
}
STEPS_OFF = {"int8": 7.0, "int8-per-tensor": 8.0, "int8-dynamic": 3.0, "int8-weights": 2.0}


@cache
def made(recipe: str) -> Compressed:
    return nets.compressed(prepare(nets.detector()), recipe)


def steps_off(recipe: str) -> float:
    """Root mean squared distance from the float answers, in steps, of the worst output row."""
    images = nets.images(8, seed=7)
    model = prepare(nets.detector())
    want, got = (np.concatenate([nets.run(m, i)[0] for i in images]) for m in (model, made(recipe).model))
    spread = np.ptp(want, axis=(0, 2), keepdims=True) / 255
    return float(np.sqrt(np.mean(((want - got) / spread) ** 2, axis=(0, 2))).max())


@pytest.mark.parametrize("recipe", LAYERS)
def test_structure(recipe: str) -> None:
    found = nets.ops(nets.optimized(made(recipe).model).graph.node)
    assert {op: found[op] for op in LAYERS[recipe]} == LAYERS[recipe]


@pytest.mark.parametrize("recipe", STEPS_OFF)
def test_answers(recipe: str) -> None:
    assert steps_off(recipe) < STEPS_OFF[recipe]


def test_what_is_left_float_is_the_tail() -> None:
    left = {r.data["op"] for r in made("int8").log if r.action == "float"}
    assert {"Softmax", "Sigmoid", "Mul", "Concat"} <= left
    reasons = {r.why for r in made("int8").log if r.action == "float"}
    assert reasons == {"decode tail: no convolution depends on it"}


def test_ours_is_closer_than_the_stock_quantizer() -> None:
    """One grid over pixels and probabilities is what costs the stock quantizer its scores."""
    assert steps_off("int8") < 0.5 * steps_off("ort-static")
