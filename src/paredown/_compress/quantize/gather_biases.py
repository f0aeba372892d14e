"""Constants added behind convolutions go into their biases: a sum less to compute, to round and to stop at.

    (W x + r) + b = (W x + b) + r

Exporters leave the offset of a batch normalization behind the sum it was moved through. There it is one more
tensor with a grid, and nothing that scales channels gets past it.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.quantize.writing.qdq import add_constant
from paredown.graph.walk import constant, consumers, data_inputs, shape_of, weight_of

Offset = NDArray[np.float32]


def gather_biases(graph: ir.Graph, kept: tuple[str, ...] = ()) -> dict[str, str]:
    """The same function with such sums gone: the name of each -> that of the convolution it went into.

    kept: names of nodes that stay as they are.
    """
    gone: dict[str, str] = {}
    for node in list(graph):
        offset = _offset(node)
        if offset is None or node.name in kept:
            continue
        (source,) = data_inputs(node)
        layer = _layer_before(source, kept)
        if layer is None:
            continue
        _shift(graph, layer, offset)
        for use in list(node.outputs[0].uses()):
            use.node.replace_input_with(use.idx, source)
        gone[str(node.name)] = str(layer.name)
        graph.remove(node, safe=True)
    return gone


def _offset(node: ir.Node) -> Offset | None:
    """(C,) what a sum adds to every channel; None where it adds something else or is itself an answer."""
    if node.op_type != "Add" or len(data_inputs(node)) != 1 or node.outputs[0].is_graph_output():
        return None
    (source,) = data_inputs(node)
    found = next((a for v in node.inputs if (a := constant(v)) is not None), None)
    shape = shape_of(source)
    if found is None or len(shape) != 4 or found.dtype != np.float32 or shape_of(node.outputs[0]) != shape:
        return None
    channels = shape[1]
    if found.size == 1:
        return np.full(channels, found.reshape(-1)[0], np.float32)
    along = (1,) * (4 - found.ndim) + found.shape
    return found.reshape(-1).astype(np.float32) if along == (1, channels, 1, 1) else None


def _layer_before(value: ir.Value, kept: tuple[str, ...]) -> ir.Node | None:
    """The convolution whose bias reaches the value through nothing but sums, itself read by nothing else."""
    node = value.producer()
    if node is None or node.name in kept or value.is_graph_output() or len(consumers(value)) != 1:
        return None
    if node.op_type == "Conv" and weight_of(node) is not None:
        return node if all(v is None or constant(v) is not None for v in node.inputs[2:]) else None
    if node.op_type != "Add" or any(shape_of(v) != shape_of(value) for v in data_inputs(node)):
        return None
    return next((found for v in data_inputs(node) if (found := _layer_before(v, kept)) is not None), None)


def _shift(graph: ir.Graph, layer: ir.Node, offset: Offset) -> None:
    bias = constant(layer.inputs[2]) if len(layer.inputs) > 2 else None
    made = offset if bias is None else (np.asarray(bias, np.float32) + offset)
    if len(layer.inputs) < 3:
        layer.resize_inputs(3)
    layer.replace_input_with(2, add_constant(graph, f"{layer.name}_gathered_bias", made.astype(np.float32)))
