"""Softmax, and operators that pick values by number or by rank."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from paredown.graph.walk import shape_of
from paredown.runtimes.tflite.integers import FIXED, as_integers
from paredown.runtimes.tflite.layout import Layout, plain
from paredown.runtimes.tflite.lowering import Lowering, data, int_attribute, refused


def softmax(node: ir.Node, low: Lowering) -> None:
    """SOFTMAX along the last axis of the TFLite tensor."""
    source, output = data(node), node.outputs[0]
    layout = _axis_last(low.find(source).layout, int_attribute(node, "axis", -1))
    params = FIXED if as_integers([source], output, low) else None
    tensor = low.take(source, layout, real=params is None)
    low.emit("SOFTMAX", [tensor], low.result(output, layout, params), "SoftmaxOptions", beta=1.0)


def _axis_last(layout: Layout, axis: int) -> Layout:
    last = axis % len(layout)
    return (*(a for a in layout if a != last), last)


def top_k(node: ir.Node, low: Lowering) -> None:
    """TOPK_V2 along the last axis: the largest, sorted."""
    source = data(node)
    count = low.constant(data(node, 1))
    if count is None or not int_attribute(node, "largest", 1):
        raise refused(node, "a number that is computed, or the smallest", "a constant number of the largest")
    layout = _axis_last(low.find(source).layout, int_attribute(node, "axis", -1))
    tensor = low.take(source, layout, real=True)
    made = [low.result(v, layout) for v in node.outputs]
    low.emit("TOPK_V2", [tensor, low.index(int(count.reshape(())))], made, "TopKV2Options")


def gather(node: ir.Node, low: Lowering) -> None:
    """GATHER: the indices' axes stand where the picked one stood."""
    source, output = data(node), node.outputs[0]
    rank = len(shape_of(source))
    axis = int_attribute(node, "axis", 0) % rank
    tensor = low.take(source, plain(rank))
    picked = _indices(node, shape_of(source)[axis], low)
    made = low.result(output, plain(len(shape_of(output))), low.params(tensor))
    low.emit("GATHER", [tensor, picked], made, "GatherOptions", axis=axis)


def _indices(node: ir.Node, size: int, low: Lowering) -> int:
    """The indices in ONNX's order; constant ones counted from the front."""
    indices = data(node, 1)
    array = low.constant(indices)
    if array is not None:
        whole = array.astype(np.int32)
        return low.array(np.where(whole < 0, whole + size, whole))
    return low.take(indices, plain(len(shape_of(indices))))


def gather_elements(node: ir.Node, low: Lowering) -> None:
    """GATHER from the values in one row, by the place of each in it."""
    source, output = data(node), node.outputs[0]
    sizes, shape = shape_of(source), shape_of(output)
    axis = int_attribute(node, "axis", 0) % len(sizes)
    strides = [int(np.prod(sizes[i + 1 :])) for i in range(len(sizes))]
    places = sum(
        np.arange(shape[i]).reshape([-1 if i == j else 1 for j in range(len(shape))]) * strides[i]
        for i in range(len(shape))
        if i != axis
    )
    index = _indices(node, sizes[axis], low)
    if strides[axis] != 1:
        made = low.new(shape, "INT32", None)
        index = low.emit("MUL", [index, low.index(strides[axis])], made, "MulOptions")
    if np.any(places):
        start = low.array(np.broadcast_to(places, shape).astype(np.int32))
        index = low.emit("ADD", [index, start], low.new(shape, "INT32", None), "AddOptions")
    row = low.reshaped(low.take(source, plain(len(sizes))), [int(np.prod(sizes))])
    made = low.result(output, plain(len(shape)), low.params(row))
    low.emit("GATHER", [row, index], made, "GatherOptions", axis=0)
