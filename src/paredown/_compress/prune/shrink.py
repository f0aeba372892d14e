"""Removing channels from a graph: constants lose entries, shapes written into the graph are written anew.

The graph afterwards computes what it would with the columns of the removed channels at zero. Where the
moments of what a layer reads are given, the columns that stay first take over what can be told of the others,

    x_r ~ A x_k + b,    A = S_rk S_kk^-1,    b = E[x_r] - A E[x_k]
    W_k' = W_k + W_r A,    bias' = bias + W_r b

with k the channels kept, r those removed and S their covariance: least squares for a kernel of one place.

Source: He et al. 2017, "Channel pruning for accelerating very deep neural networks", arXiv 1707.06168, eq. 1
(the layer's answer rebuilt by least squares); Kim et al. 2020, "Neuron merging", arXiv 2010.13160 (into the
columns that stay).
Differs from the source: a removed channel is told from the others at its own place, not from the whole patch;
so one small covariance serves a kernel of any size, and zeros of padding stay zeros but for b.

Shapes: C channels along a tensor's axis; O rows of a weight, R columns read by a group, K their kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.prune.moments import Moments
from paredown._compress.quantize.writing.qdq import add_constant, drop_unused
from paredown.graph.moves import Ids, slice_bounds
from paredown.graph.removal import Operand, Removable
from paredown.graph.walk import attribute, constant, data_inputs, shape_of

RIDGE = 1e-3  # of the mean variance, added to each: channels that nearly repeat each other stay solvable

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Write = Callable[[ir.Graph, ir.Node, "_Gone"], None]
"""write(graph, node, gone): corrects what is written into a node about shapes."""


def shrink(
    found: Removable, removed: Collection[int], known: Mapping[str, Moments] | None = None
) -> dict[str, Ids]:
    """Which channels (axis 1) are left, by tensor that lost some; the graph that was looked into is changed.

    known: tensor that a layer reads -> the moments of its channels.
    """
    graph, gone = found.graph, _Gone(found, removed)
    for operand in found.operands:
        if operand.reads >= 0 and (seen := (known or {}).get(str(data_inputs(operand.node)[0].name))):
            _take_over(graph, operand, gone, seen)
    for node in graph:
        if node.op_type in _SHAPES:
            _SHAPES[node.op_type](graph, node, gone)
        elif node.op_type in ("Conv", "ConvTranspose") and attribute(node, "group", 1) > 1:
            _regroup(node, gone)
    for operand in found.operands:
        keeps = [None if ids is None else gone.kept(ids) for ids in operand.ids]
        _cut(graph, operand.node, operand.index, keeps)
    left = {}
    for value in found.axes:
        if (cut := gone.mask(value)) is not None:
            value.shape = ir.Shape(gone.shape(value))
            if cut[0] == 1:
                left[str(value.name)] = np.flatnonzero(cut[1])
    drop_unused(graph)
    return left


def replace_input(graph: ir.Graph, node: ir.Node, index: int, array: NDArray[np.generic]) -> None:
    """A constant of its own for one input of a node, which keeps the name where nothing else reads it."""
    old = node.inputs[index] if index < len(node.inputs) else None
    if old is not None and len(list(old.uses())) == 1 and not old.is_graph_output():
        old.const_value = ir.tensor(array, name=old.name)
        old.shape = ir.Shape(array.shape)
        return
    if index >= len(node.inputs):
        node.resize_inputs(index + 1)
    node.replace_input_with(index, add_constant(graph, f"{node.name}_pruned_{index}", array))


class _Gone:
    """Which places of tensors and constants are left."""

    def __init__(self, found: Removable, removed: Collection[int]) -> None:
        self.found = found
        self.removed = np.array(sorted(removed), np.int64)
        self.before = {value: shape_of(value) for value in found.axes}

    def kept(self, ids: Ids) -> Mask:
        """True for the ids that stay."""
        kept: Mask = ~np.isin(self.found.classes(ids), self.removed)
        return kept

    def mask(self, value: ir.Value | None) -> tuple[int, Mask] | None:
        """The axis of a tensor that gets shorter and what is left of it; None where it stays whole."""
        if value is None or value not in self.found.axes:
            return None
        axis, ids = self.found.axes[value]
        kept = self.kept(ids)
        return None if kept.all() else (axis, kept)

    def shape(self, value: ir.Value) -> list[int]:
        shape = list(self.before.get(value, shape_of(value)))
        if (cut := self.mask(value)) is not None:
            shape[cut[0]] = int(cut[1].sum())
        return shape


def _cut(graph: ir.Graph, node: ir.Node, index: int, keeps: list[Mask | None]) -> None:
    array = constant(node.inputs[index])
    if array is None or all(keep is None or keep.all() for keep in keeps):
        return
    for axis, keep in enumerate(keeps):
        if keep is not None:
            array = array.compress(keep, axis)
    replace_input(graph, node, index, np.ascontiguousarray(array))


def _take_over(graph: ir.Graph, operand: Operand, gone: _Gone, seen: Moments) -> None:
    """The columns that stay, and the bias, take over what can be told of those that go."""
    node, read, weight = operand.node, operand.ids[operand.reads], constant(operand.node.inputs[1])
    if read is None or weight is None:
        return
    kept = gone.kept(read)
    if kept.all():
        return
    group = attribute(node, "group", 1)
    if node.op_type == "ConvTranspose" and group > 1:
        return  # columns of different groups belong to different answers
    outer = 1 - operand.reads  # the axis of the rows
    front = np.moveaxis(np.asarray(weight, np.float64), (outer, operand.reads), (0, 1))
    rows = front.reshape(group, -1, front.shape[1], int(np.prod(front.shape[2:])))  # (groups, O, R, K)
    biased = node.op_type != "MatMul"
    shift = np.zeros(rows.shape[:2])
    for g, one in enumerate(rows):
        a, b = _explained_by(kept, seen, slice(g * len(kept), (g + 1) * len(kept)), biased)
        one[:, kept] += np.einsum("ork,rc->ock", one[:, ~kept], a)
        shift[g] = one[:, ~kept].sum(axis=2) @ b
    made = np.moveaxis(rows.reshape(front.shape), (0, 1), (outer, operand.reads))
    replace_input(graph, node, 1, made.astype(np.float32))
    if biased:
        _shift_bias(graph, node, shift.ravel())


def _explained_by(kept: Mask, seen: Moments, part: slice, centred: bool) -> tuple[Floats, Floats]:
    """A (removed, kept) and b (removed,) for the channels in `part`."""
    mean = seen.mean[part] if centred else np.zeros(len(kept))
    none = np.zeros(((~kept).sum(), kept.sum())), mean[~kept]
    if seen.product is None or not kept.any():
        return none
    s = seen.product[part, part] - np.outer(mean, mean)
    inner = s[np.ix_(kept, kept)]
    inner += np.eye(len(inner)) * (RIDGE * max(float(np.trace(inner)) / len(inner), 1e-12))
    a = np.asarray(np.linalg.solve(inner, s[np.ix_(kept, ~kept)]).T, np.float64)
    return a, mean[~kept] - a @ mean[kept]


def _shift_bias(graph: ir.Graph, node: ir.Node, shift: Floats) -> None:
    """Adds to what a layer answers."""
    before = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if node.op_type == "Gemm":  # alpha (x W) + beta C
        shift = shift * attribute(node, "alpha", 1.0) / (attribute(node, "beta", 1.0) or 1.0)
    start = np.zeros(len(shift)) if before is None else np.asarray(before, np.float64)
    replace_input(graph, node, 2, (start + shift).astype(np.float32))


def _regroup(node: ir.Node, gone: _Gone) -> None:
    """A depthwise layer has as many groups as channels."""
    group, source = attribute(node, "group", 1), node.inputs[0]
    if source is not None and shape_of(source)[1] == group and (cut := gone.mask(source)) is not None:
        node.attributes["group"] = ir.AttrInt64("group", int(cut[1].sum()))


def _write(graph: ir.Graph, node: ir.Node, index: int, numbers: list[int]) -> None:
    before = constant(node.inputs[index]) if index < len(node.inputs) else None
    if before is None or before.tolist() != numbers:
        replace_input(graph, node, index, np.array(numbers, np.int64))


def _reshape(graph: ir.Graph, node: ir.Node, gone: _Gone) -> None:
    """Entries 0 (as the input) and -1 (what is left) stay where they still say the same."""
    written = constant(node.inputs[1])
    if written is None or gone.mask(node.outputs[0]) is None:
        return
    source, wanted = gone.shape(data_inputs(node)[0]), gone.shape(node.outputs[0])
    numbers = [
        old if old == -1 or (old == 0 and i < len(source) and source[i] == n) else n
        for i, (old, n) in enumerate(zip(written.tolist(), wanted, strict=True))
    ]
    _write(graph, node, 1, numbers)


def _split(graph: ir.Graph, node: ir.Node, gone: _Gone) -> None:
    if gone.mask(node.inputs[0]) is None:
        return
    axis = attribute(node, "axis", 0)
    node.attributes.pop("num_outputs", None)
    _write(graph, node, 1, [gone.shape(value)[axis] for value in node.outputs])


def _slice(graph: ir.Graph, node: ir.Node, gone: _Gone) -> None:
    source = node.inputs[0]
    cut = gone.mask(source)
    if cut is None or source is None:
        return
    axis, kept = cut
    rank = len(gone.before[source])
    bounds = slice_bounds(node, rank)
    axes_written = constant(node.inputs[3]) if len(node.inputs) > 3 else None
    starts, ends = constant(node.inputs[1]), constant(node.inputs[2])
    if bounds is None or starts is None or ends is None:
        return
    axes = list(range(len(starts))) if axes_written is None else [int(a) % rank for a in axes_written]
    if axis not in axes:
        return
    first, last, _ = bounds[axis].indices(len(kept))
    where = axes.index(axis)
    for index, old, until in ((1, starts.tolist(), first), (2, ends.tolist(), last)):
        old[where] = int(kept[:until].sum())
        _write(graph, node, index, old)


def _gather(graph: ir.Graph, node: ir.Node, gone: _Gone) -> None:
    source, taken = node.inputs[0], constant(node.inputs[1])
    cut = gone.mask(source)
    if cut is None or taken is None or attribute(node, "axis", 0) % len(gone.before[source]) != cut[0]:  # type: ignore[index]
        return
    kept = cut[1]
    positive = taken % len(kept)
    left = positive[kept[positive]]
    _write(graph, node, 1, (np.cumsum(kept) - 1)[left].tolist())


def _pad(graph: ir.Graph, node: ir.Node, gone: _Gone) -> None:
    pads, cut = constant(node.inputs[1]), gone.mask(node.outputs[0])
    if pads is None or cut is None:
        return
    (axis, kept), numbers = cut, pads.tolist()
    rank = len(numbers) // 2
    front, behind = numbers[axis], numbers[rank + axis]
    numbers[axis], numbers[rank + axis] = int(kept[:front].sum()), int(kept[len(kept) - behind :].sum())
    _write(graph, node, 1, numbers)


def _sizes(index: int) -> Write:
    def write(graph: ir.Graph, node: ir.Node, gone: _Gone) -> None:
        written = constant(node.inputs[index]) if index < len(node.inputs) else None
        if written is not None and written.size and gone.mask(node.outputs[0]) is not None:
            _write(graph, node, index, gone.shape(node.outputs[0]))

    return write


_SHAPES: dict[str, Write] = {
    "Reshape": _reshape,
    "Split": _split,
    "Slice": _slice,
    "Pad": _pad,
    "Gather": _gather,
    "Expand": _sizes(1),
    "Resize": _sizes(3),
}
