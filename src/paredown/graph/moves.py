"""Ops that only move values: what becomes of an array that is as large as the tensor they read.

`graph/channels.py` sends an array of channel numbers through them, the numbers broadcast to the tensor's
whole shape, so that a channel is found again wherever its values end up.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.graph.walk import attribute, constant, data_inputs, shape_of

Ids = NDArray[np.int64]
Full = dict[ir.Value, Ids]
"""Value -> the number of the channel at every place of it; a broadcast view where it can be."""


def _reshape(node: ir.Node, full: Full) -> list[Ids] | None:
    shape = shape_of(node.outputs[0])
    source = full[data_inputs(node)[0]]
    return [source.reshape(shape)] if 0 not in shape and shape else None


def _transpose(node: ir.Node, full: Full) -> list[Ids] | None:
    source = full[data_inputs(node)[0]]
    return [source.transpose(attribute(node, "perm", None))]


def _concat(node: ir.Node, full: Full) -> list[Ids] | None:
    parts = [full[v] for v in node.inputs if v is not None and v in full]
    if len(parts) < len(node.inputs):
        return None
    return [np.concatenate(parts, axis=attribute(node, "axis", 1))]


def _split(node: ir.Node, full: Full) -> list[Ids] | None:
    axis = attribute(node, "axis", 0)
    sizes = [shape_of(v)[axis] for v in node.outputs]
    return np.split(full[data_inputs(node)[0]], np.cumsum(sizes)[:-1], axis=axis)


def slice_bounds(node: ir.Node, rank: int) -> list[slice] | None:
    """What a Slice takes along every axis; None where that is computed."""
    given = [array.tolist() for v in node.inputs[1:] if (array := constant(v)) is not None]
    if len(given) < len(node.inputs) - 1:
        return None
    starts, ends = given[:2]
    axes = given[2] if len(given) > 2 else range(len(starts))
    steps = given[3] if len(given) > 3 else [1] * len(starts)
    where = [slice(None)] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        where[axis] = slice(start, end if abs(end) < 2**31 - 1 else None, step)
    return where


def _slice(node: ir.Node, full: Full) -> list[Ids] | None:
    source = full[data_inputs(node)[0]]
    where = slice_bounds(node, source.ndim)
    if where is None:
        return None
    cut = source[tuple(where)]
    return [cut] if cut.shape == shape_of(node.outputs[0]) else None


MOVES: dict[str, Callable[[ir.Node, Full], list[Ids] | None]] = {
    "Reshape": _reshape,
    "Flatten": _reshape,
    "Squeeze": _reshape,
    "Unsqueeze": _reshape,
    "Transpose": _transpose,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
}
"""Op -> the arrays behind its outputs; None where it cannot be told."""
