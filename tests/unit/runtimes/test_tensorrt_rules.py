"""Every rule of TensorRT finds the graph that breaks it, and names the node."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from paredown.errors import UnsupportedModel
from paredown.runtimes.tensorrt_rules import faults, require_rules


def rounded() -> onnx.ModelProto:
    """x -> Q -> DQ -> Conv -> Relu, the weight in int8 with a scale for each of its 4 output channels."""
    values = {
        "sx": np.float32(0.1),
        "zx": np.int8(0),
        "w": np.ones((4, 3, 3, 3), np.int8),
        "sw": np.full(4, 0.01, np.float32),
        "zw": np.zeros(4, np.int8),
        "b": np.zeros(4, np.float32),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "sx", "zx"], ["xq"], "round"),
        helper.make_node("DequantizeLinear", ["xq", "sx", "zx"], ["xd"], "back"),
        helper.make_node("DequantizeLinear", ["w", "sw", "zw"], ["wd"], "weight", axis=0),
        helper.make_node("Conv", ["xd", "wd", "b"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["y"], "relu"),
    ]
    stored = [numpy_helper.from_array(np.asarray(v), n) for n, v in values.items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 8, 8])
    graph = helper.make_graph(nodes, "g", [x], [y], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def store(model: onnx.ModelProto, **values: np.ndarray) -> None:
    kept = [t for t in model.graph.initializer if t.name not in values]
    del model.graph.initializer[:]
    model.graph.initializer.extend(
        [*kept, *(numpy_helper.from_array(np.asarray(v), n) for n, v in values.items())]
    )


def node(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    return next(n for n in model.graph.node if n.name == name)


def asymmetric(model: onnx.ModelProto) -> None:
    store(model, zx=np.int8(3))


def unsigned(model: onnx.ModelProto) -> None:
    store(model, zx=np.uint8(0))


def without_zero_point(model: onnx.ModelProto) -> None:
    del node(model, "round").input[2:]


def bias_in_integers(model: onnx.ModelProto) -> None:
    store(model, bq=np.zeros(4, np.int32))
    pair = helper.make_node("DequantizeLinear", ["bq", "sw"], ["bd"], "bias", axis=0)
    model.graph.node.insert(0, pair)
    node(model, "conv").input[2] = "bd"


def channels_of_an_activation(model: onnx.ModelProto) -> None:
    store(model, sx=np.full(3, 0.1, np.float32), zx=np.zeros(3, np.int8))


def other_axis(model: onnx.ModelProto) -> None:
    node(model, "weight").attribute[0].i = 1


def dead_scale(model: onnx.ModelProto) -> None:
    store(model, sx=np.float32(0))


def computed_scale(model: onnx.ModelProto) -> None:
    model.graph.node.insert(0, helper.make_node("Abs", ["sx"], ["sy"], "abs"))
    node(model, "round").input[1] = "sy"


def weight_alone(model: onnx.ModelProto) -> None:
    node(model, "conv").input[0] = "x"


def activation_alone(model: onnx.ModelProto) -> None:
    store(model, w=np.ones((4, 3, 3, 3), np.float32))
    node(model, "conv").input[1] = "w"
    model.graph.node.remove(node(model, "weight"))


def rounded_before_the_activation(model: onnx.ModelProto) -> None:
    for op, given, made in (("QuantizeLinear", "c", "cq"), ("DequantizeLinear", "cq", "cd")):
        model.graph.node.insert(4, helper.make_node(op, [given, "sx", "zx"], [made], made))
    node(model, "relu").input[0] = "cd"


def cast_weight(model: onnx.ModelProto) -> None:
    model.graph.node.insert(0, helper.make_node("Cast", ["w"], ["wc"], "cast", to=TensorProto.INT8))
    node(model, "weight").input[0] = "wc"


def old_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 12


def open_size(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"


def foreign_operator(model: onnx.ModelProto) -> None:
    node(model, "relu").domain = "com.microsoft"


def integer_operator(model: onnx.ModelProto) -> None:
    node(model, "relu").op_type = "DynamicQuantizeLinear"


BROKEN: list[tuple[Callable[[onnx.ModelProto], None], str, str]] = [
    (asymmetric, "round", "has the zero point 3"),
    (unsigned, "round", "is in uint8"),
    (without_zero_point, "round", "writes uint8"),
    (bias_in_integers, "bias", "is in int32"),
    (channels_of_an_activation, "round", "every channel of an activation"),
    (other_axis, "conv", "axis 1 of its weight"),
    (dead_scale, "round", "not above 0"),
    (computed_scale, "round", "scale that is computed"),
    (weight_alone, "conv", "what it reads is not rounded"),
    (activation_alone, "conv", "its weight is not rounded"),
    (rounded_before_the_activation, "conv", "in front of Relu"),
    (cast_weight, "weight", "integers out of Cast"),
    (old_opset, "", "opset 12"),
    (open_size, "x", "open size"),
    (foreign_operator, "relu", "domain com.microsoft"),
    (integer_operator, "relu", "DynamicQuantizeLinear"),
]


def test_a_graph_that_keeps_them_has_no_fault() -> None:
    assert list(faults(rounded())) == []
    require_rules(rounded())


@pytest.mark.parametrize(("broken", "at", "what"), BROKEN, ids=[b[0].__name__ for b in BROKEN])
def test_each_rule_is_found_where_it_is_broken(
    broken: Callable[[onnx.ModelProto], None], at: str, what: str
) -> None:
    model = rounded()
    broken(model)
    found = [f for f in faults(model) if what in f.what]
    assert found, [str(f) for f in faults(model)]
    assert found[0].node == at
    with pytest.raises(UnsupportedModel, match="would not take this model"):
        require_rules(model)


def test_the_scales_of_products_stand_along_their_outputs() -> None:
    """Gemm and ConvTranspose have them on axis 1, a transposed Gemm on axis 0."""
    for op, attributes, axis, fine in (
        ("Gemm", {}, 1, True),
        ("Gemm", {}, 0, False),
        ("Gemm", {"transB": 1}, 0, True),
        ("ConvTranspose", {}, 1, True),
        ("ConvTranspose", {}, 0, False),
    ):
        model = rounded()
        changed = node(model, "conv")
        del changed.attribute[:]
        changed.op_type = op
        changed.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        node(model, "weight").attribute[0].i = axis
        assert any("axis" in f.what for f in faults(model)) is not fine, (op, attributes, axis)
