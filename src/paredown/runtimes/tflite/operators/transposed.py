"""ConvTranspose: TRANSPOSE_CONV, and what ONNX cuts off its border."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from paredown.graph.walk import attribute, shape_of
from paredown.runtimes.tflite.layout import arranged, channels_last
from paredown.runtimes.tflite.lowering import Lowering, data, int_attribute, refused


def conv_transpose(node: ir.Node, low: Lowering) -> None:
    """Without padding an image of h becomes (h - 1) * stride + kernel; ONNX's pads are sliced off that."""
    source, output = data(node), node.outputs[0]
    weights, bias = (
        low.constant(data(node, 1)),
        low.constant(node.inputs[2] if len(node.inputs) > 2 else None),
    )
    if weights is None or weights.ndim != 4 or (len(node.inputs) > 2 and bias is None):
        raise refused(node, "computed weights, or other than two axes", "constant weights of an image")
    if int_attribute(node, "group", 1) != 1 or any(d != 1 for d in attribute(node, "dilations", (1, 1))):
        raise refused(node, "groups or dilations", "neither")
    layout, strides = channels_last(4), tuple(attribute(node, "strides", (1, 1)))
    images, channels, *sizes = shape_of(output)
    whole = [
        (size - 1) * stride + kernel
        for size, stride, kernel in zip(shape_of(source)[2:], strides, weights.shape[2:], strict=True)
    ]
    first = _cut(node, whole, sizes)
    if any(a < 0 or a + b > c for a, b, c in zip(first, sizes, whole, strict=True)):
        raise refused(node, "an output_padding beyond what is computed", "one that its pads allow")
    shape = (images, *whole, channels)
    added = np.zeros(channels, np.float32) if bias is None else bias.reshape(-1)
    inputs = [
        low.numbers(*shape),
        low.array(weights.transpose(1, 2, 3, 0), "weights"),
        low.take(source, layout, real=True),
        low.array(added, "bias"),
    ]
    cut = whole != list(sizes)
    made = low.new(shape, "FLOAT32", None) if cut else low.result(output, layout)
    settings = {"padding": "VALID", "strideH": strides[0], "strideW": strides[1]}
    low.emit("TRANSPOSE_CONV", inputs, made, "TransposeConvOptions", **settings)
    if cut:
        limits = [low.numbers(0, *first, 0), low.numbers(*arranged(shape_of(output), layout))]
        low.emit("SLICE", [made, *limits], low.result(output, layout), "SliceOptions")


def _cut(node: ir.Node, whole: list[int], sizes: list[int]) -> list[int]:
    """How much is cut off above and to the left."""
    auto = attribute(node, "auto_pad", "NOTSET")
    if auto not in ("NOTSET", "VALID"):
        total = [max(a - b, 0) for a, b in zip(whole, sizes, strict=True)]
        return [t // 2 if auto == "SAME_UPPER" else t - t // 2 for t in total]
    pads = attribute(node, "pads", (0, 0, 0, 0)) if auto == "NOTSET" else (0, 0, 0, 0)
    return [int(p) for p in pads[:2]]
