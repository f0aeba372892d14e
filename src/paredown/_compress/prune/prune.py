"""Structured pruning: whole channels leave the graph, every tensor that held them gets smaller.

What can only leave together is found on the graph (graph/removal.py), ranked (l1.py, taylor.py or
slimming.py), chosen by what it saves (choose.py) and taken out (shrink.py). What comes out is an ordinary
float graph with fewer channels: any quantizing step may follow, and `distill` recovers what was lost.
"""

from __future__ import annotations

from collections import Counter
from importlib import import_module

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.draft import Draft
from paredown._compress.prune.choose import Choice, choose
from paredown._compress.prune.l1 import by_weights
from paredown._compress.prune.moments import Moments, Place, moments
from paredown._compress.prune.refit import refit
from paredown._compress.prune.settings import Prune
from paredown._compress.prune.shrink import shrink
from paredown._compress.quantize.placement.keep_float import KEPT, is_kept
from paredown._compress.recipe import Context
from paredown.errors import UsageError
from paredown.graph.inspect import macs_of
from paredown.graph.moves import Ids
from paredown.graph.removal import Removable, removable
from paredown.graph.walk import data_inputs, has_shape, output_axis, shape_of, to_model, weight_of
from paredown.measurement import StepRecord

Floats = NDArray[np.float64]

NEAR = 0.2  # the mean gate of what slimming has made ready to go
_WORTH = "every channel is worth more than the operations it takes"


def apply(step: Prune, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """Takes channels out of the graph; a record for every layer with weights.

    Raises: UsageError for an amount that is no part of a whole.
    """
    _check(step)
    model = draft.model
    if draft.float_model is not None:
        why = "the graph is quantized already: put this step in front of w8a8 or w4a8"
        return (StepRecord(step.name, "", "skipped", why),)
    graph = model.graph
    found = removable(graph)
    for operand in found.operands:
        if is_kept(operand.node.name, context):
            for ids in operand.ids:
                if ids is not None:
                    found.channels.freeze(ids, KEPT)
    before = {node: _size(node) for node in graph if weight_of(node) is not None}
    worth, known = _weighed(step, model, found, context)
    choice = choose(found, worth, step.percent / 100, step.align)
    if choice.removed:
        whole = to_model(model, context.source)
        left = shrink(found, choice.removed, known)
        refit(model, whole, left, context)
        _remember(draft, left)
    return (
        _summary(step, choice, before),
        *(_layer(step, node, size, found, context) for node, size in before.items()),
    )


def _remember(draft: Draft, left: dict[str, Ids]) -> None:
    """Which of the source's channels every tensor has, also after several prunings."""
    before = draft.kept_channels
    before |= {name: before[name][kept] if name in before else kept for name, kept in left.items()}


def _check(step: Prune) -> None:
    if not 0 < step.percent < 100 or step.align < 1:
        raise UsageError(
            f"step {step.name!r} asks for no pruning there is",
            got=f"{step.percent:g} % of the MACs, a multiple of {step.align} channels",
            expected="more than 0 % and less than 100 %, a multiple of at least 1",
        )


def _moments(model: ir.Model, found: Removable, context: Context) -> dict[str, Moments]:
    """The moments of every tensor that may lose channels in front of a layer."""
    frozen = np.array(sorted(found.channels.is_frozen()))
    places = {}
    for operand in found.operands:
        read = operand.ids[operand.reads] if operand.reads >= 0 else None
        if read is not None and not np.isin(found.classes(read), frozen).all():
            source = data_inputs(operand.node)[0]
            places[str(source.name)] = Place(shape_of(source), found.axes[source][0])
    return moments(
        to_model(model, context.source),
        places,
        context.images(),
        threads=context.threads,
        progress=context.progress,
    )


def _weighed(
    step: Prune, model: ir.Model, found: Removable, context: Context
) -> tuple[Floats, dict[str, Moments]]:
    """(classes,) importance, and the moments of what the layers read; slimming changes the weights first."""

    def enough(gates: Floats) -> bool:
        removed = choose(found, gates, step.percent / 100, step.align).removed
        return bool(removed) and float(np.mean(gates[sorted(removed)])) < NEAR

    if step.by == "slim":
        slimming = import_module("paredown._compress.prune.slimming")
        gates: Floats = slimming.importance(model, found, enough, context)
        return gates, _moments(model, found, context)
    known = _moments(model, found, context)
    if step.by == "l1":
        return by_weights(found), known
    taylor = import_module("paredown._compress.prune.taylor")
    worth: Floats = taylor.importance(model, found, known, context)
    return worth, known


def _size(node: ir.Node) -> tuple[int, int, int]:
    """Channels read, channels answered, MACs."""
    weight = weight_of(node)
    assert weight is not None
    if not all(map(has_shape, (*data_inputs(node), *node.outputs))):
        return 0, 0, 0  # nothing of it is removed
    source = shape_of(data_inputs(node)[0])
    read = source[1] if node.op_type in ("Conv", "ConvTranspose") else source[-1]
    answered = shape_of(node.outputs[0])
    return read, answered[1] if node.op_type in ("Conv", "ConvTranspose") else answered[-1], macs_of(node)


def _summary(step: Prune, choice: Choice, before: dict[ir.Node, tuple[int, int, int]]) -> StepRecord:
    old, new = sum(size[2] for size in before.values()), sum(macs_of(node) for node in before)
    why = f"{old / 1e6:.1f} million MACs became {new / 1e6:.1f} ({1 - new / max(old, 1):.1%} gone)"
    if choice.share < step.percent / 100:
        why += f"; asked for {step.percent:g} %, but no more channels may go"
    data = {"macs_before": old, "macs_after": new, "by": step.by, "align": step.align}
    return StepRecord(step.name, "", "note" if choice.removed else "skipped", why, data)


def _layer(
    step: Prune, node: ir.Node, before: tuple[int, int, int], found: Removable, context: Context
) -> StepRecord:
    after = _size(node)
    data: dict[str, object] = {"op": node.op_type, "macs_before": before[2], "macs_after": after[2]}
    data |= {"read": [before[0], after[0]], "channels": [before[1], after[1]]}
    if is_kept(node.name, context):
        return StepRecord(step.name, str(node.name), "float", KEPT, data)
    if after != before:
        why = f"reads {before[0]} -> {after[0]} channels, answers {before[1]} -> {after[1]}"
        return StepRecord(step.name, str(node.name), "changed", why, data)
    return StepRecord(step.name, str(node.name), "skipped", _why_whole(node, found), data)


def _why_whole(node: ir.Node, found: Removable) -> str:
    """Why a layer has all its channels still: the commonest reason for which its answers are frozen."""
    axis_ids = found.axes.get(node.outputs[0])
    if axis_ids is None or output_axis(node) < 0:
        return "its channels vary along several axes"
    reasons = found.channels.reasons()
    counted = Counter(reasons[c] for c in found.classes(axis_ids[1]).tolist() if c in reasons)
    return f"channels stay: {counted.most_common(1)[0][0]}" if counted else _WORTH
