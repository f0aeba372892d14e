"""Operators of TFLite with weights, and pools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from paredown.errors import UnsupportedModel
from paredown.runtimes.tflite.reading.lifting import Lifting

Lift = Callable[[Lifting, Any, str], None]
SAME, VALID = 0, 1  # of the schema's Padding
_ACTIVATIONS = {0: "", 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6", 4: "TANH"}
BOUNDS: Mapping[str, tuple[float, float]] = {
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU_0_TO_1": (0.0, 1.0),
}


def activated(low: Lifting, value: str, kind: int, code: str) -> str:
    """The value behind the activation that the operator carries."""
    name = _ACTIVATIONS.get(int(kind))
    if name is None:
        raise UnsupportedModel(
            f"the TFLite operator {code} has an activation that is not read", got=int(kind)
        )
    if name in BOUNDS:
        return low.node("Clip", value, *(low.scalar(v) for v in BOUNDS[name]))
    return value if not name else low.node({"RELU": "Relu", "TANH": "Tanh"}[name], value)


def pads_of(
    padding: int, size: tuple[int, ...], out: tuple[int, ...], kernel: list[int], stride: list[int]
) -> list[int]:
    """ONNX's pads of an image axis pair: TensorFlow's SAME puts the odd pixel behind."""
    if padding == VALID:
        return [0, 0, 0, 0]
    total = [max((o - 1) * s + k - n, 0) for n, o, k, s in zip(size, out, kernel, stride, strict=True)]
    return [t // 2 for t in total] + [t - t // 2 for t in total]


def _bias(low: Lifting, op: Any) -> list[str]:
    return [low.value(int(op.inputs[2]))] if len(op.inputs) > 2 and op.inputs[2] >= 0 else []


def _conv(low: Lifting, op: Any, code: str) -> None:
    x, weight, made = int(op.inputs[0]), int(op.inputs[1]), int(op.outputs[0])
    options, array = op.builtinOptions, low.numbers(int(op.inputs[1]), code)
    depthwise = code == "DEPTHWISE_CONV_2D"
    stride, dilation = [options.strideH, options.strideW], [options.dilationHFactor, options.dilationWFactor]
    if depthwise:  # 1, h, w, C * multiplier
        kept = array.transpose(3, 0, 1, 2)
        group = low.shapes[x][3]
    else:  # O, h, w, I / groups
        kept = array.transpose(0, 3, 1, 2)
        group = low.shapes[x][3] // kept.shape[1]
    reach = [(k - 1) * d + 1 for k, d in zip(kept.shape[2:], dilation, strict=True)]
    pads = pads_of(options.padding, low.shapes[x][1:3], low.shapes[made][1:3], reach, stride)
    stored = low.store(kept, low.names[weight])
    value = low.node(
        "Conv",
        low.value(x),
        stored,
        *_bias(low, op),
        group=group,
        strides=stride,
        dilations=dilation,
        pads=pads,
    )
    low.put(made, activated(low, value, options.fusedActivationFunction, code))


def _transposed(low: Lifting, op: Any, code: str) -> None:
    """Inputs: the output's shape, weights O, h, w, I, the image, a bias. The gradient of a convolution."""
    weight, x, made = int(op.inputs[1]), int(op.inputs[2]), int(op.outputs[0])
    options, kept = op.builtinOptions, low.numbers(weight, code).transpose(3, 0, 1, 2)
    stride, size, out = [options.strideH, options.strideW], low.shapes[x][1:3], low.shapes[made][1:3]
    whole = [(n - 1) * s + k - o for n, s, k, o in zip(size, stride, kept.shape[2:], out, strict=True)]
    cut, more = [max(w, 0) for w in whole], [max(-w, 0) for w in whole]
    pads = [c // 2 for c in cut] + [c - c // 2 for c in cut]
    bias = [low.value(int(op.inputs[3]))] if len(op.inputs) > 3 and op.inputs[3] >= 0 else []
    stored = low.store(kept, low.names[weight])
    value = low.node(
        "ConvTranspose", low.value(x), stored, *bias, strides=stride, pads=pads, output_padding=more
    )
    low.put(made, activated(low, value, options.fusedActivationFunction, code))


def _connected(low: Lifting, op: Any, code: str) -> None:
    x, weight, made = int(op.inputs[0]), int(op.inputs[1]), int(op.outputs[0])
    options = op.builtinOptions
    if options is not None and options.weightsFormat:
        raise UnsupportedModel(
            "the TFLite operator FULLY_CONNECTED holds shuffled weights", got=low.names[weight]
        )
    source = low.own_order(x)
    if weight not in low.constants:
        product = low.node("MatMul", source, low.node("Transpose", low.own_order(weight), perm=[1, 0]))
        value = low.node("Add", product, *_bias(low, op)) if _bias(low, op) else product
    else:
        inner = low.constants[weight].shape[1]
        if low.rank(x) == 2 and low.shapes[x][1] == inner:
            stored = low.store(low.constants[weight], low.names[weight])
            value = low.node("Gemm", source, stored, *_bias(low, op), transB=1)
        else:
            rows = low.node("Reshape", source, low.ints([-1, inner])) if not options.keepNumDims else source
            stored = low.store(low.constants[weight].T, low.names[weight])
            value = low.node("MatMul", rows, stored)
            value = low.node("Add", value, *_bias(low, op)) if _bias(low, op) else value
    value = activated(low, value, 0 if options is None else options.fusedActivationFunction, code)
    if low.shapes[made] != (*low.shapes[x][:-1], low.shapes[weight][0]) or low.rank(x) != 2:
        value = low.node("Reshape", value, low.ints(low.shapes[made]))
    low.put_own_order(made, value)


def _matmul(low: Lifting, op: Any, code: str) -> None:
    a, b, made = int(op.inputs[0]), int(op.inputs[1]), int(op.outputs[0])
    sides = []
    for tensor, turned in ((a, op.builtinOptions.adjX), (b, op.builtinOptions.adjY)):
        value, rank = low.own_order(tensor), low.rank(tensor)
        perm = [*range(rank - 2), rank - 1, rank - 2]
        sides.append(low.node("Transpose", value, perm=perm) if turned else value)
    low.put_own_order(made, low.node("MatMul", *sides))


def _pool(onnx_op: str, low: Lifting, op: Any, code: str) -> None:
    x, made, options = int(op.inputs[0]), int(op.outputs[0]), op.builtinOptions
    kernel, stride = [options.filterHeight, options.filterWidth], [options.strideH, options.strideW]
    pads = pads_of(options.padding, low.shapes[x][1:3], low.shapes[made][1:3], kernel, stride)
    value = low.node(onnx_op, low.value(x), kernel_shape=kernel, strides=stride, pads=pads)
    low.put(made, activated(low, value, options.fusedActivationFunction, code))


def _l2_norm(low: Lifting, op: Any, code: str) -> None:
    x, made = int(op.inputs[0]), int(op.outputs[0])
    square = low.node("Mul", low.value(x), low.value(x))
    total = low.node("ReduceSum", square, low.ints([low.axis(x, -1)]), keepdims=1)
    size = low.node("Sqrt", low.node("Max", total, low.scalar(float(np.float32(1e-12)))))
    low.put(
        made,
        activated(low, low.node("Div", low.value(x), size), op.builtinOptions.fusedActivationFunction, code),
    )


LAYERS: Mapping[str, Lift] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _conv,
    "TRANSPOSE_CONV": _transposed,
    "FULLY_CONNECTED": _connected,
    "BATCH_MATMUL": _matmul,
    "MAX_POOL_2D": partial(_pool, "MaxPool"),
    "AVERAGE_POOL_2D": partial(_pool, "AveragePool"),
    "L2_NORMALIZATION": _l2_norm,
}
