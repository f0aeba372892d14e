"""Which channels of which tensors belong together.

Two channels share a class when no change may treat them apart: scaling or removing one means doing the same
to the other (both sides of an Add, a tensor before and after a ReLU, the slices of a Concat or a channel
shuffle). Classes are found by sending numbered channels through the graph. A class is `frozen` when something
reads it that is no convolution, or a function that does not commute with a positive factor (f(s x) = s f(x)):
SiLU, softmax, outputs.

Equalization scales classes; pruning removes them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.graph.walk import attribute, constant, data_inputs, shape_of, weight_of

Ids = NDArray[np.int64]

HOMOGENEOUS = (
    "Relu",
    "LeakyRelu",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Resize",
    "Identity",
)
"""Ops for which f(s x) = s f(x), s > 0, and that keep channels apart and in place."""


@dataclass
class Channels:
    """Classes of channels. ids: tensor name -> (C,) id of each channel, for tensors whose axis 1 is channels.

    frozen: ids that nothing may scale. parent: union-find over ids; the root of an id is its class.
    """

    ids: dict[str, Ids] = field(default_factory=dict)
    frozen: set[int] = field(default_factory=set)
    parent: list[int] = field(default_factory=list)

    def new(self, count: int, frozen: bool = False) -> Ids:
        first = len(self.parent)
        made = np.arange(first, first + count)
        self.parent.extend(made.tolist())
        if frozen:
            self.frozen.update(made.tolist())
        return made

    def root(self, index: int) -> int:
        while self.parent[index] != index:
            self.parent[index] = self.parent[self.parent[index]]
            index = self.parent[index]
        return index

    def unite(self, a: Ids, b: Ids) -> None:
        for x, y in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True):
            rx, ry = self.root(x), self.root(y)
            if rx != ry:
                self.parent[ry] = rx

    def of(self, tensor: str) -> Ids:
        """The classes of a tensor's channels, (C,)."""
        return np.array([self.root(i) for i in self.ids[tensor].tolist()], np.int64)

    def is_frozen(self) -> set[int]:
        """The classes that nothing may scale."""
        return {self.root(i) for i in self.frozen}


def channel_classes(graph: ir.Graph) -> Channels:
    """The channel classes of a graph with static shapes."""
    channels = Channels()
    full: dict[ir.Value, Ids] = {}  # value -> ids broadcast to the value's whole shape
    for value in graph.inputs:
        full[value] = _spread(channels.new(_count(value), frozen=True), shape_of(value))
    for node in graph:
        made = _send(node, full, channels)
        for value, ids in zip(node.outputs, made, strict=True):
            full[value] = ids
            if (flat := _per_channel(ids)) is not None:
                channels.ids[str(value.name)] = flat
    for value in graph.outputs:
        if value in full:
            channels.frozen.update(np.unique(full[value]).tolist())
    return channels


def _send(node: ir.Node, full: dict[ir.Value, Ids], channels: Channels) -> list[Ids]:
    inputs = [full[v] for v in data_inputs(node) if v in full]
    if weight_of(node) is not None and len(inputs) == 1 and _reads_plainly(node):
        if _per_channel(inputs[0]) is None:
            channels.frozen.update(np.unique(inputs[0]).tolist())
        return [_spread(channels.new(_count(node.outputs[0])), shape_of(node.outputs[0]))]
    if node.op_type in HOMOGENEOUS and inputs and (flat := _per_channel(inputs[0])) is not None:
        return [_spread(flat, shape_of(v)) for v in node.outputs]
    if node.op_type in ("Add", "Sub") and len(inputs) == 2 and inputs[0].shape == inputs[1].shape:
        for a, b in zip(*_pairs(inputs[0], inputs[1]), strict=True):
            channels.unite(np.array([a]), np.array([b]))
        return [inputs[0]]
    if node.op_type in _MOVES and inputs:
        moved = _MOVES[node.op_type](node, full)
        if moved is not None:
            return moved
    for ids in inputs:
        channels.frozen.update(np.unique(ids).tolist())
    return [_spread(channels.new(_count(v), frozen=True), shape_of(v)) for v in node.outputs]


def _reads_plainly(node: ir.Node) -> bool:
    """True where a weight (O, I, ...) has a row for every output and a column for every input channel."""
    if node.op_type == "Gemm":
        return attribute(node, "transB", 0) == 1 and attribute(node, "transA", 0) == 0
    return node.op_type == "Conv"


def _pairs(a: Ids, b: Ids) -> tuple[list[int], list[int]]:
    pairs = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1)
    return pairs[0].tolist(), pairs[1].tolist()


def _count(value: ir.Value) -> int:
    shape = shape_of(value)
    return shape[1] if len(shape) > 1 else 1


def _spread(ids: Ids, shape: tuple[int, ...]) -> Ids:
    if len(shape) < 2:
        return np.broadcast_to(ids[:1], shape or (1,))
    return np.broadcast_to(ids.reshape(1, -1, *[1] * (len(shape) - 2)), shape)


def _per_channel(ids: Ids) -> Ids | None:
    """(C,) where every channel (axis 1) holds one id throughout, else None."""
    if ids.ndim < 2 or ids.size == 0:
        return None
    rows = np.moveaxis(ids, 1, 0).reshape(ids.shape[1], -1)
    return rows[:, 0].copy() if (rows == rows[:, :1]).all() else None


def _reshape(node: ir.Node, full: dict[ir.Value, Ids]) -> list[Ids] | None:
    shape = shape_of(node.outputs[0])
    source = full[data_inputs(node)[0]]
    return [source.reshape(shape)] if 0 not in shape and shape else None


def _transpose(node: ir.Node, full: dict[ir.Value, Ids]) -> list[Ids] | None:
    source = full[data_inputs(node)[0]]
    return [source.transpose(attribute(node, "perm", None))]


def _concat(node: ir.Node, full: dict[ir.Value, Ids]) -> list[Ids] | None:
    parts = [full[v] for v in node.inputs if v is not None and v in full]
    if len(parts) < len(node.inputs):
        return None
    return [np.concatenate(parts, axis=attribute(node, "axis", 1))]


def _split(node: ir.Node, full: dict[ir.Value, Ids]) -> list[Ids] | None:
    axis = attribute(node, "axis", 0)
    sizes = [shape_of(v)[axis] for v in node.outputs]
    return np.split(full[data_inputs(node)[0]], np.cumsum(sizes)[:-1], axis=axis)


def _slice(node: ir.Node, full: dict[ir.Value, Ids]) -> list[Ids] | None:
    source = full[data_inputs(node)[0]]
    given = [array.tolist() for v in node.inputs[1:] if (array := constant(v)) is not None]
    if len(given) < len(node.inputs) - 1:
        return None
    starts, ends = given[:2]
    axes = given[2] if len(given) > 2 else range(len(starts))
    steps = given[3] if len(given) > 3 else [1] * len(starts)
    where = [slice(None)] * source.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        where[axis] = slice(start, end if abs(end) < 2**31 - 1 else None, step)
    cut = source[tuple(where)]
    return [cut] if cut.shape == shape_of(node.outputs[0]) else None


_MOVES: dict[str, Callable[[ir.Node, dict[ir.Value, Ids]], list[Ids] | None]] = {
    "Reshape": _reshape,
    "Flatten": _reshape,
    "Squeeze": _reshape,
    "Unsqueeze": _reshape,
    "Transpose": _transpose,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
}
