"""The function through which a tensor's error is seen."""

from __future__ import annotations

import numpy as np
import pytest

import nets
from paredown._compress.quantize.ranges.post_activation import into_sigmoids, post_activation
from paredown.graph.prepare import prepare
from paredown.graph.walk import to_ir
from paredown.numerics.ranges import Function

X = np.linspace(-5, 5, 101, dtype=np.float32)
SIGMOID = 1 / (1 + np.exp(-X))


def after(net: nets.Net, tensor: str, *outputs: str) -> Function | None:
    graph = to_ir(net.model(*outputs)).graph
    return post_activation(next(v for n in graph for v in n.outputs if v.name == tensor))


@pytest.mark.parametrize(
    ("op", "attributes", "want"),
    [
        ("Sigmoid", {}, SIGMOID),
        ("Relu", {}, np.maximum(X, 0)),
        ("LeakyRelu", {"alpha": 0.1}, np.where(X < 0, 0.1 * X, X)),
        ("LeakyRelu", {}, np.where(X < 0, 0.01 * X, X)),
        ("HardSwish", {}, X * np.clip(X / 6 + 0.5, 0, 1)),
        ("HardSigmoid", {"alpha": 0.25, "beta": 0.4}, np.clip(0.25 * X + 0.4, 0, 1)),
        ("Tanh", {}, np.tanh(X)),
    ],
)
def test_one_reader(op: str, attributes: dict[str, float], want: np.ndarray) -> None:
    net = nets.Net()
    x = net.conv("image", 3, 4)
    function = after(net, x, net.node(op, x, **attributes))
    assert function is not None
    np.testing.assert_allclose(function(X), want, atol=1e-6)


@pytest.mark.parametrize(
    ("gate", "attributes", "want"),
    [
        ("Sigmoid", {}, X * SIGMOID),
        ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}, X * np.clip(X / 6 + 0.5, 0, 1)),
    ],
)
def test_a_gate_and_its_product_are_one_function(
    gate: str, attributes: dict[str, float], want: np.ndarray
) -> None:
    net = nets.Net()
    x = net.conv("image", 3, 4)
    function = after(net, x, net.node("Mul", x, net.node(gate, x, **attributes)))
    assert function is not None
    np.testing.assert_allclose(function(X), want, atol=1e-6)


def test_who_reads_it_as_it_is() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 4)
    act, plain = net.node("Relu", x), net.conv(x, 4, 2)
    assert after(net, x, act, plain) is None  # a convolution reads it too
    assert after(net, plain, act, plain) is None  # an output


def test_a_gate_that_others_read_is_no_silu() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 4)
    gate = net.node("Sigmoid", x)
    product, other = net.node("Mul", x, gate), net.conv(gate, 4, 2)
    assert after(net, x, product, other) is None


def test_a_product_with_another_gate_is_no_silu() -> None:
    net = nets.Net()
    x, y = net.conv("image", 3, 4), net.conv("image", 3, 4)
    gate, product = net.node("Sigmoid", x), net.node("Mul", x, y)
    assert after(net, x, gate, product) is None


def test_a_large_negative_value_does_not_overflow() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 4)
    function = after(net, x, net.silu(x))
    assert function is not None
    assert abs(function(np.array([-1e4], np.float32))[0]) < 1e-3


def sigmoids(net: nets.Net, heads: list[str], *outputs: str) -> list[list[bool]]:
    found = into_sigmoids(to_ir(prepare(net.model(*outputs))).graph, heads)
    return [found[h].tolist() for h in heads]


def test_channels_are_followed_into_sigmoids_through_all_that_moves_them() -> None:
    net = nets.Net()
    boxes, scores = net.conv("image", 3, 2), net.conv("image", 3, 3)
    flat = [net.reshape(x, 1, c, -1) for x, c in ((boxes, 2), (scores, 3))]
    both = net.node("Transpose", net.node("Concat", *flat, axis=1), perm=[0, 2, 1])
    sizes = net.constant(np.array([2, 3]))
    distances = net.node("Split", both, sizes, outputs=2, axis=2)
    answer = net.node("Concat", net.node("Exp", distances), net.node("Sigmoid", f"{distances}_1"), axis=2)
    assert sigmoids(net, [boxes, scores], answer) == [[False] * 2, [True] * 3]


def test_a_channel_that_is_also_read_otherwise_is_not_for_the_sigmoid_alone() -> None:
    net = nets.Net()
    head, twice = net.conv("image", 3, 2), net.conv("image", 3, 2)
    answers = net.node("Sigmoid", head), net.node("Sigmoid", twice), net.node("Tanh", twice)
    assert sigmoids(net, [head, twice], *answers) == [[True] * 2, [False] * 2]


def test_what_is_moved_together_with_other_tensors_is_followed_all_the_same() -> None:
    net = nets.Net()
    head = net.conv("image", 3, 3)
    beside = net.node("Tanh", net.node("Relu", "image"))
    assert sigmoids(net, [head], net.node("Sigmoid", net.node("Concat", head, beside, axis=1))) == [
        [True] * 3
    ]
