"""Writing QuantizeLinear / DequantizeLinear into a graph: where grids become ONNX.

A tensor gets Q and DQ right behind its producer and every reader reads the DQ: that is the form from which
ONNX Runtime, OpenVINO and TensorRT fuse integer kernels. A weight becomes an int8 initializer behind a DQ, a
bias an int32 initializer on the product of the input's and the weight's scale.
"""

from __future__ import annotations

from collections.abc import Container

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.draft import QuantizedLayer
from paredown.graph.walk import constant, readers_of_integers
from paredown.numerics.quant_params import QuantParams, exact

BIAS_LIMIT = 2**30  # half of what int32 holds: the other half is left to the sums of products


def add_constant(graph: ir.Graph, name: str, array: NDArray[np.generic]) -> ir.Value:
    """A new initializer."""
    tensor = ir.tensor(array, name=name)
    value = ir.Value(
        name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(array.shape), const_value=tensor
    )
    graph.register_initializer(value)
    return value


def _parameters(graph: ir.Graph, name: str, grid: QuantParams) -> tuple[ir.Value, ir.Value]:
    return (
        add_constant(graph, f"{name}_scale", grid.scale),
        add_constant(graph, f"{name}_zero_point", grid.zero_point.astype(grid.dtype)),
    )


def _node(
    op: str, name: str, inputs: list[ir.Value], output: str, like: ir.Value, axis: int | None
) -> ir.Node:
    attributes = [] if axis is None else [ir.AttrInt64("axis", axis)]
    node = ir.Node("", op, inputs, attributes, name=name)
    node.outputs[0].name = output
    node.outputs[0].shape = like.shape
    return node


def quantize_tensor(
    graph: ir.Graph,
    value: ir.Value,
    grid: QuantParams,
    shared: tuple[ir.Value, ir.Value] | None = None,
    readers: Container[ir.Node] | None = None,
) -> tuple[ir.Value, ir.Value]:
    """Q and DQ behind an activation. Gives the scale and zero point, which later calls may share.

    readers: the only nodes that read it rounded; all if not said.
    """
    parameters = shared or _parameters(graph, str(value.name), grid)
    q, _ = _insert_pair(graph, value, parameters, parameters, grid.axis, readers)
    if grid.low == 0 and grid.high < 255:
        _narrow(graph, q, grid)
    return parameters


def _narrow(graph: ir.Graph, quantize: ir.Node, grid: QuantParams) -> None:
    """A Clip of the integers: a grid of few bits in uint8. Stock kernels for uint8 then compute with it; on
    UINT4 tensors there are none, and ONNX Runtime 1.31 makes an invalid graph of them."""
    wide, name = quantize.outputs[0], str(quantize.outputs[0].name)
    uses = list(wide.uses())
    limits = [
        add_constant(graph, f"{name}_{end}", np.asarray(limit, grid.dtype))
        for end, limit in (("low", grid.low), ("high", grid.high))
    ]
    clip = _node("Clip", f"{name}_Clip", [wide, *limits], f"{name}_narrow", wide, None)
    clip.outputs[0].type = wide.type
    for use in uses:
        use.node.replace_input_with(use.idx, clip.outputs[0])
    graph.insert_after(quantize, clip)


def quantize_head(graph: ir.Graph, value: ir.Value, grid: QuantParams) -> None:
    """Q on the unit grid (the convolution already answers in integers), then DQ channel by channel."""
    unit = QuantParams(np.asarray(1.0, np.float32), np.asarray(0, np.int32), grid.low, grid.high)
    real = _parameters(graph, str(value.name), grid)
    _insert_pair(graph, value, _parameters(graph, f"{value.name}_unit", unit), real, grid.axis)


def _insert_pair(
    graph: ir.Graph,
    value: ir.Value,
    into: tuple[ir.Value, ir.Value],
    out_of: tuple[ir.Value, ir.Value],
    axis: int | None,
    readers: Container[ir.Node] | None = None,
) -> tuple[ir.Node, ir.Node]:
    name, was_output = str(value.name), value.is_graph_output() and readers is None
    uses = [use for use in value.uses() if readers is None or use.node in readers]
    if was_output:  # the public name belongs to what leaves the graph: the dequantized value
        value.name = f"{name}_float"
    along = axis if into[0].shape is not None and len(into[0].shape) else None
    q = _node("QuantizeLinear", f"{name}_QuantizeLinear", [value, *into], f"{name}_q", value, along)
    q.outputs[0].type = ir.TensorType(into[1].dtype or ir.DataType.UINT8)
    dq = _node(
        "DequantizeLinear", f"{name}_DequantizeLinear", [q.outputs[0], *out_of], f"{name}_dq", value, axis
    )
    dq.outputs[0].type = value.type
    for use in uses:
        use.node.replace_input_with(use.idx, dq.outputs[0])
    if was_output:
        dq.outputs[0].name = name
        graph.outputs[list(graph.outputs).index(value)] = dq.outputs[0]
    producer = value.producer()
    if producer is None:
        graph.insert_before(graph[0], [q, dq])
    else:
        graph.insert_after(producer, [q, dq])
    return q, dq


def quantize_weight(
    graph: ir.Graph, node: ir.Node, grid: QuantParams, integers: NDArray[np.int32], real: NDArray[np.float32]
) -> QuantizedLayer:
    """The weight of a node becomes `integers` on `grid` behind a DQ; `real` is what they stand for."""
    weight = node.inputs[1]
    assert weight is not None
    name = f"{node.name}_weight"
    stored = add_constant(graph, f"{name}_q", integers.astype(grid.dtype))
    dq = _node(
        "DequantizeLinear",
        f"{name}_DequantizeLinear",
        [stored, *_parameters(graph, name, grid)],
        f"{name}_dq",
        weight,
        grid.axis,
    )
    dq.outputs[0].type = weight.type
    graph.insert_before(node, dq)
    node.replace_input_with(1, dq.outputs[0])
    return QuantizedLayer(grid, grid.steps_of(real))


def quantize_constants(graph: ir.Graph, node: ir.Node) -> None:
    """A constant operand that 8 bits hold exactly becomes its integers behind a DQ."""
    for index, value in enumerate(node.inputs):
        if value is None or (found := constant(value)) is None:
            continue
        real = np.asarray(found, np.float32)
        if (grid := exact(real)) is None:
            continue
        name = f"{node.name}_{index}"
        stored = add_constant(graph, f"{name}_q", grid.quantize(real).astype(grid.dtype))
        inputs = [stored, *_parameters(graph, name, grid)]
        dq = _node("DequantizeLinear", f"{name}_DequantizeLinear", inputs, f"{name}_dq", value, None)
        dq.outputs[0].type = value.type
        graph.insert_before(node, dq)
        node.replace_input_with(index, dq.outputs[0])


def quantize_bias(
    graph: ir.Graph, node: ir.Node, bias: NDArray[np.float32], scale: NDArray[np.float32]
) -> None:
    """The bias (n,), new to the node or not, becomes int32 on `scale` (scalar or (n,)) behind a DQ."""
    name = f"{node.name}_bias"
    integers = np.clip(np.rint(bias.astype(np.float64) / scale), -BIAS_LIMIT, BIAS_LIMIT).astype(np.int32)
    axis = 0 if np.ndim(scale) else None
    inputs = [
        add_constant(graph, f"{name}_q", integers),
        add_constant(graph, f"{name}_scale", np.asarray(scale, np.float32)),
    ]
    dq = ir.Node(
        "",
        "DequantizeLinear",
        inputs,
        [] if axis is None else [ir.AttrInt64("axis", axis)],
        name=f"{name}_DequantizeLinear",
    )
    dq.outputs[0].name = f"{name}_dq"
    dq.outputs[0].shape = ir.Shape(bias.shape)
    dq.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
    graph.insert_before(node, dq)
    if len(node.inputs) < 3:
        node.resize_inputs(3)
    node.replace_input_with(2, dq.outputs[0])


def shift_bias(dq: ir.Node, steps: NDArray[np.floating]) -> None:
    """Adds steps of its grid, rounded, to the int32 bias behind a DequantizeLinear."""
    stored = dq.inputs[0]
    assert stored is not None
    assert stored.const_value is not None
    moved = stored.const_value.numpy().astype(np.int64) + np.rint(steps).astype(np.int64)
    replace_constant(stored, np.clip(moved, -BIAS_LIMIT, BIAS_LIMIT).astype(np.int32))


def make_biases_real(graph: ir.Graph) -> None:
    """Biases in int32 become the real numbers that they stand for, within half a step of theirs."""
    for dq in [n for n in graph if n.op_type == "DequantizeLinear"]:
        stored = constant(dq.inputs[0])
        if stored is None or stored.dtype != np.int32:
            continue
        real = np.asarray(stored * np.asarray(constant(dq.inputs[1]), np.float64), np.float32)
        value = add_constant(graph, f"{dq.inputs[0].name}_real", real)  # type: ignore[union-attr]
        for use in list(dq.outputs[0].uses()):
            use.node.replace_input_with(use.idx, value)
        graph.remove(dq, safe=True)
    drop_unused(graph)


def replace_constant(value: ir.Value, array: NDArray[np.generic]) -> None:
    """Another array of the same type and shape in an initializer's place."""
    value.const_value = ir.tensor(array, name=value.name)


def float_name(value: ir.Value) -> str:
    """The name that a tensor in front of its Q has in the float network (see `_insert_pair`)."""
    for q in (use.node for use in value.uses() if use.node.op_type == "QuantizeLinear"):
        for dq in readers_of_integers(q):
            if dq.outputs[0].is_graph_output():
                return str(dq.outputs[0].name)
    return str(value.name)


def drop_unused(graph: ir.Graph) -> None:
    """Remove initializers that no node reads any more."""
    for name in [n for n, v in graph.initializers.items() if not v.uses() and not v.is_graph_output()]:
        del graph.initializers[name]
