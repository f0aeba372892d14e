"""Operators of TFLite that move values: shapes, slices, borders, sizes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from paredown.errors import UnsupportedModel
from paredown.runtimes.tflite.reading.layers import Lift, activated
from paredown.runtimes.tflite.reading.lifting import FIRST, Lifting


def _reshape(low: Lifting, op: Any, code: str) -> None:
    """Also SQUEEZE and EXPAND_DIMS: the shape of the result is in the file."""
    x, made = int(op.inputs[0]), int(op.outputs[0])
    low.put_own_order(made, low.node("Reshape", low.own_order(x), low.ints(low.shapes[made])))


def _transpose(low: Lifting, op: Any, code: str) -> None:
    perm = [int(p) for p in low.numbers(int(op.inputs[1]), code)]
    low.put_own_order(int(op.outputs[0]), low.node("Transpose", low.own_order(int(op.inputs[0])), perm=perm))


def _concat(low: Lifting, op: Any, code: str) -> None:
    made, parts = int(op.outputs[0]), [low.value(int(i)) for i in op.inputs]
    value = low.node("Concat", *parts, axis=low.axis(made, op.builtinOptions.axis))
    low.put(made, activated(low, value, op.builtinOptions.fusedActivationFunction, code))


def _pack(low: Lifting, op: Any, code: str) -> None:
    axis = low.ints([op.builtinOptions.axis % low.rank(int(op.outputs[0]))])
    parts = [low.node("Unsqueeze", low.own_order(int(i)), axis) for i in op.inputs]
    made = int(op.outputs[0])
    low.put_own_order(made, low.node("Concat", *parts, axis=op.builtinOptions.axis % low.rank(made)))


def _unpack(low: Lifting, op: Any, code: str) -> None:
    value, axis = low.own_order(int(op.inputs[0])), op.builtinOptions.axis % low.rank(int(op.inputs[0]))
    for number, made in enumerate(op.outputs):
        low.put_own_order(int(made), low.node("Gather", value, low.store(np.array(number)), axis=axis))


def _split(low: Lifting, op: Any, code: str) -> None:
    """SPLIT takes the axis first, SPLIT_V the value, the sizes and the axis."""
    x, axis = (op.inputs[1], op.inputs[0]) if code == "SPLIT" else (op.inputs[0], op.inputs[2])
    own = int(np.ravel(low.numbers(int(axis), code))[0])
    place = low.axis(int(x), own)
    sizes = [low.shapes[int(made)][own % low.rank(int(x))] for made in op.outputs]
    first = low.node("Split", low.value(int(x)), low.ints(sizes), outputs=len(sizes), axis=place)
    for number, made in enumerate(op.outputs):
        low.put(int(made), first if number == 0 else f"{first}_{number}")


def _slice(low: Lifting, op: Any, code: str) -> None:
    x, made = int(op.inputs[0]), int(op.outputs[0])
    begin = [int(b) for b in low.numbers(int(op.inputs[1]), code)]
    ends = [b + n for b, n in zip(begin, low.shapes[made], strict=True)]
    axes = [low.axis(x, axis) for axis in range(low.rank(x))]
    low.put(made, low.node("Slice", low.value(x), low.ints(begin), low.ints(ends), low.ints(axes)))


def _strided(low: Lifting, op: Any, code: str) -> None:
    x, made, options = int(op.inputs[0]), int(op.outputs[0]), op.builtinOptions
    if options.ellipsisMask or options.newAxisMask or options.offset:
        raise UnsupportedModel(
            "the TFLite operator STRIDED_SLICE has a mask that is not read", got=low.names[x]
        )
    begin, ends, steps = (low.numbers(int(i), code).astype(np.int64).tolist() for i in op.inputs[1:4])
    for axis, step in enumerate(steps):
        far = 1 << 31
        if options.beginMask >> axis & 1:
            begin[axis] = 0 if step > 0 else far
        if options.shrinkAxisMask >> axis & 1:
            ends[axis], steps[axis] = (begin[axis] + 1 or far), 1
        elif options.endMask >> axis & 1:
            ends[axis] = far if step > 0 else -far
    axes = [low.axis(x, axis) for axis in range(len(begin))]
    value = low.node("Slice", low.value(x), *(low.ints(v) for v in (begin, ends, axes, steps)))
    if not options.shrinkAxisMask:
        low.put(made, value)
        return
    value = low.node("Transpose", value, perm=[0, 2, 3, 1]) if low.rank(x) == 4 else value
    low.put_own_order(made, low.node("Reshape", value, low.ints(low.shapes[made])))


def _pad(low: Lifting, op: Any, code: str) -> None:
    x, made = int(op.inputs[0]), int(op.outputs[0])
    rows = low.numbers(int(op.inputs[1]), code).astype(np.int64)
    rows = rows[list(FIRST)] if low.rank(x) == 4 else rows
    pads = low.ints([*rows[:, 0].tolist(), *rows[:, 1].tolist()])
    if code == "MIRROR_PAD":
        if op.builtinOptions.mode != 0:
            raise UnsupportedModel("the TFLite operator MIRROR_PAD repeats the border", got=low.names[x])
        low.put(made, low.node("Pad", low.value(x), pads, mode="reflect"))
        return
    border = [float(np.ravel(low.numbers(int(op.inputs[2]), code))[0])] if code == "PADV2" else [0.0]
    low.put(made, low.node("Pad", low.value(x), pads, low.scalar(border[0])))


def _resize(mode: str, low: Lifting, op: Any, code: str) -> None:
    x, made, options = int(op.inputs[0]), int(op.outputs[0]), op.builtinOptions
    place = (
        "align_corners"
        if options.alignCorners
        else "half_pixel"
        if options.halfPixelCenters
        else "asymmetric"
    )
    near: dict[str, Any] = (
        {}
        if mode == "linear"
        else {"nearest_mode": "floor" if place == "asymmetric" else "round_prefer_ceil"}
    )
    n, h, w, c = low.shapes[made]
    value = low.node(
        "Resize",
        low.value(x),
        "",
        "",
        low.ints([n, c, h, w]),
        mode=mode,
        coordinate_transformation_mode=place,
        **near,
    )
    low.put(made, value)


def _to_depth(low: Lifting, op: Any, code: str) -> None:
    """TensorFlow's order: the place in a block before the channel."""
    x, made, block = int(op.inputs[0]), int(op.outputs[0]), op.builtinOptions.blockSize
    n, h, w, c = low.shapes[x]
    if code == "DEPTH_TO_SPACE":
        low.put(made, low.node("DepthToSpace", low.value(x), blocksize=block, mode="DCR"))
        return
    parts = low.node("Reshape", low.own_order(x), low.ints([n, h // block, block, w // block, block, c]))
    moved = low.node("Transpose", parts, perm=[0, 1, 3, 2, 4, 5])
    low.put_own_order(made, low.node("Reshape", moved, low.ints(low.shapes[made])))


def _gather(low: Lifting, op: Any, code: str) -> None:
    x, index, made = int(op.inputs[0]), int(op.inputs[1]), int(op.outputs[0])
    if op.builtinOptions.batchDims:
        raise UnsupportedModel("the TFLite operator GATHER has batch axes", got=low.names[x])
    axis = op.builtinOptions.axis % low.rank(x)
    low.put_own_order(made, low.node("Gather", low.own_order(x), low.own_order(index), axis=axis))


def _tile(low: Lifting, op: Any, code: str) -> None:
    repeats = low.numbers(int(op.inputs[1]), code).astype(np.int64).tolist()
    low.put_own_order(
        int(op.outputs[0]), low.node("Tile", low.own_order(int(op.inputs[0])), low.ints(repeats))
    )


def _expand(low: Lifting, op: Any, code: str) -> None:
    made = int(op.outputs[0])
    low.put_own_order(made, low.node("Expand", low.own_order(int(op.inputs[0])), low.ints(low.shapes[made])))


def _shape(low: Lifting, op: Any, code: str) -> None:
    low.constants[int(op.outputs[0])] = np.array(low.shapes[int(op.inputs[0])], np.int64)


SHAPES: Mapping[str, Lift] = {
    **dict.fromkeys(("RESHAPE", "SQUEEZE", "EXPAND_DIMS"), _reshape),
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD"), _pad),
    **dict.fromkeys(("SPLIT", "SPLIT_V"), _split),
    **dict.fromkeys(("SPACE_TO_DEPTH", "DEPTH_TO_SPACE"), _to_depth),
    "TRANSPOSE": _transpose,
    "CONCATENATION": _concat,
    "PACK": _pack,
    "UNPACK": _unpack,
    "SLICE": _slice,
    "STRIDED_SLICE": _strided,
    "RESIZE_BILINEAR": partial(_resize, "linear"),
    "RESIZE_NEAREST_NEIGHBOR": partial(_resize, "nearest"),
    "GATHER": _gather,
    "TILE": _tile,
    "BROADCAST_TO": _expand,
    "SHAPE": _shape,
}
