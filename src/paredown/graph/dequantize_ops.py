"""What stands for each quantized operator once its integers are real numbers: the table of dequantize.py.

Shapes: a scale is one number, or one for each channel (axis 0 of a weight).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import onnx
from onnx import helper

from paredown.errors import UnsupportedModel
from paredown.graph.floats import Array, Floats, Grid, along_axis

Nodes = list[onnx.NodeProto]
_NEVER_NEGATIVE = frozenset(
    {"Relu", "Sigmoid", "Softmax", "Clip", "HardSigmoid", "QLinearSigmoid", "QLinearSoftmax"}
)
_WIDE = 1 << 15  # integers of 16 bits hold a ReLU by themselves


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _cut_off(
    node: onnx.NodeProto, made: str, scale: Array, zero: Array, floats: Floats, source: str
) -> Nodes:
    """What gives the node's output from the tensor `made`: its integers' limits where they are a ReLU."""
    name = node.output[0]
    kind = np.iinfo(zero.dtype) if zero.dtype.kind in "iu" else np.iinfo(np.uint8)
    relu = (
        np.size(scale) == 1
        and np.all(zero == kind.min)
        and kind.max < _WIDE
        and source not in _NEVER_NEGATIVE
    )
    floats.grids[name] = Grid(tuple(np.ravel(scale).tolist()), tuple(np.ravel(zero).tolist()))
    if not relu:
        return [helper.make_node("Identity", [made], [name], name=floats.fresh(f"{name}_real"))]
    most = float(np.ravel(scale)[0]) * (kind.max - kind.min)
    bounds = [floats.store(np.array(v), f"{name}_{word}") for v, word in ((0.0, "low"), (most, "high"))]
    return [helper.make_node("Clip", [made, *bounds], [name], name=floats.fresh(f"{name}_real"))]


def _quantize(node: onnx.NodeProto, floats: Floats) -> Nodes:
    maker = floats.makers.get(node.input[0])
    return _cut_off(
        node,
        node.input[0],
        floats.numbers(node, 1),
        floats.numbers(node, 2),
        floats,
        maker.op_type if maker else "",
    )


def _dequantize(node: onnx.NodeProto, floats: Floats) -> Nodes:
    source = node.input[0]
    attributes = _attributes(node)
    scale, zero = floats.numbers(node, 1), floats.numbers(node, 2)
    if source in floats.stored:
        values = floats.stored[source]
        if attributes.get("block_size"):
            scale, zero = _blocks(scale, values, attributes), _blocks(zero, values, attributes)
            made = (values.astype(np.float32) - zero.astype(np.float32)) * scale
        else:
            made = along_axis(values, scale, zero, attributes.get("axis", 1))
        name = floats.store(made, f"{source}_float")
        return [helper.make_node("Identity", [name], list(node.output), name=node.name)]
    if source not in floats.grids:
        return [node]  # integers from outside
    return _read_on(node, scale, zero, attributes.get("axis", 1), floats)


def _read_on(node: onnx.NodeProto, scale: Array, zero: Array, axis: int, floats: Floats) -> Nodes:
    """What gives a quantized tensor's real numbers: other ones where it is read on another grid than it was
    made on, as where a factor of every channel is put into the scale."""
    source = node.input[0]
    made, rank = floats.grids[source].arrays, floats.ranks.get(source, 0)
    spread = [1] * rank
    spread[axis : axis + 1] = [-1] if rank else []
    grids = [
        np.asarray(a, np.float64).reshape(spread if np.size(a) > 1 else ()) for a in (*made, scale, zero)
    ]
    factor, shift = grids[2] / grids[0], (grids[1] - grids[3]) * grids[2]
    steps = [("Mul", factor, 1.0), ("Add", shift, 0.0)]
    now, nodes = source, []
    for op, values, plain in steps:
        if np.allclose(values, plain, rtol=1e-6, atol=1e-12):
            continue
        after = floats.fresh(f"{node.output[0]}_{op.lower()}")
        nodes.append(helper.make_node(op, [now, floats.store(values, after)], [after], name=after))
        now = after
    return [*nodes, helper.make_node("Identity", [now], list(node.output), name=node.name)]


def _blocks(given: Array, values: Array, attributes: dict[str, Any]) -> Array:
    axis, size = attributes.get("axis", 1), attributes["block_size"]
    return np.repeat(given, size, axis)[tuple(slice(n) for n in values.shape)] if given.ndim else given


def _conv(node: onnx.NodeProto, floats: Floats) -> Nodes:
    """x, its scale and zero; w, its; y, its; bias in steps of x's scale times w's."""
    inputs = [node.input[0], floats.weight(node, 3), *_bias(node, 8, floats)]
    return _computed(node, "Conv", inputs, floats, 6, _attributes(node))


def _matmul(node: onnx.NodeProto, floats: Floats) -> Nodes:
    weight = floats.weight(node, 3, axis=-1) if node.input[3] in floats.stored else node.input[3]
    return _computed(node, "MatMul", [node.input[0], weight], floats, 6, {})


def _gemm(node: onnx.NodeProto, floats: Floats) -> Nodes:
    """ONNX Runtime's QGemm: a, b with scale and zero each, c in steps of both, y's scale and zero."""
    attributes = _attributes(node)
    inputs = [node.input[0], floats.weight(node, 3, axis=0 if attributes.get("transB") else 1)]
    inputs += _bias(node, 6, floats, attributes.get("alpha", 1.0))
    if not _given(node, 7):
        return [helper.make_node("Gemm", inputs, list(node.output), name=node.name, **attributes)]
    return _computed(node, "Gemm", inputs, floats, 7, attributes)


def _bias(node: onnx.NodeProto, place: int, floats: Floats, factor: float = 1.0) -> list[str]:
    """The float bias that stands at `place`, in steps of the scales at 1 and 4; none elsewhere."""
    if not _given(node, place):
        return []
    steps = np.asarray(floats.numbers(node, 1), np.float64) * np.asarray(floats.numbers(node, 4), np.float64)
    return [floats.store(floats.numbers(node, place) * steps * factor, f"{node.input[place]}_float")]


def _given(node: onnx.NodeProto, place: int) -> bool:
    return len(node.input) > place and bool(node.input[place])


def _product(node: onnx.NodeProto, weight: str, bias: int, floats: Floats) -> Nodes:
    """x times the float weight, and the bias that the node may read at that place."""
    if not _given(node, bias):
        return [helper.make_node("MatMul", [node.input[0], weight], list(node.output), name=node.name)]
    inner = floats.fresh(f"{node.output[0]}_inner")
    return [
        helper.make_node("MatMul", [node.input[0], weight], [inner], name=node.name),
        helper.make_node("Add", [inner, node.input[bias]], list(node.output), name=f"{node.name}_bias"),
    ]


def _computed(
    node: onnx.NodeProto,
    op: str,
    inputs: Sequence[str],
    floats: Floats,
    place: int,
    attributes: dict[str, Any],
) -> Nodes:
    """The float operator, and its answer on the grid whose scale and zero stand at `place`."""
    inner = floats.fresh(f"{node.output[0]}_inner")
    plain = {k: v.decode() if isinstance(v, bytes) else v for k, v in attributes.items()}
    made = helper.make_node(op, list(inputs), [inner], name=node.name or inner, **plain)
    scale, zero = floats.numbers(node, place), floats.numbers(node, place + 1)
    return [made, *_cut_off(node, inner, scale, zero, floats, op)]


def _binary(op: str, node: onnx.NodeProto, floats: Floats) -> Nodes:
    sides = [floats.weight(node, i) if node.input[i] in floats.stored else node.input[i] for i in (0, 3)]
    return _computed(node, op, sides, floats, 6, {})


def _unary(op: str, node: onnx.NodeProto, floats: Floats) -> Nodes:
    dropped = ("opset", "channels_last")
    attributes = _attributes(node)
    if attributes.get("channels_last"):
        raise UnsupportedModel(
            "--dequantize: channels last inside the graph", got=f"{node.op_type} {node.name!r}"
        )
    attributes = {k: v for k, v in attributes.items() if k not in dropped}
    return _computed(node, op, [node.input[0]], floats, 3, attributes)


def _concat(node: onnx.NodeProto, floats: Floats) -> Nodes:
    parts = [
        floats.weight(node, i) if node.input[i] in floats.stored else node.input[i]
        for i in range(2, len(node.input), 3)
    ]
    return _computed(node, "Concat", parts, floats, 0, _attributes(node))


def _dynamic(node: onnx.NodeProto, floats: Floats) -> Nodes:
    """DynamicQuantizeLinear: the values as they are, a scale of 1, a zero point of 0."""
    one, none = floats.store(np.array(1.0), "one"), floats.store(np.array(0.0), "none")
    pairs = zip((node.input[0], one, none), node.output, strict=False)
    return [helper.make_node("Identity", [a], [b], name=floats.fresh(f"{b}_real")) for a, b in pairs if b]


def _integer_layer(op: str, node: onnx.NodeProto, floats: Floats) -> Nodes:
    """ConvInteger, MatMulInteger: x, w, x's zero (0 here), w's zero."""
    axis = 0 if op == "Conv" else -1
    zero = floats.numbers(node, 3)
    made = along_axis(floats.numbers(node, 1), np.ones_like(zero, np.float64), zero, axis)
    weight = floats.store(made, f"{node.input[1]}_float")
    attributes = _attributes(node)
    return [helper.make_node(op, [node.input[0], weight], list(node.output), name=node.name, **attributes)]


def _to_float(node: onnx.NodeProto, floats: Floats) -> Nodes:
    """MatMulIntegerToFloat (a, b, scales, zeros, bias), DynamicQuantizeMatMul (a, b, scale, zero, bias)."""
    scale, zero, bias = (3, 5, 6) if node.op_type == "MatMulIntegerToFloat" else (2, 3, 4)
    made = along_axis(floats.numbers(node, 1), floats.numbers(node, scale), floats.numbers(node, zero), -1)
    return _product(node, floats.store(made, f"{node.input[1]}_float"), bias, floats)


def _n_bits(node: onnx.NodeProto, floats: Floats) -> Nodes:
    """ONNX Runtime's MatMulNBits: rows of K values in blocks, `bits` each, low ones first in a byte."""
    has = _attributes(node)
    bits, block, rows, columns = has["bits"], has["block_size"], has["N"], has["K"]
    if bits not in (4, 8) or _given(node, 4):
        raise UnsupportedModel(
            "--dequantize: this MatMulNBits is not known", got=f"{bits} bits, {node.name!r}"
        )
    blocks = -(-columns // block)
    values = _unpacked(floats.numbers(node, 1), bits).reshape(rows, blocks, block)
    scale = floats.numbers(node, 2).reshape(rows, blocks, 1)
    zero: Array = np.full((rows, blocks, 1), float(1 << (bits - 1)))
    if _given(node, 3):
        given = floats.numbers(node, 3)
        flat = (
            _unpacked(given.reshape(rows, -1), bits) if given.dtype == np.uint8 else given.reshape(rows, -1)
        )
        zero = flat.reshape(rows, -1)[:, :blocks, None].astype(np.float64)
    weight = ((values - zero) * scale).reshape(rows, -1)[:, :columns].T
    return _product(node, floats.store(weight, f"{node.input[1]}_float"), 5, floats)


def _unpacked(packed: Array, bits: int) -> Array:
    """The integers of each byte along the last axis, low bits first."""
    if bits == 8:
        return packed.astype(np.float64)
    return np.stack((packed & 15, packed >> 4), axis=-1).reshape(*packed.shape[:-1], -1).astype(np.float64)


OPS: dict[str, Callable[[onnx.NodeProto, Floats], Nodes]] = {
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    "QLinearConv": _conv,
    "QLinearMatMul": _matmul,
    "QGemm": _gemm,
    "QLinearAdd": partial(_binary, "Add"),
    "QLinearMul": partial(_binary, "Mul"),
    "QLinearSigmoid": partial(_unary, "Sigmoid"),
    "QLinearLeakyRelu": partial(_unary, "LeakyRelu"),
    "QLinearSoftmax": partial(_unary, "Softmax"),
    "QLinearAveragePool": partial(_unary, "AveragePool"),
    "QLinearGlobalAveragePool": partial(_unary, "GlobalAveragePool"),
    "QLinearReduceMean": partial(_unary, "ReduceMean"),
    "QLinearConcat": _concat,
    "DynamicQuantizeLinear": _dynamic,
    "ConvInteger": partial(_integer_layer, "Conv"),
    "MatMulInteger": partial(_integer_layer, "MatMul"),
    "MatMulIntegerToFloat": _to_float,
    "DynamicQuantizeMatMul": _to_float,
    "MatMulNBits": _n_bits,
}
"""Operator -> what makes the nodes that stand for it; a grid's scale and zero point are one number here."""
