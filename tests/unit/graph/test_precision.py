"""Which files are quantized already, and which are not float32: said so, by their operators alone."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import nets
from paredown.errors import UnsupportedModel
from paredown.graph.inspect import inspect
from paredown.graph.load import from_proto, to_proto
from paredown.graph.precision import quantized_ops, require_float
from paredown.graph.prepare import frozen_sizes, prepare
from paredown.graph.run import run_once
from paredown.graph.single import as_float
from paredown.model import Model


def one_layer(
    weight: list[onnx.NodeProto], stored: list[onnx.TensorProto], **more: object
) -> onnx.ModelProto:
    """image -> MatMul with `weight` -> y."""
    kind = more.get("kind", TensorProto.FLOAT)
    nodes = [*weight, helper.make_node("MatMul", ["image", "w"], ["y"])]
    values = [helper.make_tensor_value_info(n, kind, [1, 4]) for n in ("image", "y")]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.mark.parametrize("name", nets.NETS)
def test_float_networks_are_not_quantized(name: str) -> None:
    model = nets.NETS[name]()
    assert quantized_ops(model) == {}
    require_float(model)
    require_float(prepare(model))


@pytest.mark.parametrize("recipe", ["w8a8-pc-minmax", "dynamic", "int4"])
def test_what_was_compressed_is_recognised_and_refused(recipe: str) -> None:
    float_model = prepare(nets.classifier())
    made = nets.compressed(float_model, recipe).model
    stripped = to_proto(made)
    del stripped.metadata_props[:]  # a file of another tool says nothing of us
    again = from_proto(stripped, "other")
    with pytest.raises(UnsupportedModel, match=r"already quantized \(\d+ \w+") as caught:
        nets.compressed(prepare(again), "w8a8-pc-minmax")
    assert "float original" in str(caught.value.hint)
    assert any("already quantized" in risk for risk in inspect(prepare(again)).risks)


def test_kernels_of_the_runtime_count() -> None:
    node = helper.make_node("MatMulNBits", ["image", "q", "s"], ["y"], domain="com.microsoft", K=4, N=4)
    proto = one_layer([], [numpy_helper.from_array(np.eye(4, dtype=np.float32), "w")])
    proto.graph.node[0].CopyFrom(node)
    assert quantized_ops(proto) == {"MatMulNBits": 1}


def test_weights_of_four_bits_in_a_constant_node() -> None:
    four = helper.make_tensor("q", TensorProto.INT4, [4, 4], list(range(-8, 8)))
    nodes = [
        helper.make_node("Constant", [], ["q"], value=four),
        helper.make_node("DequantizeLinear", ["q", "s"], ["w"]),
    ]
    proto = one_layer(nodes, [numpy_helper.from_array(np.float32(0.1), "s")])
    with pytest.raises(UnsupportedModel, match="1 DequantizeLinear"):
        require_float(from_proto(proto, "four"))


def test_integers_at_the_border_alone_are_no_quantization() -> None:
    """An int8 input made real, and an answer made uint8."""
    proto = to_proto(nets.residual())
    graph = proto.graph
    graph.input[0].type.tensor_type.elem_type = TensorProto.INT8
    scale = numpy_helper.from_array(np.float32(1 / 255), "border_scale")
    graph.initializer.append(scale)
    first = helper.make_node("DequantizeLinear", ["image", "border_scale"], ["real"])
    for node in graph.node:
        node.input[:] = ["real" if name == "image" else name for name in node.input]
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend(
        [first, *rest, helper.make_node("QuantizeLinear", [graph.output[0].name, "border_scale"], ["q"])]
    )
    assert quantized_ops(proto) == {}


def in_half(constants: bool, kind: int = TensorProto.FLOAT16) -> Model:
    """A layer with weights of that type, stored or in a Constant node."""
    array = np.eye(4, dtype=helper.tensor_dtype_to_np_dtype(kind))
    tensor = numpy_helper.from_array(array, "w")
    node = [helper.make_node("Constant", [], ["w"], value=tensor)] if constants else []
    return from_proto(one_layer(node, [] if constants else [tensor], kind=kind), "half")


@pytest.mark.parametrize("constants", [True, False])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_layers_in_another_precision_are_made_float32(constants: bool, kind: int) -> None:
    model = in_half(constants, kind)
    with pytest.raises(UnsupportedModel, match="half or double precision"):
        require_float(model)
    assert any("half or double precision" in risk for risk in inspect(prepare(model)).risks)
    made = as_float(model)
    require_float(made)
    assert [(s.name, s.dtype) for s in made.inputs] == [(s.name, s.dtype) for s in model.inputs]
    assert [(s.name, s.dtype) for s in made.outputs] == [(s.name, s.dtype) for s in model.outputs]
    x = np.arange(4, dtype=model.inputs[0].dtype)[None]
    want, got = (run_once(m.data, {"image": x})["y"] for m in (model, prepare(made)))
    np.testing.assert_allclose(got, want, rtol=1e-3)
    assert "1 layers in float" in frozen_sizes(made, prepare(made))
    assert as_float(made) is made


def test_half_precision_that_is_only_stored_is_float() -> None:
    """Weights of half the bytes behind a Cast: the layers compute in float32."""
    tensor = numpy_helper.from_array(np.eye(4, dtype=np.float16), "stored")
    cast = helper.make_node("Cast", ["stored"], ["w"], to=TensorProto.FLOAT)
    model = from_proto(one_layer([cast], [tensor]), "cast")
    require_float(model)
    require_float(prepare(model))


def test_what_is_quantized_in_part_says_which_part() -> None:
    proto = to_proto(prepare(nets.classifier()))
    layers = [n for n in proto.graph.node if n.op_type in ("Conv", "Gemm", "MatMul")]
    inner = layers[-1].input[0]
    proto.graph.initializer.append(numpy_helper.from_array(np.float32(0.05), "s"))
    proto.graph.initializer.append(numpy_helper.from_array(np.uint8(0), "z"))
    place = list(proto.graph.node).index(layers[-1])
    proto.graph.node.insert(place, helper.make_node("QuantizeLinear", [inner, "s", "z"], ["q"]))
    proto.graph.node.insert(place + 1, helper.make_node("DequantizeLinear", ["q", "s", "z"], ["dq"]))
    proto.graph.node[place + 2].input[0] = "dq"
    n = len(layers)
    with pytest.raises(UnsupportedModel, match=f"in part: {n} of {n} layers have float weights"):
        require_float(from_proto(proto, "partly"))


def test_what_is_quantized_throughout_is_not_in_part() -> None:
    made = nets.compressed(prepare(nets.classifier()), "w8a8-pc-minmax").model
    with pytest.raises(UnsupportedModel) as caught:
        require_float(made)
    assert "in part" not in str(caught.value)
