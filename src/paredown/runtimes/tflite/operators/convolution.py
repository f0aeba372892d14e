"""Conv, Gemm and MatMul: layers with weights, in float or in integers with our scales."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.errors import UnsupportedModel
from paredown.graph.walk import attribute, shape_of
from paredown.runtimes.tflite.integers import wanted
from paredown.runtimes.tflite.layout import Layout, channels_last, convolution_layouts, plain
from paredown.runtimes.tflite.lowering import (
    Lowering,
    Stored,
    data,
    fused_activation,
    int_attribute,
    refused,
)
from paredown.runtimes.tflite.net import ABSENT, QuantParams, Tensor
from paredown.runtimes.tflite.operators.windows import padded, window_of

INT32_MAX = 2**31 - 1
Axes = tuple[int, ...]


def conv(node: ir.Node, low: Lowering) -> None:
    """CONV_2D; DEPTHWISE_CONV_2D where every group reads one channel."""
    source, weight = data(node), data(node, 1)
    shape = shape_of(weight)
    group = int_attribute(node, "group", 1)
    held = low.find(source)
    if len(shape) != 4:
        raise refused(node, f"a kernel of {len(shape) - 2} axes", "2: height and width")
    layout = held.layout if held.layout in convolution_layouts(4) else channels_last(4)
    height, width = layout[1:3]
    depthwise = group > 1 and shape[1] == 1
    order = (1, height, width, 0) if depthwise else (0, height, width, 1)
    window = window_of(node, shape[2:], layout)
    name, output = fused_activation(node, low)
    inputs, params = _operands(node, output, layout, order, low)
    inputs[0], padding = padded(inputs[0], window, node, layout, low)
    settings = {**window.settings, **window.dilation_settings, "padding": padding}
    settings["fusedActivationFunction"] = name
    made = low.result(output, layout, params)
    if depthwise:
        settings["depthMultiplier"] = shape[0] // group
        low.emit("DEPTHWISE_CONV_2D", inputs, made, "DepthwiseConv2DOptions", **settings)
    else:
        low.emit("CONV_2D", inputs, made, "Conv2DOptions", **settings)


def gemm(node: ir.Node, low: Lowering) -> None:
    """FULLY_CONNECTED of a matrix and constant weights."""
    if float(attribute(node, "alpha", 1.0)) != 1 or float(attribute(node, "beta", 1.0)) != 1:
        raise refused(node, "alpha or beta other than 1")
    if low.constant(data(node, 1)) is None or int_attribute(node, "transA", 0):
        raise refused(node, "weights that are computed, or a transposed input", "constant weights")
    order = (0, 1) if int_attribute(node, "transB", 0) else (1, 0)
    _fully_connected(node, plain(2), order, low)


def matmul(node: ir.Node, low: Lowering) -> None:
    """FULLY_CONNECTED with constant weights; BATCH_MATMUL of two computed tensors."""
    left, right = data(node), data(node, 1)
    if low.constant(right) is not None and len(shape_of(right)) == 2:
        held = low.find(left)
        last = len(held.layout) - 1
        layout = held.layout if held.layout[-1] == last else (*(a for a in held.layout if a != last), last)
        _fully_connected(node, layout, (1, 0), low)
    else:
        _batch_matmul(node, low)


def _fully_connected(node: ir.Node, layout: Layout, order: Axes, low: Lowering) -> None:
    name, output = fused_activation(node, low)
    inputs, params = _operands(node, output, layout, order, low)
    made = low.result(output, layout, params)
    low.emit(
        "FULLY_CONNECTED",
        inputs,
        made,
        "FullyConnectedOptions",
        fusedActivationFunction=name,
        keepNumDims=len(layout) > 2,
    )


def _batch_matmul(node: ir.Node, low: Lowering) -> None:
    """A flipped pair of last axes is read as it lies."""
    left, right = data(node), data(node, 1)
    rank = len(shape_of(node.outputs[0]))
    if any(len(shape_of(v)) != rank for v in (left, right)):
        raise refused(node, "operands of different rank", "the same number of axes")
    flipped = (*range(rank - 2), rank - 1, rank - 2)
    layouts = [flipped if low.find(v).layout == flipped else plain(rank) for v in (left, right)]
    inputs = [low.take(v, layout, real=True) for v, layout in zip((left, right), layouts, strict=True)]
    made = low.result(node.outputs[0], plain(rank))
    adjoint = {"adjX": layouts[0] == flipped, "adjY": layouts[1] == flipped}
    low.emit("BATCH_MATMUL", inputs, made, "BatchMatMulOptions", **adjoint)


def _operands(
    node: ir.Node, output: ir.Value, layout: Layout, order: Axes, low: Lowering
) -> tuple[list[int], QuantParams | None]:
    """Input, weights and bias, and the parameters of an output in integers.

    order: the axes of ONNX's weights in TFLite's order.
    """
    source, weight = data(node), data(node, 1)
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    stored = low.stored.get(weight)
    held, params = low.find(source), wanted(output)
    incoming = low.params(held.tensor)
    if stored is None or incoming is None or params is None or not _symmetric(stored, order):
        return _real_operands(node, layout, order, low), None
    weights, scales = _integer_weights(stored, order, str(weight.name), low)
    sums = _integer_bias(bias, incoming.scale * scales, len(scales), weight, low)
    return [low.take(source, layout), weights, sums], params


def _real_operands(node: ir.Node, layout: Layout, order: Axes, low: Lowering) -> list[int]:
    weights = low.constant(data(node, 1))
    if weights is None:
        raise refused(node, "weights that are computed", "constant weights")
    bias = low.constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if len(node.inputs) > 2 and node.inputs[2] is not None and bias is None:
        raise refused(node, "a bias that is computed", "a constant bias")
    tensors = [low.take(data(node), layout, real=True), _real_weights(node, weights, order, low)]
    outputs = weights.shape[0 if weights.ndim == 4 else order[0]]
    sums = np.zeros(1, np.float32) if bias is None else bias.reshape(-1)
    return [*tensors, low.array(np.broadcast_to(sums, (outputs,)), "bias")]


def _real_weights(node: ir.Node, weights: NDArray[np.generic], order: Axes, low: Lowering) -> int:
    """Real weights: float32, or integers or halves in the file that become so once, when it is loaded."""
    weight = data(node, 1)
    stored = low.stored.get(weight)
    if stored is not None and _symmetric(stored, order):
        integers, _ = _integer_weights(replace(stored, four_bit=False), order, str(weight.name), low)
        return low.once("DEQUANTIZE", integers, "FLOAT32", None, "DequantizeOptions")
    arranged = weights.transpose(order)
    return low.halved(arranged) if str(weight.name) in low.half else low.array(arranged, "weights")


def _symmetric(stored: Stored, order: Axes) -> bool:
    """Whether the integers fit INT8, with one scale or one for every output channel."""
    fits = int(stored.integers.min()) >= -128 and int(stored.integers.max()) <= 127
    axis = 0 if stored.integers.ndim == 4 else order[0]
    return fits and (stored.scales.ndim == 0 or stored.axis == axis)


def _integer_weights(
    stored: Stored, order: Axes, name: str, low: Lowering
) -> tuple[int, NDArray[np.float32]]:
    """The weights' tensor and one scale for every output channel."""
    integers = stored.integers.transpose(order)
    axis = order.index(0) if stored.integers.ndim == 4 else 0
    scales = np.broadcast_to(stored.scales, (integers.shape[axis],)).astype(np.float32)
    four = stored.four_bit and int(integers.min()) >= -8 and int(integers.max()) <= 7
    params = QuantParams(tuple(float(s) for s in scales), 0, axis)
    kept = integers.astype(np.int8)
    tensor = Tensor(name, kept.shape, "INT4" if four else "INT8", params, kept)
    return low.net.add(tensor), scales


def _integer_bias(
    bias: ir.Value | None, scales: NDArray[np.float32], size: int, weight: ir.Value, low: Lowering
) -> int:
    """The bias as INT32, in units of the products."""
    if bias is None:
        return ABSENT
    stored, real = low.stored.get(bias), low.constant(bias)
    if real is None:
        raise UnsupportedModel(f"the bias of {str(weight.name)!r} is computed", expected="a constant bias")
    if stored is not None and np.allclose(np.broadcast_to(stored.scales, (size,)), scales, rtol=1e-5):
        sums = stored.integers
    else:
        sums = np.rint(np.asarray(real, np.float64).reshape(-1) / scales).astype(np.int64)
    kept = np.broadcast_to(sums.clip(-INT32_MAX, INT32_MAX).astype(np.int32), (size,))
    params = QuantParams(tuple(float(s) for s in scales))
    return low.net.add(Tensor(str(bias.name), (size,), "INT32", params, kept))
