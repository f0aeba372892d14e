"""Operators that only move values: INT8 stays INT8, on the grid that it comes on."""

from __future__ import annotations

import onnx_ir as ir

from paredown.graph.moves import slice_bounds
from paredown.graph.walk import attribute, shape_of
from paredown.runtimes.tflite.integers import wanted
from paredown.runtimes.tflite.layout import arranged, permuted, plain, through_reshape
from paredown.runtimes.tflite.lowering import Lowering, data, int_attribute, refused
from paredown.runtimes.tflite.operators.elementwise import common_layout, operand


def transpose(node: ir.Node, low: Lowering) -> None:
    """Nothing is moved: the same tensor, its axes renamed."""
    held = low.find(data(node))
    perm = attribute(node, "perm", None) or tuple(reversed(range(len(held.layout))))
    low.alias(node.outputs[0], held.tensor, permuted(held.layout, perm))


def reshape(node: ir.Node, low: Lowering) -> None:
    """RESHAPE, of values moved first where axes are merged that do not lie together."""
    source, output = data(node), node.outputs[0]
    before, after = shape_of(source), shape_of(output)
    if 0 in (*before, *after):
        raise refused(node, f"an open shape: {before} to {after}", "fixed sizes")
    here, there = through_reshape(before, after, low.find(source).layout)
    low.alias(output, low.reshaped(low.take(source, here), arranged(after, there)), there)


def concat(node: ir.Node, low: Lowering) -> None:
    """CONCATENATION; integers go over to the output's grid first where theirs differ."""
    output = node.outputs[0]
    values = [v for v in node.inputs if v is not None and 0 not in shape_of(v)]
    layout = common_layout(values, output, low)
    axis = layout.index(int_attribute(node, "axis", 0) % len(layout))
    grids = [low.params(low.find(v).tensor) for v in values]
    integers = all(grids) and (len(set(grids)) == 1 or wanted(output) is not None)
    tensors = [operand(v, layout, low, real=not integers) for v in values]
    params = None
    if integers:
        params = wanted(output) or grids[0]
        assert params is not None
        tensors = [low.requantized(t, params) for t in tensors]
    made = low.result(output, layout, params)
    low.emit("CONCATENATION", tensors, made, "ConcatenationOptions", axis=axis)


def split(node: ir.Node, low: Lowering) -> None:
    """SPLIT into equal parts; a SLICE for every part otherwise, which more of LiteRT's delegates take."""
    source = data(node)
    held = low.find(source)
    axis = int_attribute(node, "axis", 0) % len(held.layout)
    sizes = [shape_of(v)[axis] for v in node.outputs]
    params = low.params(held.tensor)
    place = held.layout.index(axis)
    if len(set(sizes)) == 1 and len(sizes) > 1:
        made = [low.result(v, held.layout, params) for v in node.outputs]
        inputs = [low.index(place), held.tensor]
        low.emit("SPLIT", inputs, made, "SplitOptions", numSplits=len(sizes))
        return
    start = 0
    for value, size in zip(node.outputs, sizes, strict=True):
        begin = [start if i == place else 0 for i in range(len(held.layout))]
        shape = arranged(shape_of(value), held.layout)
        inputs = [held.tensor, low.numbers(*begin), low.numbers(*shape)]
        low.emit("SLICE", inputs, low.result(value, held.layout, params), "SliceOptions")
        start += size


def slice_(node: ir.Node, low: Lowering) -> None:
    """SLICE for neighbouring values, STRIDED_SLICE for every n-th."""
    source, output = data(node), node.outputs[0]
    held, shape = low.find(source), shape_of(source)
    bounds = slice_bounds(node, len(shape))
    if bounds is None:
        raise refused(node, "bounds that are computed", "constant bounds")
    ranges = [range(*bounds[axis].indices(shape[axis])) for axis in held.layout]
    params = low.params(held.tensor)
    begin = low.numbers(*(r.start for r in ranges))
    if all(r.step == 1 for r in ranges):
        inputs = [held.tensor, begin, low.numbers(*(len(r) for r in ranges))]
        low.emit("SLICE", inputs, low.result(output, held.layout, params), "SliceOptions")
        return
    if any(r.step < 0 for r in ranges):
        raise refused(node, "a step backwards", "steps of 1 or more")
    inputs = [held.tensor, begin, *(low.numbers(*values) for values in _ends_and_steps(ranges))]
    low.emit("STRIDED_SLICE", inputs, low.result(output, held.layout, params), "StridedSliceOptions")


def _ends_and_steps(ranges: list[range]) -> tuple[list[int], list[int]]:
    return [r.stop for r in ranges], [r.step for r in ranges]


def pad(node: ir.Node, low: Lowering) -> None:
    """PAD with zeros, PADV2 with another number."""
    source, output = data(node), node.outputs[0]
    held, rank = low.find(source), len(shape_of(source))
    if (mode := attribute(node, "mode", "constant")) != "constant":
        raise refused(node, f"mode {mode}", "constant")
    pads, fill = low.constant(data(node, 1)), _fill(node, low)
    if pads is None:
        raise refused(node, "pads that are computed", "constant pads")
    axes = low.constant(node.inputs[3]) if len(node.inputs) > 3 else None
    where = [int(a) % rank for a in (range(rank) if axes is None else axes)]
    amounts = [int(p) for p in pads]
    if min(amounts) < 0:
        raise refused(node, "pads below zero", "pads of 0 or more")
    rows = {axis: (amounts[i], amounts[i + len(where)]) for i, axis in enumerate(where)}
    params = low.params(held.tensor) if fill == 0 else None
    inputs = [
        low.take(source, held.layout, real=fill != 0),
        low.pairs([rows.get(axis, (0, 0)) for axis in held.layout]),
    ]
    made = low.result(output, held.layout, params)
    if fill == 0:
        low.emit("PAD", inputs, made, "PadOptions")
    else:
        low.emit("PADV2", [*inputs, low.number(fill)], made, "PadV2Options")


def _fill(node: ir.Node, low: Lowering) -> float:
    given = node.inputs[2] if len(node.inputs) > 2 else None
    array = low.constant(given)
    if given is not None and array is None:
        raise refused(node, "a filling that is computed", "a constant")
    return 0.0 if array is None else float(array.reshape(()))


def tile(node: ir.Node, low: Lowering) -> None:
    source, output = data(node), node.outputs[0]
    repeats, held = low.constant(data(node, 1)), low.find(source)
    if repeats is None:
        raise refused(node, "repeats that are computed", "constant repeats")
    times = low.numbers(*(int(repeats[axis]) for axis in held.layout))
    made = low.result(output, held.layout, low.params(held.tensor))
    low.emit("TILE", [held.tensor, times], made, "TileOptions")


def expand(node: ir.Node, low: Lowering) -> None:
    """BROADCAST_TO, in ONNX's order."""
    output = node.outputs[0]
    tensor = operand(data(node), plain(len(shape_of(output))), low)
    shape = low.numbers(*shape_of(output))
    made = low.result(output, plain(len(shape_of(output))))
    low.emit("BROADCAST_TO", [tensor, shape], made, "BroadcastToOptions")
