"""Cross-layer equalization: channels that differ in range by orders of magnitude are brought to one range.

Between two convolutions with a positively homogeneous function f between them, f(s x) = s f(x),

    W2 f(W1 x + b1) = (W2 S) f(S^-1 W1 x + S^-1 b1)        for any diagonal S > 0  (eq. 7)

so S can be chosen to make a per-tensor activation grid fit every channel.

Source: Nagel et al. 2019, arXiv 1906.04721, section 4.1.
Differs from the source: S balances what is quantized per tensor, the measured activation range, against the columns
of the reading weights (as SmoothQuant does, Xiao et al. 2023, arXiv 2211.10438, eq. 4, with alpha 1/2), because the
rows of W1 have a scale each and cost nothing; where only depthwise convolutions read, their columns cost nothing
either and the activation is equalized in full. It works on channel classes (graph/channels.py), so it reaches through
Add, Concat, Split and channel shuffles. SiLU and its kin are not homogeneous: there it is refused and logged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.compress.quantize.calibrate import calibrate
from paredown.compress.quantize.placement import body_of
from paredown.compress.recipe import Context, Step
from paredown.graph.channels import Channels, channel_classes
from paredown.graph.walk import attribute, constant, data_inputs, is_depthwise, to_model, weight_of
from paredown.measurement import StepRecord

LIMIT = 64.0  # the most a channel is scaled up or down: dead channels must not become loud


@dataclass(frozen=True)
class Equalize(Step):
    """cle: equalize channel ranges across layers, wherever the functions between allow it."""

    kind: ClassVar[str] = "cle"
    summary: ClassVar[str] = "cross-layer equalization of channel ranges (Nagel 2019)"


def apply(step: Equalize, model: ir.Model, context: Context) -> tuple[ir.Model, tuple[StepRecord, ...]]:
    """The same function with equalized weights, and one record for every convolution."""
    graph = model.graph
    channels = channel_classes(graph)
    body = body_of(graph)
    nodes = [n for n in graph if n in body and weight_of(n) is not None and n.op_type in ("Conv", "Gemm")]
    tensors = sorted(
        {
            str(n.inputs[0].name)
            for n in nodes
            if n.inputs[0] is not None and str(n.inputs[0].name) in channels.ids
        }
    )
    seen = calibrate(
        to_model(model, context.source),
        tensors,
        context.images(),
        threads=context.threads,
        seed=context.seed,
        progress=context.progress,
    )
    loudness = {t: np.maximum(np.abs(seen[t].channel_low), np.abs(seen[t].channel_high)) for t in tensors}
    factors = _factors(nodes, channels, loudness)
    log = []
    for node in nodes:
        log.append(_scale(graph, node, channels, factors, step.name))
    return model, tuple(log)


def _factors(
    nodes: list[ir.Node], channels: Channels, loudness: dict[str, NDArray[np.float32]]
) -> NDArray[np.float64]:
    """The factor of every class, (classes,), 1 where frozen. Activations of a class are divided by it."""
    size = len(channels.parent)
    activation, column = np.zeros(size), np.zeros(size)
    for node in nodes:
        tensor = str(data_inputs(node)[0].name)
        if tensor not in channels.ids:
            continue
        classes = channels.of(tensor)
        np.maximum.at(activation, classes, loudness[tensor])
        if not is_depthwise(node):
            np.maximum.at(column, classes, _columns(node, len(classes)))
    weighted = np.where(column > 0, np.sqrt(activation / np.maximum(column, 1e-12)), activation)
    factors = np.ones(size)
    frozen = channels.is_frozen()
    for tensor in loudness:
        classes = channels.of(tensor)
        free = np.array([c not in frozen and activation[c] > 0 for c in classes.tolist()])
        if free.any():
            wanted = weighted[classes[free]]
            middle = np.exp(np.mean(np.log(np.maximum(wanted, 1e-12))))
            factors[classes[free]] = np.clip(wanted / middle, 1 / LIMIT, LIMIT)
    return factors


def _columns(node: ir.Node, count: int) -> NDArray[np.float64]:
    """The largest weight that reads each input channel, each output row relative to its own largest, (C,)."""
    weight = np.abs(np.asarray(constant(node.inputs[1]), np.float64)).reshape(
        np.shape(constant(node.inputs[1]))[0], -1
    )
    weight = weight / np.maximum(weight.max(axis=1, keepdims=True), 1e-12)
    shape = np.shape(constant(node.inputs[1]))
    inner = weight.reshape(shape[0], shape[1], -1).max(axis=2)  # (O, I / group)
    group = int(attribute(node, "group", 1))  # type: ignore[call-overload]
    return inner.reshape(group, shape[0] // group, shape[1]).max(axis=1).reshape(-1)[:count]


def _scale(
    graph: ir.Graph, node: ir.Node, channels: Channels, factors: NDArray[np.float64], step: str
) -> StepRecord:
    source, result = str(data_inputs(node)[0].name), str(node.outputs[0].name)
    columns = factors[channels.of(source)] if source in channels.ids else np.ones(1)
    rows = factors[channels.of(result)] if result in channels.ids else np.ones(1)
    data: dict[str, object] = {"op": node.op_type}
    if np.all(columns == 1) and np.all(rows == 1):
        return StepRecord(
            step, str(node.name), "skipped", "no neighbour behind a positively homogeneous function", data
        )
    weight = np.asarray(constant(node.inputs[1]), np.float64)
    group = int(attribute(node, "group", 1))  # type: ignore[call-overload]
    per_group = np.broadcast_to(columns, (group * weight.shape[1],)).reshape(group, 1, weight.shape[1])
    matrix = weight.reshape(group, weight.shape[0] // group, weight.shape[1], -1) * per_group[..., None]
    spread = np.broadcast_to(rows, (weight.shape[0],))
    scaled = matrix.reshape(weight.shape) / spread.reshape(-1, *[1] * (weight.ndim - 1))
    _replace(graph, node, 1, scaled)
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        _replace(graph, node, 2, np.asarray(constant(node.inputs[2]), np.float64) / spread)
    data |= {"largest": float(np.max(columns)), "smallest": float(np.min(columns))}
    return StepRecord(step, str(node.name), "changed", "channel ranges equalized", data)


def _replace(graph: ir.Graph, node: ir.Node, index: int, array: NDArray[np.float64]) -> None:
    name = f"{node.inputs[index].name}_cle_{node.name}"  # type: ignore[union-attr]
    value = ir.Value(name=name, const_value=ir.tensor(array.astype(np.float32), name=name))
    value.shape, value.type = ir.Shape(array.shape), ir.TensorType(ir.DataType.FLOAT)
    graph.register_initializer(value)
    node.replace_input_with(index, value)
