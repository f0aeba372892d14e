"""What each op does to the classes of channels when channels are to be removed (`removal.py`).

A rule gives the ids at every place of the node's outputs and the constants that shrink with them, or refuses.

Shapes: ids as large as the tensor they belong to; C channels along one axis of it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from paredown.graph.channels import Channels, pairs, spread, unrepeated
from paredown.graph.flow import Flow, Operand, Refused, line_of, varying_axes
from paredown.graph.moves import MOVES, Ids, slice_bounds
from paredown.graph.removal_layers import Sent, conv, gemm, matmul, transposed_conv
from paredown.graph.walk import attribute, constant, data_inputs, shape_of

ELEMENTWISE = """
    Abs Add And BitShift Cast Ceil Celu Clip Cos Div Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual
    HardSigmoid HardSwish Identity LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or PRelu
    Pow Reciprocal Relu Round Selu Sigmoid Sign Sin Softplus Softsign Sqrt Sub Sum Tan Tanh ThresholdedRelu
    Where Xor
"""
"""Ops that compute every place of their output from that place of their inputs, broadcast."""

POOLS = "AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool InstanceNormalization LpPool MaxPool"
"""Ops that work on the axes behind the channels."""

BY_CHANNEL = "BatchNormalization DequantizeLinear InstanceNormalization QuantizeLinear"
"""Ops with vectors of constants, one number for each channel."""

ALONG = """
    CumSum Hardmax LogSoftmax LpNormalization ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin
    ReduceProd ReduceSum ReduceSumSquare Resize Softmax
"""
"""Ops that work along axes they name."""


def _elementwise(flow: Flow) -> Sent:
    """Parts that vary along the channels' axis are united; one that is the same for all channels stays."""
    node, shape = flow.node, flow.shape()
    if len([v for v in node.outputs if v.name]) > 1:
        raise Refused(f"{node.op_type} with several outputs")
    parts = [_aligned(flow.full[v], len(shape)) for v in data_inputs(node)]
    axes = {flow.axis(part) for part in parts} - {None}
    if len(axes) > 1:
        raise Refused(f"channels along several axes at {node.op_type}")
    axis = axes.pop() if axes else None
    chosen = [p for p in parts if axis is None or p.shape[axis] == shape[axis] > 1]
    for part in parts:
        if axis is not None and part.shape[axis] == 1 and shape[axis] > 1:
            flow.channels.freeze(part, "one value stands for all channels")
    for part in chosen[1:]:
        flow.channels.unite(*pairs(*np.broadcast_arrays(chosen[0], part)))
    ids = np.broadcast_to(chosen[0] if axis is not None else chosen[0].ravel()[0], shape)
    return [ids], _stretched(node, shape, axis, ids)


def _aligned(ids: Ids, rank: int) -> Ids:
    return ids.reshape((1,) * (rank - ids.ndim) + ids.shape) if ids.ndim < rank else ids


def _stretched(node: ir.Node, shape: tuple[int, ...], axis: int | None, ids: Ids) -> list[Operand]:
    """The constants of an elementwise node that have an entry for each channel."""
    found = []
    for index, value in enumerate(node.inputs):
        array = constant(value)
        if array is None or axis is None:
            continue
        own = axis - (len(shape) - array.ndim)
        if own >= 0 and array.shape[own] > 1:
            entries = tuple(line_of(ids, axis) if a == own else None for a in range(array.ndim))
            found.append(Operand(node, index, entries))
    return found


def _pool(flow: Flow) -> Sent:
    if any(v.uses() for v in flow.node.outputs[1:]):
        raise Refused(f"{flow.node.op_type} with several outputs")
    ids = flow.along(flow.source(), 1)
    made = spread(ids, flow.shape())
    vectors = _vectors(flow.node, ids) if flow.node.op_type in BY_CHANNEL else []
    return [made] * len(flow.node.outputs), vectors


def _by_channel(flow: Flow) -> Sent:
    """Vectors along the axis the node names; a scalar scale or zero point serves all channels."""
    source = flow.source()
    axis = attribute(flow.node, "axis", 1)
    vectors = [v for v in flow.node.inputs[1:] if v is not None and shape_of(v) not in ((), (1,))]
    if not vectors:
        return [source], []
    return [source], _vectors(flow.node, flow.along(source, axis))


def _vectors(node: ir.Node, ids: Ids) -> list[Operand]:
    wanted = (len(ids),)
    return [
        Operand(node, i, (ids,))
        for i, v in enumerate(node.inputs)
        if i and v is not None and constant(v) is not None and shape_of(v) == wanted and len(ids) > 1
    ]


def _along(flow: Flow) -> Sent:
    """Works along axes of which the channels' is none, and leaves that one as long as it is."""
    node, source = flow.node, flow.source()
    axis = flow.axis(source)
    if axis is None:
        raise Refused(f"{node.op_type} of a single channel")
    worked = _worked_axes(flow, source.ndim)
    if axis in worked:
        raise Refused(f"{node.op_type} mixes channels")
    dropped = node.op_type.startswith("Reduce") and not attribute(node, "keepdims", 1)
    own = axis - (sum(a < axis for a in worked) if dropped else 0)
    shape = flow.shape()
    if shape[own] != source.shape[axis]:
        raise Refused(f"{node.op_type} changes the number of channels")
    return [spread(line_of(source, axis), shape, own)], []


def _worked_axes(flow: Flow, rank: int) -> set[int]:
    node = flow.node
    if node.op_type == "Resize":  # it changes the length of what it works along
        return {a for a, n in enumerate(flow.shape()) if n != flow.source().shape[a]}
    if node.op_type.startswith("Reduce"):
        given = attribute(node, "axes", None)
        if given is None and len(node.inputs) > 1:
            given = constant(node.inputs[1])
        return {int(a) % rank for a in given} if given is not None and len(given) else set(range(rank))
    if node.op_type == "CumSum":
        named = constant(node.inputs[1])
        return set(range(rank)) if named is None else {int(named) % rank}
    axis: int = attribute(node, "axis", -1)
    return {axis % rank}


def _moved(flow: Flow) -> Sent:
    node = flow.node
    if not data_inputs(node):
        raise Refused(f"{node.op_type} of constants")
    for value in node.inputs[1:] if node.op_type != "Concat" else ():
        if value is not None and constant(value) is None:
            raise Refused(f"where {node.op_type} moves values is computed")
    made = MOVES[node.op_type](node, flow.full)
    if made is None:
        raise Refused(f"{node.op_type} cannot be followed")
    if node.op_type == "Squeeze" and len(node.inputs) < 2:
        raise Refused("Squeeze of axes it does not name")
    if node.op_type == "Slice":
        _refuse_strides(flow)
    return [_whole(flow.channels, ids) for ids in made], []


def _refuse_strides(flow: Flow) -> None:
    source = flow.source()
    axis, bounds = flow.axis(source), slice_bounds(flow.node, source.ndim)
    if axis is not None and bounds is not None and bounds[axis].step not in (None, 1):
        raise Refused("Slice takes every other channel")


def _pad(flow: Flow) -> Sent:
    """Channels of a constant that are put in front and behind are channels like others."""
    node, source, shape = flow.node, flow.source(), flow.shape()
    axis = flow.axis(source)
    pads = constant(node.inputs[1])
    if axis is None or pads is None or (len(node.inputs) > 3 and node.inputs[3] is not None):
        raise Refused("Pad of axes that cannot be told")
    front, behind = (int(pads[i * source.ndim + axis]) for i in range(2))
    if shape[axis] == source.shape[axis] and not front:
        return [spread(line_of(source, axis), shape, axis)], []
    if attribute(node, "mode", "constant") != "constant" or min(front, behind) < 0:
        raise Refused("Pad repeats or cuts channels")
    parts = [flow.channels.new(front), line_of(source, axis), flow.channels.new(behind)]
    return [spread(np.concatenate(parts), shape, axis)], []


def _gather(flow: Flow) -> Sent:
    source = flow.source()
    axis, index = attribute(flow.node, "axis", 0) % source.ndim, constant(flow.node.inputs[1])
    if index is None:
        raise Refused("what Gather takes is computed")
    if flow.axis(source) == axis and index.ndim != 1:
        raise Refused("Gather changes the axis of the channels")
    return [_whole(flow.channels, source.take(index.astype(np.int64), axis))], []


def _expand(flow: Flow) -> Sent:
    shape = flow.shape()
    ids = _aligned(flow.source(), len(shape))
    axis = flow.axis(ids)
    if constant(flow.node.inputs[1]) is None or (axis is not None and ids.shape[axis] != shape[axis]):
        raise Refused("Expand repeats channels")
    return [np.broadcast_to(ids, shape)], []


def _whole(channels: Channels, ids: Ids) -> Ids:
    """Ids that vary along one axis at most: the others' are united along the axis with most distinct slices.

    Of a channel shuffle's (N, groups, C / groups, ...) that is the last, of predictions of several scales
    (N, C, P) the channels'.
    """
    varying = varying_axes(channels, ids)
    if len(varying) <= 1:
        return ids
    roots = channels.roots(unrepeated(ids))
    slices = [np.moveaxis(roots, a, 0).reshape(roots.shape[a], -1) for a in varying]
    best = max(range(len(varying)), key=lambda i: _distinct(slices[i]))
    for row in slices[best]:
        others = np.unique(row)
        channels.unite(np.full_like(others, others[0]), others)
    return spread(channels.roots(slices[best][:, 0]), ids.shape, varying[best])


def _distinct(rows: Ids) -> int:
    """The number of unlike rows, told by a sum with random factors."""
    factors = np.random.default_rng(0).integers(1, 2**62, rows.shape[1])
    return len(np.unique(rows @ factors))


RULES: dict[str, Callable[[Flow], Sent]] = {
    **dict.fromkeys(ELEMENTWISE.split(), _elementwise),
    **dict.fromkeys(ALONG.split(), _along),
    **dict.fromkeys(BY_CHANNEL.split(), _by_channel),
    **dict.fromkeys(POOLS.split(), _pool),
    **dict.fromkeys(MOVES, _moved),
    "Conv": conv,
    "ConvTranspose": transposed_conv,
    "Gemm": gemm,
    "MatMul": matmul,
    "Pad": _pad,
    "Gather": _gather,
    "Expand": _expand,
}
