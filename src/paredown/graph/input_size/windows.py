"""The sides of feature maps: convolutions, pools, resizes and blocks of cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor

import numpy as np
import onnx_ir as ir

from paredown.graph.input_size.axes import (
    Axes,
    Axis,
    Factor,
    Unproven,
    fixed,
    is_fixed,
    new_length,
    old_length,
)
from paredown.graph.input_size.walk import Walk
from paredown.graph.walk import attribute, constant, shape_of


def spatial(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    """Convolutions and pools of two dimensions."""
    batch, _, *places = walk.of(node.inputs[0])
    channels = fixed(shape_of(node.outputs[0])[1])
    out = shape_of(node.outputs[0])[2:]
    moved = [_windows(node, place, i, out[i]) for i, place in enumerate(places)]
    return [(batch, channels, *moved)] * len(node.outputs)


def _windows(node: ir.Node, axis: Axis, i: int, old_out: int) -> Axis:
    """The axis behind windows that slide along it: the standard's formula at both sizes."""
    if is_fixed(axis):
        return fixed(old_out)
    if _count(node, 2, i) == 2 and _count(node, 3, i) == 3 and old_out == old_length(axis):
        return axis  # windows of one place, such as those of a DFL's convolution over all anchors
    f = one_factor(axis)
    counts = [_count(node, n, i) for n in (f.old, f.new)]
    if counts[0] != old_out:
        raise Unproven(f"{counts[0]} windows are counted where the model has {old_out}")
    if counts[1] < 1:
        raise Unproven("nothing is left of the feature map")
    return ((Factor(counts[0], counts[1], f.along),),)


def one_factor(axis: Axis) -> Factor:
    if len(axis) != 1 or len(axis[0]) != 1:
        raise Unproven("an axis that is no side of a feature map")
    return axis[0][0]


def _count(node: ir.Node, n: int, i: int) -> int:
    kernel = attribute(node, "kernel_shape", None) or shape_of(node.inputs[1])[2:]  # type: ignore[arg-type]
    spread = (attribute(node, "dilations", None) or [1, 1])[i] * (kernel[i] - 1) + 1
    stride: int = (attribute(node, "strides", None) or [1, 1])[i]
    pads = attribute(node, "pads", None) or [0, 0, 0, 0]
    around = pads[i] + pads[i + 2]
    auto = attribute(node, "auto_pad", "NOTSET")
    if node.op_type == "ConvTranspose":
        if auto not in ("NOTSET", "VALID") or attribute(node, "output_shape", None):
            raise Unproven("a transposed convolution whose size is written out")
        return int(
            (n - 1) * stride - around + spread + (attribute(node, "output_padding", None) or [0, 0])[i]
        )
    if auto.startswith("SAME"):
        return ceil(n / stride)
    rounded: Callable[[float], int] = ceil if attribute(node, "ceil_mode", 0) else floor
    windows = rounded((n + around - spread) / stride) + 1
    if rounded is ceil and (windows - 1) * stride >= n + pads[i]:
        windows -= 1  # a window must begin inside
    return windows


def global_pool(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    batch, channels, *places = walk.of(node.inputs[0])
    return [(batch, channels, *(fixed(1) for _ in places))]


def resize(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    out = shape_of(node.outputs[0])
    axes = tuple(_scaled(axis, n) for axis, n in zip(walk.of(node.inputs[0]), out, strict=True))
    for index in range(2, len(node.inputs)):
        given = constant(node.inputs[index])
        if given is not None and given.size == len(out):
            if given.dtype.kind in "iu":
                walk.rewrite(node, index, [new_length(a) for a in axes])
            elif any(
                new_length(a) != floor(new_length(b) * s)
                for a, b, s in zip(axes, walk.of(node.inputs[0]), given.tolist(), strict=True)
            ):
                walk.changed[node, index] = np.array(
                    [
                        new_length(a) / new_length(b)
                        for a, b in zip(axes, walk.of(node.inputs[0]), strict=True)
                    ],
                    given.dtype,
                )
    return [axes]


def _scaled(axis: Axis, old_out: int) -> Axis:
    """A side that grows by a ratio; a side that is stretched to the input's own grows to the input's own."""
    if is_fixed(axis):
        return fixed(old_out)
    f = one_factor(axis)
    new = f.new * old_out / f.old
    if new != int(new):
        raise Unproven(f"{f.new} cells are scaled by {old_out} / {f.old}")
    return ((Factor(old_out, int(new), f.along),),)


def blocks(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    """SpaceToDepth and DepthToSpace."""
    batch, _, *places = walk.of(node.inputs[0])
    out = shape_of(node.outputs[0])
    return [(batch, fixed(out[1]), *(_scaled(p, n) for p, n in zip(places, out[2:], strict=True)))]
