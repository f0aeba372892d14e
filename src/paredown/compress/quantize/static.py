"""Static quantization: weights and activations on fixed integer grids, found from calibration images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import onnx_ir as ir

from paredown.compress.quantize.calibrate import calibrate
from paredown.compress.quantize.follow import function_after
from paredown.compress.quantize.placement import ORT_CPU, Plan, place
from paredown.compress.quantize.write import (
    BIAS_LIMIT,
    drop_unused,
    quantize_bias,
    quantize_tensor,
    quantize_weight,
)
from paredown.compress.recipe import Context, Step
from paredown.graph.walk import constant, output_axis, to_model, weight_of
from paredown.measurement import StepRecord
from paredown.numerics.grid import Floats, Grid, affine, symmetric, weight_limits
from paredown.numerics.ranges import METHODS, Seen, mse


@dataclass(frozen=True)
class Static(Step):
    """w8a8: int8 weights (per channel `pc` or per tensor `pt`), 8-bit activations over ranges by method."""

    kind: ClassVar[str] = "w8a8"
    summary: ClassVar[str] = "static INT8: weights and activations, ranges from calibration images"

    weights: Literal["pc", "pt"] = "pc"
    ranges: Literal["mse", "minmax", "ema", "percentile", "entropy"] = "mse"


def apply(step: Static, model: ir.Model, context: Context) -> tuple[ir.Model, tuple[StepRecord, ...]]:
    """The QDQ graph and one record for every node."""
    graph = model.graph
    plan = place(graph, ORT_CPU, context.keep_float)
    seen = calibrate(
        to_model(model, context.source),
        sorted(plan.group),
        context.images(),
        threads=context.threads,
        seed=context.seed,
        progress=context.progress,
    )
    grids = activation_grids(graph, plan, seen, step.ranges)
    bits = context.profile.weight_bits
    weights = {n: weight_grid(n, step.weights, bits) for n in plan.roles if weight_of(n) is not None}
    insert(graph, plan, grids, weights)
    return model, records(step, plan, grids)


def activation_grids(graph: ir.Graph, plan: Plan, seen: dict[str, Seen], method: str) -> dict[str, Grid]:
    """The grid of every group of tensors, by group name."""
    values = {str(v.name): v for v in (*graph.inputs, *(o for n in graph for o in n.outputs))}
    grids = {}
    for group, members in plan.members().items():
        together = pool([seen[m] for m in members])
        if method == "mse":
            after = function_after(values[members[0]]) if len(members) == 1 else None
            low, high = mse(together, after=after)
        else:
            low, high = METHODS[method](together)
        grids[group] = affine(low, high)
    return grids


def pool(parts: list[Seen]) -> Seen:
    """What was seen of several tensors as if they were one."""
    if len(parts) == 1:
        return parts[0]
    return Seen(
        np.concatenate([p.sample for p in parts]),
        np.min([p.lows for p in parts], axis=0),
        np.max([p.highs for p in parts], axis=0),
        np.zeros(0, np.int32),
        np.zeros(0, np.float32),
        np.zeros(0, np.float32),
    )


def weight_grid(node: ir.Node, granularity: str, bits: int, steps: int = 0) -> Grid:
    """The symmetric grid of a node's weight."""
    weight = np.asarray(constant(weight_of(node)), np.float32)
    axis = output_axis(node) if granularity == "pc" else None
    return symmetric(weight_limits(weight, axis, bits, steps), bits, axis)


def insert(graph: ir.Graph, plan: Plan, grids: dict[str, Grid], weights: dict[ir.Node, Grid]) -> None:
    """Write the plan into the graph: weights and biases first, then Q and DQ behind every planned tensor."""
    for node, grid in weights.items():
        feeding = node.inputs[0]
        assert feeding is not None
        _insert_weight(graph, node, grid, grids[plan.group[str(feeding.name)]])
    values = {str(v.name): v for v in (*graph.inputs, *(o for n in graph for o in n.outputs))}
    parameters: dict[str, tuple[ir.Value, ir.Value]] = {}
    for tensor, group in plan.group.items():
        parameters[group] = quantize_tensor(graph, values[tensor], grids[group], parameters.get(group))
    drop_unused(graph)


def _insert_weight(graph: ir.Graph, node: ir.Node, grid: Grid, feeding: Grid) -> None:
    weight = np.asarray(constant(node.inputs[1]), np.float32)
    bias_value = node.inputs[2] if len(node.inputs) > 2 else None
    if bias_value is not None:
        bias = np.asarray(constant(bias_value), np.float32).reshape(-1)
        grid = _room_for_bias(grid, bias, feeding)
        quantize_bias(graph, node, 2, bias, grid.scale * feeding.scale)
    quantize_weight(graph, node, 1, grid, grid.quantize(weight))


def _room_for_bias(grid: Grid, bias: Floats, feeding: Grid) -> Grid:
    """The weight grid, coarser in channels whose bias would not fit into int32 on it (nearly dead channels)."""
    least = np.abs(bias) / (BIAS_LIMIT * float(feeding.scale))
    least = least if grid.axis is not None else least.max(initial=0.0)
    return replace(grid, scale=np.maximum(grid.scale, least).astype(np.float32))


def records(step: Step, plan: Plan, grids: dict[str, Grid]) -> tuple[StepRecord, ...]:
    """One record for every node: quantized how, or left float and why."""
    done = []
    for node, role in plan.roles.items():
        group = plan.group.get(str(node.outputs[0].name))
        data: dict[str, object] = {"op": node.op_type}
        if group is not None:
            low, high = grids[group].bounds()
            data |= {"low": float(low), "high": float(high)}
        done.append(StepRecord(step.name, str(node.name), "quantized", _HOW[role], data))
    left = [
        StepRecord(step.name, str(n.name), "float", why, {"op": n.op_type}) for n, why in plan.left.items()
    ]
    return (*done, *left)


_HOW = {
    "kernel": "computed in integers",
    "same": "moves integers, on the grid of its input",
    "absorbed": "folded into the grid behind it",
}
