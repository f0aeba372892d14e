"""Removing channels from a graph: constants lose entries, shapes written into the graph are written anew.

The graph afterwards computes what it would with the columns of the removed channels at zero, and, where their
means are given, what they answered on average is added to the biases behind them:

    y = sum_{c kept} W_c x_c + (b + sum_{c removed} W_c E[x_c])

Exact for a channel that is constant, but for the border where a convolution pads with zeros.

Source: Evci et al. 2018, "Mean replacement pruning" (the mean instead of zero).

Shapes: C channels along a tensor's axis; O rows of a weight.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.compress.quantize.write import add_constant, drop_unused
from paredown.graph.moves import Ids, slice_bounds
from paredown.graph.removal import Operand, Removable
from paredown.graph.walk import attribute, constant, data_inputs, output_axis, shape_of

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Write = Callable[[ir.Graph, ir.Node, "_Gone"], None]
"""write(graph, node, gone): corrects what is written into a node about shapes."""


def shrink(
    graph: ir.Graph, found: Removable, removed: Collection[int], means: Mapping[str, Floats] | None = None
) -> None:
    """Take the removed classes out of the graph.

    means: tensor that a layer reads -> (C,) mean of each channel.
    """
    gone = _Gone(found, removed)
    for operand in found.operands:
        if operand.reads >= 0 and means:
            _fold(graph, operand, gone, means)
    for node in graph:
        if node.op_type in _SHAPES:
            _SHAPES[node.op_type](graph, node, gone)
        elif node.op_type in ("Conv", "ConvTranspose") and attribute(node, "group", 1) > 1:
            _regroup(node, gone)
    for operand in found.operands:
        keeps = [None if ids is None else gone.kept(ids) for ids in operand.ids]
        _cut(graph, operand.node, operand.index, keeps)
    for value in found.axes:
        value.shape = ir.Shape(gone.shape(value))
    drop_unused(graph)


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


def _fold(graph: ir.Graph, operand: Operand, gone: _Gone, means: Mapping[str, Floats]) -> None:
    """The mean answer of what is removed goes into the bias of the layer that read it."""
    node, read = operand.node, operand.ids[operand.reads]
    mean = means.get(str(data_inputs(node)[0].name))
    weight = constant(node.inputs[1])
    if mean is None or read is None or weight is None or node.op_type not in ("Conv", "Gemm"):
        return
    group = attribute(node, "group", 1) if node.op_type == "Conv" else 1
    lost = mean * ~gone.kept(np.tile(read, group))  # (C,)
    if not lost.any():
        return
    outer = output_axis(node)
    rows = np.moveaxis(np.asarray(weight, np.float64), (outer, operand.reads), (0, 1))
    columns = rows.reshape(group, -1, rows.shape[1], int(np.prod(rows.shape[2:]))).sum(axis=3)
    shift = np.einsum("gor,gr->go", columns, lost.reshape(group, -1)).ravel() * attribute(node, "alpha", 1.0)
    before = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    start = np.zeros(len(shift)) if before is None else np.asarray(before, np.float64)
    scale = attribute(node, "beta", 1.0) or 1.0
    replace_input(graph, node, 2, (start + shift / scale).astype(np.float32))


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
