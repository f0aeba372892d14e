"""Which channels can only be removed together, and which constants shrink with them.

Removing needs less of a function than scaling does (`graph/channels.py`): that it keeps channels apart and in
place. So classes pass through SiLU, sigmoid gates, HardSwish and every other elementwise function, through
pooling, Resize and normalisation by channel; depthwise layers belong to their input's classes; a grouped
layer unites the channels at one place of its groups; behind Flatten a channel owns a row of columns. Wherever
channels vary along two axes at once (the reshape of a channel shuffle, predictions of several scales behind
one another) they are united along one of them, so that what is left after removal is always a whole tensor.

What is not in the tables is refused: everything the node reads and answers is frozen, with the reason.

What removal means is exact: a layer's answer is a sum over the channels it reads, and the summands of removed
channels are left out. It is the graph in which the columns of those channels (`Operand.reads`) are zero.

Source: Fang et al. 2023, "DepGraph: towards any structural pruning", arXiv 2301.12900 (groups of parameters
that depend on each other).
Differs from the source: no table of layer pairs and no tracing of gradients; channels are numbered and sent
through the ONNX graph, so Reshape, Transpose, Split, Slice and Gather need no special cases.

Shapes: ids as large as the tensor they belong to; C channels along one axis of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from paredown.graph.channels import Channels, freeze_around, pairs, spread, trace, unrepeated
from paredown.graph.moves import MOVES, Full, Ids, slice_bounds
from paredown.graph.walk import attribute, constant, data_inputs, shape_of, weight_of

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


@dataclass(frozen=True)
class Operand:
    """A constant that shrinks with channels: input `index` of a node.

    ids: for every axis of it the (n,) ids of its entries, None where the axis stays whole. reads: the axis
    that counts what a layer reads, -1 for constants that read nothing.
    """

    node: ir.Node
    index: int
    ids: tuple[Ids | None, ...]
    reads: int = -1


@dataclass
class Removable:
    """What may be removed from `graph`.

    axes: tensor -> the axis its channels stand along, and their (C,) ids.
    Classes are the roots of `channels`; those in `channels.is_frozen()` must stay.
    """

    graph: ir.Graph
    channels: Channels
    axes: dict[ir.Value, tuple[int, Ids]] = field(default_factory=dict)
    operands: list[Operand] = field(default_factory=list)

    def classes(self, ids: Ids) -> Ids:
        return self.channels.roots(ids)


class _Refused(Exception):
    """A node whose effect on channels cannot be told; the text says why."""


def removable(graph: ir.Graph) -> Removable:
    """What may be removed from a graph with static shapes and constants as initializers."""
    operands: list[Operand] = []

    def send(node: ir.Node, full: Full, channels: Channels) -> list[Ids]:
        rule = _RULES.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        flow = _Flow(node, full, channels)
        try:
            if rule is None:
                raise _Refused(f"{node.op_type} may mix channels")
            made, shrinking = rule(flow)
        except _Refused as refusal:
            _freeze_captured(node, full, channels, str(refusal))
            return freeze_around(node, full, channels, str(refusal))
        operands.extend(shrinking)
        return made

    channels, full = trace(graph, send)
    found = Removable(graph, channels, operands=operands)
    for value, ids in full.items():
        varying = _varying(channels, ids)
        if len(varying) <= 1 and ids.ndim:
            axis = varying[0] if varying else min(1, ids.ndim - 1)
            found.axes[value] = (axis, _line(ids, axis))
    return found


def _freeze_captured(node: ir.Node, full: Full, channels: Channels, why: str) -> None:
    """What the bodies of Loop and If read from outside stays whole."""
    for attr in node.attributes.values():
        if isinstance(attr.value, ir.Graph):
            for inner in ir.traversal.RecursiveGraphIterator(attr.value):
                for value in inner.inputs:
                    if value is not None and value in full:
                        channels.freeze(full[value], why)


@dataclass(frozen=True)
class _Flow:
    """One node and the ids that reach it."""

    node: ir.Node
    full: Full
    channels: Channels

    def shape(self, index: int = 0) -> tuple[int, ...]:
        """The shape of an output."""
        shape = shape_of(self.node.outputs[index])
        if len(shape) < 2 or 0 in shape:
            raise _Refused(f"{self.node.op_type} answers in no known shape of several axes")
        return shape

    def source(self) -> Ids:
        """The ids of the one computed input, which must be the first."""
        inputs = data_inputs(self.node)
        if len(inputs) != 1 or self.node.inputs[0] is not inputs[0]:
            raise _Refused(f"{self.node.op_type} of {len(inputs)} computed tensors")
        return self.full[inputs[0]]

    def along(self, ids: Ids, axis: int) -> Ids:
        """The ids (C,) along an axis, where they vary along no other."""
        if any(a != axis % ids.ndim for a in _varying(self.channels, ids)):
            raise _Refused(f"{self.node.op_type} reads more than channels along axis {axis}")
        return _line(ids, axis)

    def axis(self, ids: Ids) -> int | None:
        """The one axis that ids vary along, None where they are the same everywhere."""
        varying = _varying(self.channels, ids)
        if len(varying) > 1:
            raise _Refused(f"channels along several axes at {self.node.op_type}")
        return varying[0] if varying else None

    def weight(self) -> tuple[int, ...]:
        weight = weight_of(self.node)
        if weight is None:
            raise _Refused(f"the weight of {self.node.op_type} is computed")
        return shape_of(weight)


_Sent = tuple[list[Ids], list[Operand]]


def _varying(channels: Channels, ids: Ids) -> list[int]:
    """The axes along which classes differ."""
    small = unrepeated(ids)
    if max(small.shape, default=1) == small.size:  # one line of numbers: no root is needed for that
        return [axis for axis, n in enumerate(small.shape) if n > 1]
    roots = channels.roots(small)
    return [a for a, n in enumerate(small.shape) if n > 1 and (roots != roots.take([0], a)).any()]


def _line(ids: Ids, axis: int) -> Ids:
    rows = np.moveaxis(unrepeated(ids), axis, 0)
    return np.broadcast_to(rows.reshape(len(rows), -1)[:, 0], (ids.shape[axis],)).copy()


def _conv(flow: _Flow) -> _Sent:
    node, (outer, inner, *kernel) = flow.node, flow.weight()
    read = flow.along(flow.source(), 1)
    group, rest = attribute(node, "group", 1), (None,) * len(kernel)
    if group == 1:
        out = flow.channels.new(outer)
        weight = Operand(node, 1, (out, read, *rest), reads=1)
    elif inner == 1:
        out = np.repeat(read, outer // group)
        weight = Operand(node, 1, (out, None, *rest))
    else:
        read = _shared_by_groups(flow.channels, read, group)
        out = np.tile(flow.channels.new(outer // group), group)
        weight = Operand(node, 1, (out, read, *rest), reads=1)
    return [spread(out, flow.shape())], [weight, *_bias(flow, out)]


def _transposed(flow: _Flow) -> _Sent:
    node, (outer, inner, *kernel) = flow.node, flow.weight()  # (I, O / group, ...)
    read = flow.along(flow.source(), 1)
    group, rest = attribute(node, "group", 1), (None,) * len(kernel)
    if group > 1 and group == outer:
        out = np.repeat(read, inner)
        weight = Operand(node, 1, (read, None, *rest))
    else:
        _shared_by_groups(flow.channels, read, group)
        made = flow.channels.new(inner)
        out = np.tile(made, group)
        weight = Operand(node, 1, (read, made, *rest), reads=0)
    return [spread(out, flow.shape())], [weight, *_bias(flow, out)]


def _gemm(flow: _Flow) -> _Sent:
    if attribute(flow.node, "transA", 0):
        raise _Refused("Gemm of a transposed input")
    shape, rows_first = flow.weight(), bool(attribute(flow.node, "transB", 0))
    read = flow.along(flow.source(), 1)
    out = flow.channels.new(shape[0 if rows_first else 1])
    weight = Operand(flow.node, 1, (out, read) if rows_first else (read, out), reads=int(rows_first))
    return [spread(out, flow.shape())], [weight, *_bias(flow, out)]


def _matmul(flow: _Flow) -> _Sent:
    shape = flow.weight()
    if len(shape) != 2:
        raise _Refused("MatMul with a stack of matrices")
    read, out = flow.along(flow.source(), -1), flow.channels.new(shape[1])
    answer = flow.shape()
    return [spread(out, answer, len(answer) - 1)], [Operand(flow.node, 1, (read, out), reads=0)]


def _shared_by_groups(channels: Channels, read: Ids, group: int) -> Ids:
    """(C / group,): the channels at one place of all groups are one class, so that groups stay alike."""
    rows = read.reshape(group, -1)
    for row in rows[1:]:
        channels.unite(rows[0], row)
    first: Ids = rows[0]
    return first


def _bias(flow: _Flow, out: Ids) -> list[Operand]:
    if len(flow.node.inputs) < 3 or flow.node.inputs[2] is None:
        return []
    shape = shape_of(flow.node.inputs[2])
    if not shape or shape[-1] != len(out):
        return []  # one number for all channels
    return [Operand(flow.node, 2, (*(None,) * (len(shape) - 1), out))]


def _elementwise(flow: _Flow) -> _Sent:
    """Parts that vary along the channels' axis are united; one that is the same for all channels stays."""
    node, shape = flow.node, flow.shape()
    if len([v for v in node.outputs if v.name]) > 1:
        raise _Refused(f"{node.op_type} with several outputs")
    parts = [_aligned(flow.full[v], len(shape)) for v in data_inputs(node)]
    axes = {flow.axis(part) for part in parts} - {None}
    if len(axes) > 1:
        raise _Refused(f"channels along several axes at {node.op_type}")
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
            entries = tuple(_line(ids, axis) if a == own else None for a in range(array.ndim))
            found.append(Operand(node, index, entries))
    return found


def _pool(flow: _Flow) -> _Sent:
    if any(v.uses() for v in flow.node.outputs[1:]):
        raise _Refused(f"{flow.node.op_type} with several outputs")
    ids = flow.along(flow.source(), 1)
    made = spread(ids, flow.shape())
    vectors = _vectors(flow.node, ids) if flow.node.op_type in BY_CHANNEL else []
    return [made] * len(flow.node.outputs), vectors


def _by_channel(flow: _Flow) -> _Sent:
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


def _along(flow: _Flow) -> _Sent:
    """Works along axes of which the channels' is none, and leaves that one as long as it is."""
    node, source = flow.node, flow.source()
    axis = flow.axis(source)
    if axis is None:
        raise _Refused(f"{node.op_type} of a single channel")
    worked = _worked_axes(flow, source.ndim)
    if axis in worked:
        raise _Refused(f"{node.op_type} mixes channels")
    dropped = node.op_type.startswith("Reduce") and not attribute(node, "keepdims", 1)
    own = axis - (sum(a < axis for a in worked) if dropped else 0)
    shape = flow.shape()
    if shape[own] != source.shape[axis]:
        raise _Refused(f"{node.op_type} changes the number of channels")
    return [spread(_line(source, axis), shape, own)], []


def _worked_axes(flow: _Flow, rank: int) -> set[int]:
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


def _moved(flow: _Flow) -> _Sent:
    node = flow.node
    if not data_inputs(node):
        raise _Refused(f"{node.op_type} of constants")
    for value in node.inputs[1:] if node.op_type != "Concat" else ():
        if value is not None and constant(value) is None:
            raise _Refused(f"where {node.op_type} moves values is computed")
    made = MOVES[node.op_type](node, flow.full)
    if made is None:
        raise _Refused(f"{node.op_type} cannot be followed")
    if node.op_type == "Squeeze" and len(node.inputs) < 2:
        raise _Refused("Squeeze of axes it does not name")
    if node.op_type == "Slice":
        _refuse_strides(flow)
    return [_whole(flow.channels, ids) for ids in made], []


def _refuse_strides(flow: _Flow) -> None:
    source = flow.source()
    axis, bounds = flow.axis(source), slice_bounds(flow.node, source.ndim)
    if axis is not None and bounds is not None and bounds[axis].step not in (None, 1):
        raise _Refused("Slice takes every other channel")


def _pad(flow: _Flow) -> _Sent:
    """Channels of a constant that are put in front and behind are channels like others."""
    node, source, shape = flow.node, flow.source(), flow.shape()
    axis = flow.axis(source)
    pads = constant(node.inputs[1])
    if axis is None or pads is None or (len(node.inputs) > 3 and node.inputs[3] is not None):
        raise _Refused("Pad of axes that cannot be told")
    front, behind = (int(pads[i * source.ndim + axis]) for i in range(2))
    if shape[axis] == source.shape[axis] and not front:
        return [spread(_line(source, axis), shape, axis)], []
    if attribute(node, "mode", "constant") != "constant" or min(front, behind) < 0:
        raise _Refused("Pad repeats or cuts channels")
    parts = [flow.channels.new(front), _line(source, axis), flow.channels.new(behind)]
    return [spread(np.concatenate(parts), shape, axis)], []


def _gather(flow: _Flow) -> _Sent:
    source = flow.source()
    axis, index = attribute(flow.node, "axis", 0) % source.ndim, constant(flow.node.inputs[1])
    if index is None:
        raise _Refused("what Gather takes is computed")
    if flow.axis(source) == axis and index.ndim != 1:
        raise _Refused("Gather changes the axis of the channels")
    return [_whole(flow.channels, source.take(index.astype(np.int64), axis))], []


def _expand(flow: _Flow) -> _Sent:
    shape = flow.shape()
    ids = _aligned(flow.source(), len(shape))
    axis = flow.axis(ids)
    if constant(flow.node.inputs[1]) is None or (axis is not None and ids.shape[axis] != shape[axis]):
        raise _Refused("Expand repeats channels")
    return [np.broadcast_to(ids, shape)], []


def _whole(channels: Channels, ids: Ids) -> Ids:
    """Ids that vary along one axis at most: the others' are united along the axis with most distinct slices.

    Of a channel shuffle's (N, groups, C / groups, ...) that is the last, of predictions of several scales
    (N, C, P) the channels'.
    """
    varying = _varying(channels, ids)
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


_RULES: dict[str, Callable[[_Flow], _Sent]] = {
    **dict.fromkeys(ELEMENTWISE.split(), _elementwise),
    **dict.fromkeys(ALONG.split(), _along),
    **dict.fromkeys(BY_CHANNEL.split(), _by_channel),
    **dict.fromkeys(POOLS.split(), _pool),
    **dict.fromkeys(MOVES, _moved),
    "Conv": _conv,
    "ConvTranspose": _transposed,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Pad": _pad,
    "Gather": _gather,
    "Expand": _expand,
}
