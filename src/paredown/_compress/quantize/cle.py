"""Cross-layer equalization: channels that differ in range by orders of magnitude are brought to one range.

Between two convolutions with a positively homogeneous function f between them, f(s x) = s f(x),

    W2 f(W1 x + b1) = (W2 S) f(S^-1 W1 x + S^-1 b1)        for any diagonal S > 0  (eq. 7)

so S can be chosen to make a per-tensor activation grid fit every channel.

Source: Nagel et al. 2019, arXiv 1906.04721, section 4.1.
Differs from the source: S balances what is quantized per tensor, the measured activation range, against the
columns of the reading weights (as SmoothQuant does, Xiao et al. 2023, arXiv 2211.10438, eq. 4, with alpha
1/2), because the rows of W1 have a scale each and cost nothing; where only depthwise convolutions read, their
columns cost nothing either and the activation is equalized in full. It works on channel classes
(graph/channels.py), so it reaches through Add, Concat, Split and channel shuffles. Through Clip(x, 0, L),
where the source puts a ReLU in its place, quiet channels are scaled up as far as HEADROOM over what
calibration saw stays below L, and channels that reach L are left as they are. Constants added behind sums go
into biases first (gather_biases.py): they would stop it. SiLU and its kin are not homogeneous: there it is
refused and logged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.draft import Draft
from paredown._compress.quantize.gather_biases import gather_biases
from paredown._compress.quantize.placement.body import body_of
from paredown._compress.quantize.placement.keep_float import KEPT, is_kept
from paredown._compress.quantize.placement.plan import place
from paredown._compress.quantize.ranges.calibrate import calibrate_for, rescaled
from paredown._compress.quantize.ranges.outliers import LOUD, loudness_of, stands_out
from paredown._compress.quantize.writing.qdq import add_constant, drop_unused
from paredown._compress.recipe import Context, Step
from paredown.graph.channels import Channels, channel_classes
from paredown.graph.walk import attribute, constant, data_inputs, is_depthwise, to_model, weight_of
from paredown.measurement import StepRecord
from paredown.model import Model

_ALONE = "no neighbour behind a positively homogeneous function"
LIMIT = 64.0  # the most a channel is scaled up or down: dead channels must not become loud
HEADROOM = 1.25  # over the largest value seen, that a Clip must leave


@dataclass(frozen=True)
class Equalize(Step):
    """cle: equalize channel ranges across layers, wherever the functions between allow it."""

    kind: ClassVar[str] = "cle"
    summary: ClassVar[str] = "cross-layer equalization of channel ranges (Nagel 2019)"


def apply(step: Equalize, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """Equalized weights for the same function; one record for every convolution and matrix product."""
    graph = draft.graph
    gathered = gather_biases(graph, context.keep_float)
    channels = channel_classes(graph, through_clips=True)
    nodes = weighted_in_body(graph)
    kept = freeze_kept(nodes, channels, context)
    source = to_model(draft.model, context.source)
    loudness = _loudness(graph, nodes, channels, source, context)
    factors = class_factors(nodes, channels, loudness) if loudness else np.ones(len(channels.parent))
    log = [
        StepRecord(step.name, name, "changed", f"its constant is in the bias of {layer!r}", {"op": "Add"})
        for name, layer in gathered.items()
    ]
    for node in nodes:
        action, why = ("float", KEPT) if node in kept else ("skipped", _ALONE)
        data: dict[str, object] = {"op": node.op_type}
        if scaled := scale_around(graph, node, channels, factors):
            action, why = "changed", "channel ranges equalized"
            data |= {"smallest": scaled[0], "largest": scaled[1]}
            data |= _outlier(str(data_inputs(node)[0].name), loudness, channels, factors)
        log.append(StepRecord(step.name, str(node.name), action, why, data))
    drop_unused(graph)
    if np.any(factors != 1):
        seen = rescaled(context.kept.calibration(source.sha256), channels, factors)
        context.kept.add_calibration(to_model(draft.model, context.source).sha256, seen)
    return tuple(log)


def _outlier(
    tensor: str, loudness: dict[str, NDArray[np.float32]], channels: Channels, factors: NDArray[np.float64]
) -> dict[str, object]:
    """For the log, where channels of what a layer reads stood out: how far they did, how far they do now."""
    if tensor not in loudness or (before := stands_out(loudness[tensor])) < LOUD:
        return {}
    after = stands_out(loudness[tensor] / factors[channels.of(tensor)])
    return {"outlier": round(before, 1), "handled": f"equalized to {after:.1f} times the typical channel"}


def weighted_in_body(graph: ir.Graph) -> list[ir.Node]:
    """The convolutions and matrix products in front of the decode tail."""
    body = body_of(graph)
    return [n for n in graph if n in body and weight_of(n) is not None]


def freeze_kept(nodes: list[ir.Node], channels: Channels, context: Context) -> list[ir.Node]:
    """The nodes that are to stay float as asked; what stands around them may not be scaled any more."""
    kept = [n for n in nodes if is_kept(n.name, context)]
    for node in kept:
        for value in (data_inputs(node)[0], node.outputs[0]):
            channels.freeze(channels.ids.get(str(value.name), np.zeros(0, np.int64)), KEPT)
    return kept


def _loudness(
    graph: ir.Graph, nodes: list[ir.Node], channels: Channels, source: Model, context: Context
) -> dict[str, NDArray[np.float32]]:
    """(C,) largest absolute value of each channel, for every tensor that nodes read and may be scaled."""
    frozen = channels.is_frozen()
    read = {str(data_inputs(n)[0].name) for n in nodes}
    free = sorted(t for t in read if t in channels.ids and not frozen.issuperset(channels.of(t).tolist()))
    if not free:
        return {}
    ahead = place(graph, context.policy, context.keep_float).group if context.policy.kernel else ()
    seen = calibrate_for(context, source, sorted({*free, *ahead}))  # one pass for this and for what follows
    return {t: loudness_of(seen[t]) for t in free}


def class_factors(
    nodes: list[ir.Node], channels: Channels, loudness: dict[str, NDArray[np.float32]]
) -> NDArray[np.float64]:
    """The factor of every class, (classes,), 1 where frozen. Activations of a class are divided by it."""
    size = len(channels.parent)
    activation, column = np.zeros(size), np.zeros(size)
    for node in nodes:
        tensor = str(data_inputs(node)[0].name)
        if tensor not in loudness:
            continue
        classes = channels.of(tensor)
        np.maximum.at(activation, classes, loudness[tensor])
        if not is_depthwise(node):
            np.maximum.at(column, classes, _columns(node, len(classes)))
    weighted = np.where(column > 0, np.sqrt(activation / np.maximum(column, 1e-12)), activation)
    factors, ceilings = np.ones(size), channels.limits()
    frozen = channels.is_frozen()
    for tensor in loudness:
        classes = channels.of(tensor)
        free = classes[[c not in frozen and activation[c] > 0 for c in classes.tolist()]]
        if not len(free):
            continue
        wanted = np.maximum(weighted[free], 1e-12)
        if ceilings.keys().isdisjoint(free.tolist()):
            factors[free] = np.clip(wanted / np.exp(np.mean(np.log(wanted))), 1 / LIMIT, LIMIT)
        else:
            limits = np.array([ceilings.get(c, np.inf) for c in free.tolist()])
            least = np.clip(HEADROOM * activation[free] / limits, 1 / LIMIT, 1)
            factors[free] = np.clip(wanted / wanted.max(), least, 1)
    return factors


def _columns(node: ir.Node, count: int) -> NDArray[np.float64]:
    """The largest weight that reads each input channel, each output row relative to its own largest, (C,)."""
    weight = np.abs(np.asarray(constant(node.inputs[1]), np.float64))  # (O, I / group, ...)
    outer, inner = weight.shape[:2]
    largest = weight.reshape(outer, inner, -1).max(axis=2)
    relative = largest / np.maximum(largest.max(axis=1, keepdims=True), 1e-12)
    group = attribute(node, "group", 1)
    columns: NDArray[np.float64] = relative.reshape(group, outer // group, inner).max(axis=1)
    return columns.reshape(-1)[:count]


def scale_around(
    graph: ir.Graph, node: ir.Node, channels: Channels, factors: NDArray[np.float64]
) -> tuple[float, float] | None:
    """The smallest and largest factor on a node's inputs, once its weight is scaled; None where all are 1."""
    source, result = str(data_inputs(node)[0].name), str(node.outputs[0].name)
    columns = factors[channels.of(source)] if source in channels.ids else np.ones(1)
    rows = factors[channels.of(result)] if result in channels.ids else np.ones(1)
    if np.all(columns == 1) and np.all(rows == 1):
        return None
    weight = np.asarray(constant(node.inputs[1]), np.float64)
    group = attribute(node, "group", 1)
    per_group = np.broadcast_to(columns, (group * weight.shape[1],)).reshape(group, 1, weight.shape[1])
    matrix = weight.reshape(group, weight.shape[0] // group, weight.shape[1], -1) * per_group[..., None]
    spread = np.broadcast_to(rows, (weight.shape[0],))
    scaled = matrix.reshape(weight.shape) / spread.reshape(-1, *[1] * (weight.ndim - 1))
    _replace(graph, node, 1, scaled)
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        _replace(graph, node, 2, np.asarray(constant(node.inputs[2]), np.float64) / spread)
    return float(columns.min()), float(columns.max())


def _replace(graph: ir.Graph, node: ir.Node, index: int, array: NDArray[np.float64]) -> None:
    old = node.inputs[index]
    assert old is not None
    made = add_constant(graph, f"{old.name}_cle_{node.name}", array.astype(np.float32))
    node.replace_input_with(index, made)
