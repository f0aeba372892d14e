"""From a prepared model to the bytes of a TFLite file."""

from __future__ import annotations

import onnx_ir as ir

from paredown.errors import UnsupportedModel
from paredown.graph.walk import is_standard, shape_of, to_ir
from paredown.model import Model
from paredown.runtimes.tflite.flatbuffer import to_bytes
from paredown.runtimes.tflite.folding import fold_constants
from paredown.runtimes.tflite.layout import arranged, channels_last, plain
from paredown.runtimes.tflite.lowering import Held, Lowering, kind_of, refused
from paredown.runtimes.tflite.net import Net
from paredown.runtimes.tflite.operators.table import OPERATORS


def write(model: Model) -> bytes:
    """A prepared model as a TFLite file: float, or with the integers and scales of its Q/DQ pairs.

    Inputs of images are NHWC; outputs have the names, shapes and order of the ONNX model. Weights that the
    graph stores in four bits are INT4; those that it stores in float16, or in int8 for arithmetic in float,
    are so behind a DEQUANTIZE.

    Raises:
        UnsupportedModel: a node that cannot be written (it is named), or a shape that is left open.
        MissingDependency: `ai-edge-litert`, whose schema classes write the file, is not installed.
    """
    return to_bytes(lowered(model), "written by Paredown")


def lowered(model: Model) -> Net:
    """The operators of the file, in order."""
    folded, four_bit, half = fold_constants(model)
    graph = to_ir(folded).graph
    low = Lowering(four_bit=four_bit, half=half)
    for value in graph.inputs:
        _add_input(value, low)
    for node in graph:
        if node not in low.done:
            _lower(node, low)
    for value in graph.outputs:
        _add_output(value, low)
    return low.net


def _add_input(value: ir.Value, low: Lowering) -> None:
    shape = shape_of(value)
    if 0 in shape:
        raise UnsupportedModel(f"input {str(value.name)!r} has an open shape", hint="prepare the model first")
    layout = channels_last(4) if len(shape) == 4 else plain(len(shape))
    tensor = low.new(arranged(shape, layout), kind_of(value), None, str(value.name))
    low.held[value] = Held(tensor, layout)
    low.net.inputs.append(tensor)


def _lower(node: ir.Node, low: Lowering) -> None:
    write_node = OPERATORS.get(node.op_type) if is_standard(node) else None
    if write_node is None:
        raise refused(node, "no operator of TFLite stands for it", ", ".join(sorted(OPERATORS)))
    write_node(node, low)


def _add_output(value: ir.Value, low: Lowering) -> None:
    """The output in ONNX's order and type, in a tensor of its own."""
    rank = len(shape_of(value))
    tensor = low.take(value, plain(rank), real=True)
    net = low.net
    if value.dtype == ir.DataType.INT64:
        made = low.new(net.tensors[tensor].shape, "INT64", None)
        types = {"inDataType": "INT32", "outDataType": "INT64"}
        tensor = low.emit("CAST", [tensor], made, "CastOptions", **types)
    elif tensor in (*net.inputs, *net.outputs) or net.tensors[tensor].data is not None:
        made = low.like(tensor, shape_of(value))
        tensor = low.emit("RESHAPE", [tensor, low.numbers(*shape_of(value))], made, "ReshapeOptions")
    low.rename(tensor, str(value.name))
    net.outputs.append(tensor)
