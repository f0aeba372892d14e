"""Graphs that no shape inference sees through, and inputs that are no floats: left float with the reason."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import nets
from paredown._compress.compress import compress
from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Context
from paredown.errors import UnsupportedModel
from paredown.graph.inspect import inspect
from paredown.graph.load import from_proto, to_proto
from paredown.graph.prepare import prepare
from paredown.graph.walk import captured, data_inputs, has_shape, shape_of, to_ir
from paredown.model import Model

FLOAT = TensorProto.FLOAT
RECIPES = ["w8a8-pc-minmax", "int8", "int8-dynamic", "prune30-l1", "int4", "cle+w8a8-pc-mse+bc"]
ANY_CPU = nets.Device("any-cpu", "seven bits where products saturate", saturates=True)


def finished(net: nets.Net, y: str, domain: str = "") -> Model:
    """The network behind `y` (8 channels): two convolutions, a pool, a Gemm; not checked by inference."""
    x = net.node("Relu", net.conv(net.node("Relu", net.conv(y, 8, 8)), 8, 8))
    x = net.node("Flatten", net.node("GlobalAveragePool", x))
    x = net.node("Gemm", x, net.normal(4, 8), net.normal(4), transB=1)
    graph = helper.make_graph(
        net.nodes,
        "odd",
        [helper.make_tensor_value_info("image", FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info(x, FLOAT, [1, 4])],
        net.constants,
    )
    ids = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    proto = helper.make_model(graph, opset_imports=ids, ir_version=8)
    onnx.checker.check_model(proto)
    return from_proto(proto, "odd")


def contrib() -> Model:
    net = nets.Net()
    x = net.node("Relu", net.conv("image", 3, 8))
    return finished(net, net.node("Gelu", net.conv(x, 8, 8), domain="com.microsoft"), "com.microsoft")


def same_name() -> Model:
    """A fused convolution of the runtime's own domain: a Conv by its inputs, not by its domain."""
    net = nets.Net()
    x = net.node("Relu", net.conv("image", 3, 8))
    weight = net.normal(8, 8, 1, 1, spread=0.3)
    return finished(
        net, net.node("FusedConv", x, weight, activation="Relu", domain="com.microsoft"), "com.microsoft"
    )


def loop() -> Model:
    """Two rounds, by a number that is computed; the body reads a tensor from outside."""
    net = nets.Net()
    x = net.node("Relu", net.conv("image", 3, 8))
    y = net.node("Relu", net.conv(x, 8, 8))
    weight = net.normal(8, 8, 1, 1, spread=0.3)
    shape = [1, 8, 16, 16]
    body = helper.make_graph(
        [
            helper.make_node("Conv", ["now", weight], ["turned"]),
            helper.make_node("Add", ["turned", y], ["next"]),
            helper.make_node("Identity", ["go"], ["on"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("now", FLOAT, shape),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", FLOAT, shape),
        ],
    )
    most = net.node("ReduceMax", y, keepdims=0)
    bright = net.node("Cast", net.node("Greater", most, net.constant(np.float32(-1))), to=TensorProto.INT64)
    rounds = net.node("Mul", bright, net.constant(np.array(2, np.int64)))
    return finished(net, net.node("Loop", rounds, net.constant(np.array(True)), x, body=body))


def branches() -> Model:
    net = nets.Net()
    x = net.node("Relu", net.conv("image", 3, 8))
    y = net.node("Relu", net.conv(x, 8, 8))
    weight = net.normal(8, 8, 1, 1, spread=0.3)
    condition = net.node("Greater", net.node("ReduceMax", x, keepdims=0), net.constant(np.float32(0.5)))
    ends = [helper.make_tensor_value_info(n, FLOAT, None) for n in ("a", "b")]
    then = helper.make_graph([helper.make_node("Conv", [y, weight], ["a"])], "then", [], ends[:1])
    other = helper.make_graph([helper.make_node("Relu", [y], ["b"])], "other", [], ends[1:])
    made = net.node("If", condition, then_branch=then, else_branch=other)
    return finished(net, net.node("Add", made, x))


ODD = {"contrib": contrib, "same name": same_name, "loop": loop, "branches": branches}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_gives_a_model_that_answers_alike(name: str, recipe: str) -> None:
    ready = prepare(ODD[name]())
    made = nets.compressed(ready, recipe, device=ANY_CPU)
    image = nets.images(1)[0]
    (want,), (got,) = nets.run(ready, image), nets.run(made.model, image)
    assert want.shape == got.shape
    if not recipe.startswith("prune"):  # a third of eight channels is much
        assert np.abs(want - got).max() < 0.35 * np.ptp(want)
    assert all(record.why for record in made.log if record.action == "float")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "contrib",
            "operator Gelu of domain com.microsoft is not known to ONNX Runtime CPU's",
        ),
        ("same name", "operator FusedConv of domain com.microsoft"),
        ("contrib", "no shape is known of"),
        ("loop", "no shape is known of"),
    ],
)
def test_what_is_left_float_says_why(name: str, reason: str) -> None:
    made = nets.compressed(prepare(ODD[name]()), "w8a8-pc-minmax")
    assert any(reason in record.why for record in made.log if record.action == "float")
    assert any(record.action == "quantized" for record in made.log)


@pytest.mark.parametrize("name", ODD)
def test_what_cannot_be_learned_through_is_refused_by_name(name: str) -> None:
    pytest.importorskip("torch", reason="pip install 'paredown[train]'")
    with pytest.raises(UnsupportedModel, match="cannot be learned through") as caught:
        nets.compressed(prepare(ODD[name]()), "prune30-taylor")
    assert any(op in str(caught.value.got) for op in ("Gelu", "FusedConv", "Loop", "If"))


@pytest.mark.parametrize("name", ODD)
def test_inspect_says_what_it_does_not_know(name: str) -> None:
    found = inspect(prepare(ODD[name]()))
    assert found.macs > 0
    assert name == "branches" or any("known shape" in risk for risk in found.risks)


def test_an_unknown_shape_is_no_scalar() -> None:
    graph = to_ir(prepare(contrib())).graph
    gelu = next(n for n in graph if n.op_type == "Gelu")
    assert has_shape(gelu.inputs[0])
    assert not has_shape(gelu.outputs[0])
    with pytest.raises(UnsupportedModel, match="no shape is known"):
        shape_of(gelu.outputs[0])
    scalar = to_ir(prepare(branches())).graph
    assert shape_of(next(n for n in scalar if n.op_type == "ReduceMax").outputs[0]) == ()


def test_what_a_body_reads_from_outside_is_an_input() -> None:
    graph = to_ir(prepare(branches())).graph
    node = next(n for n in graph if n.op_type == "If")
    assert len(captured(node)) == 1
    assert captured(node)[0] in data_inputs(node)
    assert captured(node)[0].producer() is not None


@pytest.mark.parametrize("kind", ["uint8", "int8", "float16", "float64"])
@pytest.mark.parametrize("recipe", ["w8a8-pc-minmax", "int8", "int8-dynamic"])
def test_inputs_that_are_no_floats(kind: str, recipe: str) -> None:
    """Channels last, normalised inside: only floats are watched and quantized."""
    net = nets.Net()
    types = {"uint8": TensorProto.UINT8, "int8": TensorProto.INT8, "float16": TensorProto.FLOAT16}
    types["float64"] = TensorProto.DOUBLE
    x = net.node("Cast", net.node("Transpose", "image", perm=[0, 3, 1, 2]), to=FLOAT)
    x = net.node("Div", net.node("Sub", x, net.constant(np.float32(100))), net.constant(np.float32(60)))
    x = net.conv(net.node("Relu", net.conv(x, 3, 8)), 8, 4)
    graph = helper.make_graph(
        net.nodes,
        "typed",
        [helper.make_tensor_value_info("image", types[kind], ["N", 16, 16, 3])],
        [helper.make_tensor_value_info(x, FLOAT, None)],
        net.constants,
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    ready = prepare(from_proto(onnx.shape_inference.infer_shapes(proto), "typed"))
    rng = np.random.default_rng(0)
    low, high = (-128, 128) if kind == "int8" else (0, 256)
    images = [rng.integers(low, high, (1, 16, 16, 3)).astype(kind) for _ in range(4)]
    feeds = [{ready.inputs[0].name: x} for x in images]
    made = compress(parse_recipe(recipe), Context(ready, lambda: feeds, ANY_CPU, nets.policy(ANY_CPU)))
    ops = [n.op_type for n in to_proto(made.model).graph.node]
    assert "QuantizeLinear" in ops or "DynamicQuantizeLinear" in ops
    (want,), (got,) = nets.run(ready, images[0]), nets.run(made.model, images[0])
    assert np.abs(want - got).max() < 0.05 * np.ptp(want)
