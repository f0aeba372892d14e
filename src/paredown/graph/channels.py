"""Which channels of which tensors belong together.

Two channels share a class when no change may treat them apart: scaling or removing one means doing the same
to the other (both sides of an Add, a tensor before and after a ReLU, the slices of a Concat or a channel
shuffle). Classes are found by sending numbered channels through the graph (`trace`); what a node does to them
depends on what is to be done with the classes. Here is the rule for equalization, which scales them: a class
is `frozen` when something reads it that is no convolution, or a function that does not commute with a
positive factor (f(s x) = s f(x)): SiLU, softmax, outputs. The rule for pruning, which removes them, is in
`graph/removal.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from paredown.graph.moves import MOVES, Full, Ids
from paredown.graph.walk import attribute, constant, consumers, data_inputs, has_shape, shape_of, weight_of

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

GATES = ("Sigmoid", "HardSigmoid")
"""Ops whose product with what they read is SiLU or hard swish."""


@dataclass
class Channels:
    """Classes of channels. ids: tensor name -> (C,) id of each channel, for tensors whose axis 1 is channels.
    mixed: tensor name -> the ids somewhere in it, for all others.

    frozen: ids that nothing may change. parent: union-find over ids; the root of an id is its class. why: the
    first reason for which an id was frozen. ceilings: id -> the least limit above which a Clip cuts it off.
    """

    ids: dict[str, Ids] = field(default_factory=dict)
    mixed: dict[str, Ids] = field(default_factory=dict)
    frozen: set[int] = field(default_factory=set)
    parent: list[int] = field(default_factory=list)
    why: dict[int, str] = field(default_factory=dict)
    ceilings: dict[int, float] = field(default_factory=dict)

    def new(self, count: int, frozen: str = "") -> Ids:
        """Fresh ids, (count,). frozen: why they may not change."""
        first = len(self.parent)
        made = np.arange(first, first + count)
        self.parent.extend(made.tolist())
        if frozen:
            self.freeze(made, frozen)
        return made

    def root(self, index: int) -> int:
        while self.parent[index] != index:
            self.parent[index] = self.parent[self.parent[index]]
            index = self.parent[index]
        return index

    def roots(self, ids: Ids) -> Ids:
        """The class of every id, in the shape given."""
        parent = np.array(self.parent, np.int64)
        while (parent != (further := parent[parent])).any():
            parent = further
        return parent[ids]

    def unite(self, a: Ids, b: Ids) -> None:
        for x, y in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True):
            rx, ry = self.root(x), self.root(y)
            if rx != ry:
                self.parent[ry] = rx

    def freeze(self, ids: Ids, why: str) -> None:
        for i in np.unique(unrepeated(ids)).tolist():
            self.frozen.add(i)
            self.why.setdefault(i, why)

    def of(self, tensor: str) -> Ids:
        """The classes of a tensor's channels, (C,)."""
        return self.roots(self.ids[tensor])

    def is_frozen(self) -> set[int]:
        """The classes that nothing may change."""
        return {self.root(i) for i in self.frozen}

    def limits(self) -> dict[int, float]:
        """Class -> its ceiling, for those that have one."""
        found: dict[int, float] = {}
        for i, limit in self.ceilings.items():
            found[self.root(i)] = min(limit, found.get(self.root(i), limit))
        return found

    def reasons(self) -> dict[int, str]:
        """Frozen class -> why."""
        return {self.root(i): why for i, why in self.why.items()}


Send = Callable[[ir.Node, Full, Channels], list[Ids]]
"""send(node, full, channels) -> the ids at every place of the node's outputs."""


def channel_classes(graph: ir.Graph, through_gates: bool = False, *, through_clips: bool = False) -> Channels:
    """The channel classes of a graph with static shapes, frozen where they may not be scaled.

    through_gates: x sigmoid(x), hard or not, counts as homogeneous in x. Who scales x must hand the gate what
    x was.
    through_clips: Clip at 0 and above counts as homogeneous, its upper limit as a ceiling. Who scales a
    channel up must keep it below that; one that reaches it may not be scaled at all.
    """
    send = _send_through_gates if through_gates else _send_through_clips if through_clips else _send
    return trace(graph, send)[0]


def gated(node: ir.Node) -> ir.Value | None:
    """x, where the node is the product of x and a sigmoid(x), hard or not, that it alone reads; else None."""
    if node.op_type != "Mul":
        return None
    for x, gate in (tuple(node.inputs), tuple(reversed(node.inputs))):
        sigmoid = None if gate is None else gate.producer()
        if sigmoid is None or sigmoid.op_type not in GATES or sigmoid.inputs[0] is not x:
            continue
        return x if consumers(sigmoid.outputs[0]) == [node] else None
    return None


def _send_through_gates(node: ir.Node, full: Full, channels: Channels) -> list[Ids]:
    if (x := gated(node)) is not None and x in full:
        return [full[x]]
    if node.op_type in GATES and any(gated(reader) is not None for reader in consumers(node.outputs[0])):
        return [spread(channels.new(count(node.outputs[0]), "a gate"), shape_of(node.outputs[0]))]
    return _send(node, full, channels)


def _send_through_clips(node: ir.Node, full: Full, channels: Channels) -> list[Ids]:
    limits = [constant(v) for v in node.inputs[1:3]] if node.op_type == "Clip" else []
    x = node.inputs[0] if len(limits) == 2 else None
    ids = per_channel(full[x]) if x is not None and x in full else None
    low, high = limits if ids is not None else (None, None)
    if ids is None or low is None or high is None or np.any(low != 0) or np.any(np.less_equal(high, 0)):
        return _send(node, full, channels)
    limit = float(np.asarray(high, np.float64).min())
    channels.ceilings |= {i: min(limit, channels.ceilings.get(i, limit)) for i in ids.tolist()}
    return [spread(ids, shape_of(node.outputs[0]))]


def trace(graph: ir.Graph, send: Send) -> tuple[Channels, Full]:
    """The classes that `send` finds, node by node, and the ids of every tensor."""
    channels, full = Channels(), Full()
    for value in filter(has_shape, graph.inputs):
        full[value] = spread(channels.new(count(value), "an input of the model"), shape_of(value))
    for node in graph:
        if not (all(v in full for v in data_inputs(node)) and all(map(has_shape, node.outputs))):
            why = f"{node.op_type}: no shape is known"
            freeze_inputs(node, full, channels, why)
            full |= {
                v: spread(channels.new(count(v), why), shape_of(v)) for v in filter(has_shape, node.outputs)
            }
            continue
        for value, ids in zip(node.outputs, send(node, full, channels), strict=True):
            full[value] = ids
            if (flat := per_channel(ids)) is not None:
                channels.ids[str(value.name)] = flat
            else:
                channels.mixed[str(value.name)] = np.unique(unrepeated(ids))
    for value in graph.outputs:
        if value in full:
            channels.freeze(full[value], "an output of the model")
    return channels, full


def freeze_inputs(node: ir.Node, full: Full, channels: Channels, why: str) -> None:
    for value in data_inputs(node):
        if value in full:
            channels.freeze(full[value], why)


def freeze_around(node: ir.Node, full: Full, channels: Channels, why: str) -> list[Ids]:
    """Frozen ids for the node's outputs, those of its inputs frozen too."""
    freeze_inputs(node, full, channels, why)
    return [spread(channels.new(count(v), why), shape_of(v)) for v in node.outputs]


def _send(node: ir.Node, full: Full, channels: Channels) -> list[Ids]:
    inputs = [full[v] for v in data_inputs(node) if v in full]
    if weight_of(node) is not None and len(inputs) == 1 and _reads_plainly(node):
        if per_channel(inputs[0]) is None:
            channels.freeze(inputs[0], f"{node.op_type} reads more than channels")
        return [spread(channels.new(count(node.outputs[0])), shape_of(node.outputs[0]))]
    if node.op_type in HOMOGENEOUS and inputs and (flat := per_channel(inputs[0])) is not None:
        return [spread(flat, shape_of(v)) for v in node.outputs]
    if node.op_type in ("Add", "Sub") and len(inputs) == 2 and inputs[0].shape == inputs[1].shape:
        channels.unite(*pairs(inputs[0], inputs[1]))
        return [inputs[0]]
    if node.op_type == "Mul" and len(inputs) == 2:
        for x, factor in (inputs, inputs[::-1]):  # homogeneous in x, where nothing scales the factor
            fixed = channels.frozen.issuperset(np.unique(unrepeated(factor)).tolist())
            if fixed and x.shape == shape_of(node.outputs[0]):
                return [x]
    if node.op_type in MOVES and inputs:
        moved = MOVES[node.op_type](node, full)
        if moved is not None:
            return moved
    return freeze_around(node, full, channels, f"{node.op_type} does not commute with a factor")


def _reads_plainly(node: ir.Node) -> bool:
    """True where a weight (O, I, ...) has a row for every output and a column for every input channel."""
    if node.op_type == "Gemm":
        return attribute(node, "transB", 0) == 1 and attribute(node, "transA", 0) == 0
    return node.op_type == "Conv"


def pairs(a: Ids, b: Ids) -> tuple[Ids, Ids]:
    """The ids that stand at the same place of two arrays of one shape, each pair once."""
    both = np.stack(np.broadcast_arrays(unrepeated(a), unrepeated(b)))
    found = np.unique(both.reshape(2, -1), axis=1)
    return found[0], found[1]


def unrepeated(ids: Ids) -> Ids:
    """The array with length 1 along the axes it is only broadcast along."""
    return ids[
        tuple(
            slice(0, 1) if s == 0 and n > 1 else slice(None)
            for s, n in zip(ids.strides, ids.shape, strict=True)
        )
    ]


def count(value: ir.Value) -> int:
    """C of a tensor (N, C, ...)."""
    shape = shape_of(value)
    return shape[1] if len(shape) > 1 else 1


def spread(ids: Ids, shape: tuple[int, ...], axis: int = 1) -> Ids:
    """Ids (C,) along one axis of a shape."""
    if len(shape) < 2:
        return np.broadcast_to(ids[:1], shape or (1,))
    wide = [1] * len(shape)
    wide[axis] = -1
    return np.broadcast_to(ids.reshape(wide), shape)


def per_channel(ids: Ids) -> Ids | None:
    """(C,) where every channel (axis 1) holds one id throughout, else None."""
    if ids.ndim < 2 or ids.size == 0:
        return None
    rows = np.moveaxis(unrepeated(ids), 1, 0)
    rows = rows.reshape(len(rows), -1)
    first = np.broadcast_to(rows[:, 0], (ids.shape[1],))
    return first.copy() if (rows == rows[:, :1]).all() else None
