"""Reading a graph: neighbours, costs counted by hand, one run."""

from __future__ import annotations

import ctypes
import sys

import numpy as np
import onnx_ir as ir
import pytest

import nets
from paredown.errors import UnsupportedModel
from paredown.graph import walk
from paredown.graph.inspect import inspect
from paredown.graph.prepare import prepare
from paredown.graph.run import give_back, open_session, random_feeds, run_once
from paredown.hosts.memory import resident_bytes
from paredown.model import Model, TensorSpec


def graph_of(model: Model) -> ir.Graph:
    return walk.to_ir(model).graph


def nodes_of(graph: ir.Graph, op: str) -> list[ir.Node]:
    return [n for n in graph if n.op_type == op]


def value(graph: ir.Graph, name: str) -> ir.Value:
    return next(v for n in graph for v in n.outputs if v.name == name)


def test_there_and_back_again() -> None:
    model = nets.detector()
    back = walk.to_model(walk.to_ir(model), model)
    assert back.outputs == model.outputs
    assert dict(back.metadata) == dict(model.metadata)
    image = nets.images(1)[0]
    np.testing.assert_array_equal(nets.run(back, image)[0], nets.run(model, image)[0])


def test_weights_and_depthwise() -> None:
    graph = graph_of(nets.depthwise())
    assert [walk.is_depthwise(n) for n in nodes_of(graph, "Conv")] == [False, True, False]
    tokens = graph_of(nets.attention())
    assert [walk.weight_of(n) is not None for n in nodes_of(tokens, "MatMul")] == [True] * 3 + [False] * 2 + [
        True
    ]
    assert walk.weight_of(nodes_of(tokens, "Softmax")[0]) is None


def test_the_axis_of_output_channels() -> None:
    net = nets.Net()
    transposed = net.node("ConvTranspose", net.conv("image", 3, 4), net.normal(4, 5, 2, 2), strides=[2, 2])
    flat = net.node("Flatten", net.node("GlobalAveragePool", transposed))
    gemm = net.node("Gemm", flat, net.normal(5, 6))
    turned = net.node("Gemm", gemm, net.normal(7, 6), transB=1)
    graph = graph_of(net.model(net.node("MatMul", turned, net.normal(7, 2))))
    axes = {
        n.op_type + str(i): walk.output_axis(n) for i, n in enumerate(graph) if n.op_type in walk.WEIGHTED
    }
    assert list(axes.values()) == [0, 1, 1, 0, 1]


def test_neighbours() -> None:
    graph = graph_of(nets.residual())
    join = nodes_of(graph, "Add")[0]
    first, second, third, last = nodes_of(graph, "Conv")
    assert walk.upstream([join]) == {n for n in graph if n not in (last, *walk.consumers(join.outputs[0]))}
    assert walk.upstream([join], stop=lambda n: n is third) >= {third, first}
    assert second not in walk.upstream([third], stop=lambda n: n is third)
    assert {n.op_type for n in walk.consumers(first.outputs[0])} == {"Relu"}
    assert len(walk.data_inputs(join)) == 2
    assert len(walk.data_inputs(first)) == 1
    assert walk.constant(first.inputs[0]) is None
    assert walk.constant(None) is None
    assert walk.attribute(first, "group", 1) == 1
    assert walk.attribute(first, "absent", "default") == "default"


def test_a_value_read_twice_by_one_node_has_one_consumer() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 4)
    graph = graph_of(net.model(net.node("Mul", x, x)))
    assert len(walk.consumers(value(graph, x))) == 1


def test_through_shapes() -> None:
    graph = graph_of(nets.attention())
    tokens = nodes_of(graph, "Transpose")[0].outputs[0]
    assert walk.through_shapes(tokens) is nodes_of(graph, "Conv")[0].outputs[0]
    assert walk.through_shapes(graph.inputs[0]) is graph.inputs[0]


def test_macs_by_hand() -> None:
    net = nets.Net()
    a = net.conv("image", 3, 8, stride=2)  # out 8 x 8 x 8
    b = net.conv(a, 8, 8, group=8)  # depthwise
    c = net.node("ConvTranspose", b, net.normal(8, 4, 2, 2), strides=[2, 2])  # out 4 x 16 x 16
    d = net.node("Gemm", net.node("Flatten", net.node("GlobalAveragePool", c)), net.normal(10, 4), transB=1)
    e = net.node("MatMul", net.reshape(c, 1, 16, 64), net.normal(64, 5))
    seen = inspect(net.model(d, e))
    by_op = {(layer.op, i): (layer.macs, layer.weights) for i, layer in enumerate(seen.layers)}
    assert by_op == {
        ("Conv", 0): (8 * 8 * 8 * 3 * 9, 8 * 3 * 9),
        ("Conv", 1): (8 * 8 * 8 * 9, 8 * 9),
        ("ConvTranspose", 2): (8 * 8 * 8 * 4 * 2 * 2, 8 * 4 * 4),
        ("Gemm", 3): (10 * 4, 40),
        ("MatMul", 4): (16 * 64 * 5, 320),
    }
    assert seen.macs == sum(macs for macs, _ in by_op.values())


def test_macs_of_two_computed_tensors() -> None:
    layers = [layer for layer in inspect(nets.attention()).layers if layer.weights == 0]
    assert [layer.macs for layer in layers] == [64 * 64 * 8, 64 * 8 * 64]


def test_peak_activation_by_hand() -> None:
    """image 3 -> a 4 planes; b and c 2 and 6 planes of a; b + c joined: 8 planes. One plane is 1024 bytes."""
    net = nets.Net()
    a = net.conv("image", 3, 4)
    b = net.conv(a, 4, 2)
    c = net.conv(a, 4, 6)
    join = net.node("Concat", b, c, axis=1)
    seen = inspect(net.model(net.node("Relu", join)))
    # alive at each node: image + a = 7; a + b = 6; a + b + c = 12; b + c + join = 16; join + relu = 16
    assert seen.peak_activation_bytes == 16 * 16 * 16 * 4
    assert seen.peak_node == "N3"


def test_an_output_stays_alive() -> None:
    net = nets.Net()
    a = net.conv("image", 3, 8)
    b = net.conv(a, 8, 2)
    c = net.conv(b, 2, 4)
    planes = 16 * 16 * 4
    assert inspect(net.model(c)).peak_activation_bytes == (3 + 8) * planes
    assert inspect(net.model(a, c)).peak_activation_bytes == (8 + 2 + 4) * planes


def test_counts_and_opset() -> None:
    seen = inspect(prepare(nets.residual()))
    assert seen.ops == {"Conv": 4, "Relu": 3, "Add": 1}
    assert seen.opset == 17
    assert seen.weights == 3 * 8 * 9 + 8 + 2 * (8 * 8 * 9 + 8) + 8 * 4 * 9 // 9 + 4
    assert seen.weight_bytes == 4 * seen.weights


def test_risks() -> None:
    def risks(model: Model) -> str:
        return " ".join(inspect(model).risks)

    assert "1 depthwise" in risks(nets.depthwise())
    assert "smooth activations" in risks(nets.detector())
    assert "Attention" in risks(nets.attention())
    assert risks(nets.residual()) == ""
    net = nets.Net()
    assert "nothing to quantize" in risks(net.model(net.node("Relu", "image")))
    net = nets.Net()
    assert "smooth" not in risks(net.model(net.node("Sigmoid", "image")))  # an answer, no activation


def test_one_run() -> None:
    model = nets.classifier()
    feeds = random_feeds(model, seed=5)
    np.testing.assert_array_equal(feeds["image"], random_feeds(model, seed=5)["image"])
    ((name, answer),) = run_once(model.data, feeds).items()
    assert name == model.outputs[0].name
    np.testing.assert_allclose(answer, run_once(model.data, feeds, optimize=True)[name], rtol=1e-4, atol=1e-5)


def test_feeds_fit_the_inputs() -> None:
    inputs = (TensorSpec("a", (None, 3), "float16"), TensorSpec("b", (2,), "uint8"))
    feeds = random_feeds(Model(b"", inputs, (), "m"), seed=0)
    assert [(v.shape, v.dtype.name) for v in feeds.values()] == [((1, 3), "float16"), ((2,), "uint8")]


def test_what_the_runtime_refuses() -> None:
    with pytest.raises(UnsupportedModel, match="cannot run"):
        open_session(b"not a model")
    model = nets.residual()
    with pytest.raises(UnsupportedModel, match="failed while running"):
        run_once(model.data, {"image": np.zeros((1, 3, 8, 8), np.float32)})


GLIBC = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim")


@pytest.mark.skipif(not GLIBC, reason="not the C library that hoards")
def test_freed_memory_is_handed_back() -> None:
    before = resident_bytes()
    blocks = [np.ones(8000, np.uint8) for _ in range(16000)]
    kept = blocks[::400]
    del blocks
    give_back()
    assert len(kept) == 40
    assert resident_bytes() - before < 30e6  # of 128
