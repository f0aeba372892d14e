"""Quantized values: QuantizeLinear and DequantizeLinear, and which nodes compute in integers.

A DequantizeLinear writes nothing: its value is held as the INT8 tensor, and becomes FLOAT32 only where a node
needs real numbers. Our uint8 activations with zero point z are INT8 with zero point z - 128.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.graph.walk import attribute, constant, consumers, quantizer_of, shape_of
from paredown.runtimes.tflite.layout import Layout
from paredown.runtimes.tflite.lowering import Lowering, Stored, clip_limits, data, refused
from paredown.runtimes.tflite.net import QuantParams

FIXED = QuantParams((1 / 256,), -128)
"""What TFLite's LOGISTIC and SOFTMAX write as INT8."""
SAME_STEP = 0.01  # a grid of 0..1 whose step is as near as this to the fixed one stands for it
_OFFSET = {ir.DataType.UINT8: 128, ir.DataType.INT8: 0}


def quantize(node: ir.Node, low: Lowering) -> None:
    """QUANTIZE, unless the value is held with these parameters already."""
    source = data(node)
    params = params_of(node)
    if params is None:
        raise refused(node, "a scale for every channel of an activation", "one scale and zero point")
    held = low.find(source)
    near = low.params(held.tensor) == FIXED and _near_fixed(params)
    tensor = held.tensor if near else low.requantized(held.tensor, params)
    low.alias(node.outputs[0], tensor, held.layout)


def _near_fixed(params: QuantParams) -> bool:
    same_zero = params.zero_point == FIXED.zero_point
    return same_zero and abs(params.scale / FIXED.scale - 1) <= SAME_STEP


def dequantize(node: ir.Node, low: Lowering) -> None:
    """The value is held as integers; those that were stored wait for the node that reads them."""
    source, output = data(node), node.outputs[0]
    integers = constant(source)
    if integers is not None:
        low.stored[output] = _stored(node, integers, str(source.name) in low.four_bit)
        return
    held = low.find(source)
    maker = quantizer_of(node)
    if low.params(held.tensor) is None or maker is None:
        raise refused(node, "integers that no QuantizeLinear made", "QuantizeLinear before it")
    if params_of(node) == params_of(maker):
        low.alias(output, held.tensor, held.layout)
    else:
        _read_anew(node, maker, low)


def narrow(clip: ir.Node, quantizer: ir.Node, low: Lowering) -> None:
    """MAXIMUM and MINIMUM of integers: a grid of few bits in INT8 (`clip_behind`)."""
    held = low.find(data(clip))
    tensor, params = held.tensor, low.params(held.tensor)
    assert params is not None  # a QuantizeLinear wrote it
    for code, limit in zip(("MAXIMUM", "MINIMUM"), clip_limits(clip, low), strict=True):
        level = limit - _offset(quantizer)
        if -128 < level < 127:  # else no INT8 number is beyond it
            made = low.like(tensor, low.net.tensors[tensor].shape)
            tensor = low.emit(code, [tensor, low.integer(int(level), params)], made, "MaximumMinimumOptions")
    low.alias(clip.outputs[0], tensor, held.layout)


def _read_anew(node: ir.Node, maker: ir.Node, low: Lowering) -> None:
    """Integers that are read with other scales than they were made with, such as one for every channel."""
    source, output = data(node), node.outputs[0]
    made = params_of(maker)
    held = low.find(source)
    assert made is not None
    if low.params(held.tensor) != made:
        raise refused(node, "integers on a grid of TFLite's own, read with another scale")
    scales, zeros = _scales(node), _zeros(node) - float(_offset(node))
    real = low.take(source, real=True)
    if made.scale != 1:
        factor = low.number(1 / made.scale)
        real = _affine(real, "MUL", factor, low)
    if (shift := made.zero_point - zeros).any():
        real = _affine(real, "ADD", _spread(shift, node, held.layout, low), low)
    real = _affine(real, "MUL", _spread(scales, node, held.layout, low), low)
    low.rename(real, str(output.name))
    low.alias(output, real, held.layout)


def _affine(tensor: int, code: str, operand: int, low: Lowering) -> int:
    options = {"ADD": "AddOptions", "MUL": "MulOptions"}[code]
    made = low.new(low.net.tensors[tensor].shape, "FLOAT32", None)
    return low.emit(code, [tensor, operand], made, options)


def _spread(array: NDArray[np.generic], node: ir.Node, layout: Layout, low: Lowering) -> int:
    """A constant of one number, or one for each index of the node's axis, in this layout."""
    rank = len(shape_of(node.outputs[0]))
    axis = attribute(node, "axis", 1) % rank
    shape = [array.size if i == axis else 1 for i in layout] if array.ndim else [1] * rank
    return low.array(array.astype(np.float32).reshape(shape))


def params_of(node: ir.Node) -> QuantParams | None:
    """The one scale and zero point of a QuantizeLinear or DequantizeLinear, as INT8; None for several."""
    scales, zeros = _scales(node), _zeros(node)
    if scales.size != 1 or zeros.size != 1:
        return None
    return QuantParams((float(scales.reshape(())),), int(zeros.reshape(())) - _offset(node))


def _offset(node: ir.Node) -> int:
    """What lies between the node's integers and INT8."""
    zero_point = node.inputs[2] if len(node.inputs) > 2 else None
    kind = zero_point.dtype if zero_point is not None else ir.DataType.UINT8
    if kind not in _OFFSET:
        raise refused(node, f"integers of type {kind}", "uint8 or int8")
    return _OFFSET[kind]


def _scales(node: ir.Node) -> NDArray[np.float32]:
    array = constant(data(node, 1))
    if array is None:
        raise refused(node, "its scale is computed", "a constant scale")
    return array.astype(np.float32)


def _zeros(node: ir.Node) -> NDArray[np.float32]:
    array = constant(node.inputs[2]) if len(node.inputs) > 2 else np.zeros((), np.float32)
    if array is None:
        raise refused(node, "its zero point is computed", "a constant zero point")
    return array.astype(np.float32)


def _stored(node: ir.Node, integers: NDArray[np.generic], four_bit: bool) -> Stored:
    scales, zeros = _scales(node), _zeros(node)
    axis = int(attribute(node, "axis", 1)) % max(integers.ndim, 1)
    if scales.ndim > 1:
        raise refused(node, "a scale for every block", "one scale, or one for every channel")
    if scales.size == 1:
        scales = scales.reshape(())
    shape = [-1 if i == axis and zeros.size > 1 else 1 for i in range(integers.ndim)]
    numbers = integers.astype(np.int64) - zeros.astype(np.int64).reshape(shape)
    return Stored(numbers, scales, axis, four_bit)


def wanted(value: ir.Value) -> QuantParams | None:
    """The parameters with which all that read a value quantize it; None where one needs it as it is."""
    readers = consumers(value)
    if value.is_graph_output() or not readers or any(n.op_type != "QuantizeLinear" for n in readers):
        return None
    found = {params_of(n) for n in readers}
    return found.pop() if len(found) == 1 else None


def as_integers(values: list[ir.Value], output: ir.Value, low: Lowering) -> QuantParams | None:
    """With which parameters a node writes INT8; None where it reads or writes real numbers."""
    if any(low.params(low.find(v).tensor) is None for v in values):
        return None
    return wanted(output)
