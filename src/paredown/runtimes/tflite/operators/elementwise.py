"""Operators that take every number for itself: sums, products, activations, casts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.graph.walk import attribute, shape_of
from paredown.runtimes.tflite.integers import FIXED, as_integers, narrow
from paredown.runtimes.tflite.layout import Layout
from paredown.runtimes.tflite.lowering import (
    Lowering,
    activation_name,
    clip_limits,
    data,
    fused_activation,
    kind_of,
    only_reader,
    refused,
)
from paredown.runtimes.tflite.net import QuantParams

Written = Callable[[ir.Node, Lowering], None]


def binary(code: str, options: str, integers: bool = True, activation: bool = True) -> Written:
    """An operator of two operands, the smaller one repeated along axes of size 1."""

    def write(node: ir.Node, low: Lowering) -> None:
        name, output = fused_activation(node, low) if activation else ("NONE", node.outputs[0])
        values = [data(node), data(node, 1)]
        layout = common_layout(values, output, low)
        params = as_integers(values, output, low) if integers else None
        inputs = [operand(v, layout, low, real=params is None) for v in values]
        settings = {"fusedActivationFunction": name} if activation else {}
        low.emit(code, inputs, low.result(output, layout, params), options, **settings)

    return write


def common_layout(values: list[ir.Value], output: ir.Value, low: Lowering) -> Layout:
    """The layout of the largest computed operand of full rank."""
    rank = len(shape_of(output))
    full = [v for v in values if low.constant(v) is None and len(shape_of(v)) == rank]
    if not full:
        return tuple(range(rank))
    return low.find(max(full, key=lambda v: int(np.prod(shape_of(v))))).layout


def operand(value: ir.Value, layout: Layout, low: Lowering, real: bool = True) -> int:
    """An operand in this layout, axes of size 1 set before it where it has fewer."""
    rank, shape = len(layout), shape_of(value)
    array = low.constant(value)
    if array is not None:
        return low.array(_full(array, rank).transpose(layout), str(value.name))
    if len(shape) == rank:
        return low.take(value, layout, real)
    full = (*(1 for _ in range(rank - len(shape))), *shape)
    spread = low.reshaped(low.take(value, tuple(range(len(shape))), real), full)
    return low.moved(spread, full, tuple(range(rank)), layout)


def _full(array: NDArray[np.generic], rank: int) -> NDArray[np.generic]:
    """The array with `rank` axes."""
    return array.reshape((1,) * (rank - array.ndim) + array.shape)


def unary(code: str, options: str = "", integers: bool = False, **settings: object) -> Written:
    """An operator of one input; `integers`: whether it takes any scales in and out."""

    def write(node: ir.Node, low: Lowering) -> None:
        single(node, code, low, options, integers, **settings)

    return write


def single(node: ir.Node, code: str, low: Lowering, options: str, integers: bool, **settings: object) -> None:
    """One operator from the node's first input to its output."""
    source, output = data(node), node.outputs[0]
    params = as_integers([source], output, low) if integers else None
    layout = low.find(source).layout
    tensor = low.take(source, layout, real=params is None)
    low.emit(code, [tensor], low.result(output, layout, params), options, **settings)


def leaky_relu(node: ir.Node, low: Lowering) -> None:
    single(node, "LEAKY_RELU", low, "LeakyReluOptions", True, alpha=float(attribute(node, "alpha", 0.01)))


def sigmoid(node: ir.Node, low: Lowering) -> None:
    """LOGISTIC, whose integers have a grid of their own: the next QuantizeLinear goes over to ours."""
    source, output = data(node), node.outputs[0]
    params: QuantParams | None = FIXED if as_integers([source], output, low) else None
    layout = low.find(source).layout
    tensor = low.take(source, layout, real=params is None)
    low.emit("LOGISTIC", [tensor], low.result(output, layout, params))


def softplus(node: ir.Node, low: Lowering) -> None:
    """log(1 + e^x) as max(x, 0) + log(1 + e^-|x|), whose powers are at most 1."""
    source, output = data(node), node.outputs[0]
    layout = low.find(source).layout
    given = low.take(source, layout, real=True)
    shape = low.net.tensors[given].shape

    def step(code: str, options: str, *inputs: int) -> int:
        return low.emit(code, list(inputs), low.new(shape, "FLOAT32", None), options)

    power = step("EXP", "ExpOptions", step("NEG", "NegOptions", step("ABS", "AbsOptions", given)))
    small = step("LOG", "", step("ADD", "AddOptions", power, low.number(1.0)))
    inputs = [step("RELU", "", given), small]
    low.emit("ADD", inputs, low.result(output, layout), "AddOptions")


def prelu(node: ir.Node, low: Lowering) -> None:
    """PRELU: a slope for every channel, without the batch axis."""
    source, output = data(node), node.outputs[0]
    slope = low.constant(data(node, 1))
    layout = low.find(source).layout
    if slope is None or layout[0] != 0:
        raise refused(node, "computed slopes", "constant slopes")
    slopes = _full(slope, len(layout)).transpose(layout)[0]
    tensor = low.take(source, layout, real=True)
    low.emit("PRELU", [tensor, low.array(slopes)], low.result(output, layout))


def clip(node: ir.Node, low: Lowering) -> None:
    """A RELU where the limits are those of one, else MAXIMUM and MINIMUM."""
    maker = data(node).producer()
    if maker is not None and maker.op_type == "QuantizeLinear":
        return narrow(node, maker, low)
    if (name := activation_name(node, low)) is not None:
        return single(node, name, low, "", True)
    source, output = data(node), node.outputs[0]
    layout = low.find(source).layout
    tensor = low.take(source, layout, real=True)
    for code, limit in zip(("MAXIMUM", "MINIMUM"), clip_limits(node, low), strict=True):
        if np.isinf(limit):
            continue
        made = low.new(low.net.tensors[tensor].shape, "FLOAT32", None)
        tensor = low.emit(code, [tensor, low.number(limit)], made, "MaximumMinimumOptions")
    low.alias(output, tensor, layout)
    return None


def hard_sigmoid(node: ir.Node, low: Lowering) -> None:
    """RELU6(6 a x + 6 b) / 6; HARD_SWISH together with the product behind it."""
    alpha, beta = float(attribute(node, "alpha", 0.2)), float(attribute(node, "beta", 0.5))
    source, reader = data(node), only_reader(node.outputs[0])
    if abs(6 * alpha - 1) < 1e-6 and beta == 0.5 and reader is not None and _gates(reader, source):
        low.done.add(reader)
        return _swish(source, reader.outputs[0], low)
    layout = low.find(source).layout
    tensor = low.take(source, layout, real=True)
    shape = low.net.tensors[tensor].shape
    steps = (("MUL", 6 * alpha, "NONE"), ("ADD", 6 * beta, "RELU6"), ("MUL", 1 / 6, "NONE"))
    for code, number, name in steps:
        if code == "MUL" and abs(number - 1) < 1e-6:
            continue
        options = {"ADD": "AddOptions", "MUL": "MulOptions"}[code]
        made = low.new(shape, "FLOAT32", None)
        inputs = [tensor, low.number(number)]
        tensor = low.emit(code, inputs, made, options, fusedActivationFunction=name)
    low.alias(node.outputs[0], tensor, layout)
    return None


def _gates(node: ir.Node, source: ir.Value) -> bool:
    """Whether the node multiplies a gate with what the gate was computed from."""
    return node.op_type == "Mul" and source in node.inputs


def _swish(source: ir.Value, output: ir.Value, low: Lowering) -> None:
    params = as_integers([source], output, low)
    layout = low.find(source).layout
    tensor = low.take(source, layout, real=params is None)
    low.emit("HARD_SWISH", [tensor], low.result(output, layout, params), "HardSwishOptions")


def power(node: ir.Node, low: Lowering) -> None:
    """POW; a product for the exponent 2, SQRT for 0.5."""
    exponent = low.constant(data(node, 1))
    number = float(exponent.reshape(())) if exponent is not None and exponent.size == 1 else None
    if number == 0.5:
        return single(node, "SQRT", low, "", False)
    if number != 2:
        return binary("POW", "PowOptions", False, False)(node, low)
    layout = low.find(data(node)).layout
    tensor = low.take(data(node), layout, real=True)
    low.emit("MUL", [tensor, tensor], low.result(node.outputs[0], layout), "MulOptions")
    return None


def cast(node: ir.Node, low: Lowering) -> None:
    source, output = data(node), node.outputs[0]
    layout = low.find(source).layout
    tensor = low.take(source, layout, real=True)
    if low.type(tensor) == kind_of(output):
        return low.alias(output, tensor, layout)
    types = {"inDataType": low.type(tensor), "outDataType": kind_of(output)}
    low.emit("CAST", [tensor], low.result(output, layout), "CastOptions", **types)
    return None


def identity(node: ir.Node, low: Lowering) -> None:
    held = low.find(data(node))
    low.alias(node.outputs[0], held.tensor, held.layout)
