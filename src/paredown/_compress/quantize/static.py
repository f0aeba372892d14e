"""Static quantization: weights and activations on fixed integer grids, found from calibration images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import onnx_ir as ir

from paredown._compress.quantize.calibrate import calibrate
from paredown._compress.quantize.costs import justified
from paredown._compress.quantize.grids import activation_grids, weight_grid
from paredown._compress.quantize.guard import Guarded, guard, heads_of
from paredown._compress.quantize.kernels import require_kernels
from paredown._compress.quantize.outliers import Grids, tell
from paredown._compress.quantize.placement import ORT_CPU, Plan, place
from paredown._compress.quantize.weight_damage import damages, rounding_errors
from paredown._compress.quantize.widths import Layers, Width, read_by_few_bits, spared, widths
from paredown._compress.quantize.write import (
    BIAS_LIMIT,
    FLOAT,
    HEAD,
    drop_unused,
    quantize_bias,
    quantize_constants,
    quantize_head,
    quantize_tensor,
    quantize_weight,
)
from paredown._compress.recipe import Context, Step
from paredown.graph.walk import constant, to_ir, to_model, weight_of
from paredown.measurement import StepRecord
from paredown.model import Model
from paredown.numerics.grid import Floats, Grid


@dataclass(frozen=True)
class Static(Step):
    """w8a8: int8 weights (per channel `pc` or per tensor `pt`), 8-bit activations over ranges by method.

    `guard`: the worst ranges are searched by the damage they do at the heads, see guard.py.
    """

    kind: ClassVar[str] = "w8a8"
    summary: ClassVar[str] = "static INT8: weights and activations, ranges from calibration images"

    weights: Literal["pc", "pt"] = "pc"
    ranges: Literal["mse", "minmax", "ema", "percentile", "entropy"] = "mse"
    guard: Literal["", "guard"] = ""
    bits: ClassVar[int] = 8
    activation_bits: ClassVar[int] = 8
    values: ClassVar[str] = ""
    layers: ClassVar[Layers] = ""
    keep: ClassVar[float] = 0.0


@dataclass(frozen=True)
class Static4(Static):
    """w4a8: as w8a8 with weights of 16 levels a layer, fitted to it, see numerics/levels.py.

    `even`: evenly spaced ones, which kernels for INT4 multiply with.
    `all`: in first, small and depthwise layers and heads as well; `ends`: only first layers and heads keep 8.
    `keep10`: of the others, those keep 8 where few bits damage most, up to 10 % of all weights.
    """

    kind: ClassVar[str] = "w4a8"
    summary: ClassVar[str] = "static, weights in 4 bits where they allow it, activations in 8"

    values: Literal["", "even"] = ""  # type: ignore[misc]
    layers: Layers = ""  # type: ignore[misc]
    keep: float = 0.0  # type: ignore[misc]
    bits: ClassVar[int] = 4


@dataclass(frozen=True)
class Static2(Static4):
    """w2a8: as w4a8 with weights of three values, -1, 0 and 1 times a scale."""

    values: Literal[""] = ""  # type: ignore[misc]

    kind: ClassVar[str] = "w2a8"
    summary: ClassVar[str] = "static, weights in 2 bits where they allow it, activations in 8"

    bits: ClassVar[int] = 2


@dataclass(frozen=True)
class Static1(Static4):
    """w1a8: as w4a8 with weights of two values, -1 and 1 times a scale: one to be learned with `qat`."""

    values: Literal[""] = ""  # type: ignore[misc]

    kind: ClassVar[str] = "w1a8"
    summary: ClassVar[str] = "static, weights in 1 bit where they allow it, activations in 8; needs qat"

    bits: ClassVar[int] = 1


@dataclass(frozen=True)
class Static4x4(Static4):
    """w4a4: as w4a8-even, and what those layers read has 16 values, kept in uint8: no faster than 8 bits."""

    kind: ClassVar[str] = "w4a4"
    summary: ClassVar[str] = "static, weights and activations in 4 bits where they allow it; computed in 8"

    guard: Literal[""] = ""  # its switches are of 8 bits
    values: Literal[""] = ""  # type: ignore[misc]
    activation_bits: ClassVar[int] = 4


@dataclass(frozen=True)
class Static1x4(Static4x4):
    """w1a4: weights of two values, what those layers read in 16; with `ends` the scheme "1/4, ends 8"."""

    kind: ClassVar[str] = "w1a4"
    summary: ClassVar[str] = "static, weights in 1 bit, activations in 4 where they allow it; needs qat"

    bits: ClassVar[int] = 1


KEEP_IMAGES = 4  # that tell which layers keep 8 bits


def apply(step: Static, model: ir.Model, context: Context) -> tuple[ir.Model, tuple[StepRecord, ...]]:
    """The QDQ graph and one record for every node."""
    require_kernels(context, step.name, per_channel=step.weights == "pc")
    graph = model.graph
    plan = place(graph, ORT_CPU, context.keep_float)
    if not plan.group:  # every layer was kept float as asked
        return model, records(step, plan, {}, {})
    model.meta[FLOAT] = to_model(model, context.source)
    seen = calibrate(
        model.meta[FLOAT],
        sorted(plan.group),
        context.images(),
        threads=context.threads,
        seed=context.seed,
        progress=context.progress,
    )
    width = widths(plan, step.bits, context.profile.weight_bits, step.layers)
    weights: dict[ir.Node, Grid] = {}
    if step.keep:
        asked = [n for n, (bits, _) in width.items() if bits == step.bits]
        weights = {n: _weight_grid(step, n, step.bits) for n in asked}
        errors = rounding_errors(weights)
        damage = damages(model.meta[FLOAT], errors, heads_of(plan, graph), KEEP_IMAGES, context)
        width = spared(width, damage, step.keep / 100, context.profile.weight_bits)
    few = read_by_few_bits(plan, width, step.bits, step.activation_bits)
    grids = activation_grids(graph, plan, seen, step.ranges, step.weights == "pc", few)
    calibrated = {tensor: grids[group] for tensor, group in plan.group.items()}
    guarded = None
    if step.guard:
        guarded = guard(graph, model.meta[FLOAT], plan, grids, seen, context)
        plan, grids = guarded.plan, guarded.grids
    width = {node: w for node, w in width.items() if node in plan.roles}  # the guard may have released some
    weights = {
        n: weights[n] if n in weights and bits == step.bits else _weight_grid(step, n, bits)
        for n, (bits, _) in width.items()
    }
    insert(graph, plan, grids, weights)
    log = tell(records(step, plan, grids, width), graph, seen, Grids(plan, grids, calibrated))
    if guarded is None:
        return model, tuple(log)
    if guarded.released and context.time_nodes is not None:
        whole = _all_in_integers(step, model.meta[FLOAT], calibrated, context)
        log = justified(log, guarded.released, *context.time_nodes([model.meta[FLOAT], whole]))
    return model, (_tell(step, guarded), *log)


def _weight_grid(step: Static, node: ir.Node, bits: int) -> Grid:
    even = step.values == "even" or step.activation_bits < 8
    return weight_grid(node, step.weights, bits, even)


def _all_in_integers(step: Static, source: Model, grid_of: Mapping[str, Grid], context: Context) -> Model:
    """The network with nothing released, to be timed: its ranges are the first ones found."""
    model = to_ir(source)
    plan = place(model.graph, ORT_CPU, context.keep_float)
    grids = {group: grid_of[members[0]] for group, members in plan.members().items()}
    weights = {n: weight_grid(n, step.weights, 8) for n in plan.roles if weight_of(n) is not None}
    insert(model.graph, plan, grids, weights)
    return to_model(model, source)


def _tell(step: Static, guarded: Guarded) -> StepRecord:
    why = f"noise at the heads brought from {guarded.before:.1%} of the signal to {guarded.after:.1%}"
    worst = sorted(guarded.alone.items(), key=lambda item: -item[1])
    data = {"damage": dict(worst[:100]), "released": list(guarded.released)}
    return StepRecord(step.name, "", "note", why, data)


def insert(graph: ir.Graph, plan: Plan, grids: dict[str, Grid], weights: dict[ir.Node, Grid]) -> None:
    """Write the plan into the graph: weights and biases first, then Q and DQ behind every planned tensor."""
    for node, grid in weights.items():
        source, made = node.inputs[0], str(node.outputs[0].name)
        assert source is not None
        head = grids[plan.group[made]] if made in plan.heads else None  # one behind a ReLU has no grid at all
        if head is not None and head.axis is None:
            head = None
        _insert_weight(graph, node, grid, grids[plan.group[str(source.name)]], head)
    for node in plan.roles:
        if node.op_type in ("Add", "Mul"):
            quantize_constants(graph, node)
    values = {str(v.name): v for v in (*graph.inputs, *(o for n in graph for o in n.outputs))}
    parameters: dict[str, tuple[ir.Value, ir.Value]] = {}
    for tensor, group in plan.group.items():
        if grids[group].axis is None:
            parameters[group] = quantize_tensor(graph, values[tensor], grids[group], parameters.get(group))
        else:
            quantize_head(graph, values[tensor], grids[group])
    drop_unused(graph)


def _insert_weight(graph: ir.Graph, node: ir.Node, grid: Grid, feeding: Grid, head: Grid | None) -> None:
    """Weight and bias on their grids. With `head`, a grid for every output channel, the convolution itself
    answers in that grid's integers (output scale 1, zero point 0): its rows are divided by the channel's
    scale, which changes no stored integer, and the zero points ride in the bias."""
    weight = np.asarray(constant(node.inputs[1]), np.float32)
    integers = grid.quantize(weight)
    bias_value = node.inputs[2] if len(node.inputs) > 2 else None
    bias = None if bias_value is None else np.asarray(constant(bias_value), np.float32).reshape(-1)
    if head is not None:
        bias = (0.0 if bias is None else bias) / head.scale + head.zero_point
        weight = (weight / _column(head.scale, weight.ndim)).astype(np.float32)
        grid = replace(grid, scale=(grid.scale / head.scale).astype(np.float32))
        node.meta[HEAD] = head
    if bias is not None:
        roomy = _room_for_bias(grid, bias, feeding)
        if np.any(roomy.scale != grid.scale):
            grid, integers = roomy, roomy.quantize(weight)
        quantize_bias(graph, node, bias.astype(np.float32), grid.scale * feeding.scale)
    quantize_weight(graph, node, grid, integers, weight)


def _column(values: Floats, ndim: int) -> Floats:
    return values.reshape(-1, *[1] * (ndim - 1))


def _room_for_bias(grid: Grid, bias: Floats, feeding: Grid) -> Grid:
    """The weight grid, coarser in channels whose bias would not fit into int32 on it: nearly dead ones."""
    least = np.abs(bias) / (BIAS_LIMIT * float(feeding.scale))
    least = least if grid.axis is not None else least.max(initial=0.0)
    return replace(grid, scale=np.maximum(grid.scale, least).astype(np.float32))


def records(
    step: Step, plan: Plan, grids: dict[str, Grid], width: dict[ir.Node, Width]
) -> tuple[StepRecord, ...]:
    """One record for every node: quantized how, or left float and why."""
    done = []
    for node, role in plan.roles.items():
        group = plan.group.get(str(node.outputs[0].name))
        data: dict[str, object] = {"op": node.op_type}
        if group is not None:
            low, high = grids[group].bounds()
            data |= {"low": float(np.min(low)), "high": float(np.max(high))}
        why = _HOW[role]
        if node in width:
            bits, reason = width[node]
            data["weight_bits"] = bits
            why += f"; weight in {bits} bits, {reason}" if reason else ""
        done.append(StepRecord(step.name, str(node.name), "quantized", why, data))
    left = [
        StepRecord(step.name, str(n.name), "float", why, {"op": n.op_type}) for n, why in plan.left.items()
    ]
    return (*done, *left)


_HOW = {
    "kernel": "computed in integers",
    "same": "moves integers, on the grid of its input",
    "absorbed": "folded into the grid behind it",
}
