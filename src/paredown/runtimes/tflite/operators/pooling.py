"""Pools, and sums, means and maxima along axes."""

from __future__ import annotations

import onnx_ir as ir

from paredown.graph.walk import attribute, shape_of
from paredown.runtimes.tflite.integers import as_integers
from paredown.runtimes.tflite.layout import Layout, channels_last, convolution_layouts
from paredown.runtimes.tflite.lowering import Lowering, data, int_attribute, refused
from paredown.runtimes.tflite.operators.elementwise import Written
from paredown.runtimes.tflite.operators.windows import Window, padded, window_of


def max_pool(node: ir.Node, low: Lowering) -> None:
    """MAX_POOL_2D: INT8 stays on its grid."""
    if len(node.outputs) > 1:
        raise refused(node, "an output of indices", "one output")
    layout = _image_layout(node, low)
    window = window_of(node, tuple(attribute(node, "kernel_shape", None)), layout)
    if window.dilations != (1, 1):
        raise refused(node, f"dilations {window.dilations}", "none")
    tensor, padding = padded(low.take(data(node), layout), window, node, layout, low, "lowest")
    made = low.result(node.outputs[0], layout, low.params(tensor))
    low.emit("MAX_POOL_2D", [tensor], made, "Pool2DOptions", **_settings(window, padding))


def average_pool(node: ir.Node, low: Lowering) -> None:
    """AVERAGE_POOL_2D. TFLite's SAME leaves the padding out of the mean; a PAD before it counts it in."""
    layout = _image_layout(node, low)
    window = window_of(node, tuple(attribute(node, "kernel_shape", None)), layout)
    tensor, padding = padded(low.take(data(node), layout, real=True), window, node, layout, low)
    counted = bool(int_attribute(node, "count_include_pad", 0))
    if window.padded and counted == (padding == "SAME"):
        raise refused(node, "padding that TFLite counts otherwise", "no padding")
    made = low.result(node.outputs[0], layout)
    low.emit("AVERAGE_POOL_2D", [tensor], made, "Pool2DOptions", **_settings(window, padding))


def _image_layout(node: ir.Node, low: Lowering) -> Layout:
    layout = low.find(data(node)).layout
    return layout if layout in convolution_layouts(4) else channels_last(len(layout))


def _settings(window: Window, padding: str) -> dict[str, object]:
    kernel = {"filterHeight": window.kernel[0], "filterWidth": window.kernel[1]}
    return {**window.settings, **kernel, "padding": padding}


def global_average_pool(node: ir.Node, low: Lowering) -> None:
    """MEAN over all axes behind the channels."""
    _reduce(node, "MEAN", list(range(2, len(shape_of(data(node))))), True, low, True)


def reduction(code: str, integers: bool) -> Written:
    """An operator that takes axes away, or leaves them with size 1."""

    def write(node: ir.Node, low: Lowering) -> None:
        rank = len(shape_of(data(node)))
        given = low.constant(node.inputs[1]) if len(node.inputs) > 1 else attribute(node, "axes", None)
        if len(node.inputs) > 1 and node.inputs[1] is not None and given is None:
            raise refused(node, "axes that are computed", "constant axes")
        axes = [int(a) % rank for a in (range(rank) if given is None else given)]
        _reduce(node, code, axes, bool(int_attribute(node, "keepdims", 1)), low, integers)

    return write


def _reduce(node: ir.Node, code: str, axes: list[int], keep: bool, low: Lowering, integers: bool) -> None:
    source, output = data(node), node.outputs[0]
    layout = low.find(source).layout
    params = as_integers([source], output, low) if integers else None
    places = low.numbers(*(i for i, axis in enumerate(layout) if axis in axes))
    tensor = low.take(source, layout, real=params is None)
    left = layout if keep else _closed(layout, axes)
    low.emit(code, [tensor, places], low.result(output, left, params), "ReducerOptions", keepDims=keep)


def _closed(layout: Layout, axes: list[int]) -> Layout:
    """The layout once these axes are gone."""
    kept = [axis for axis in layout if axis not in axes]
    return tuple(sorted(kept).index(axis) for axis in kept)
