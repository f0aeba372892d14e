"""Static quantization: weights and activations on fixed integer grids, found from calibration images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import onnx_ir as ir

from paredown._compress.draft import Draft
from paredown._compress.quantize import gates
from paredown._compress.quantize.kernels import require_kernels
from paredown._compress.quantize.placement.costs import justified
from paredown._compress.quantize.placement.plan import OF_ANSWERS, Plan, place
from paredown._compress.quantize.placement.timed import faster_in_float
from paredown._compress.quantize.placement.widths import Layers, Width, read_by_few_bits, spared, widths
from paredown._compress.quantize.ranges.calibrate import calibrate_for
from paredown._compress.quantize.ranges.choose import activation_params, weight_params
from paredown._compress.quantize.ranges.outliers import WrittenParams, with_outliers
from paredown._compress.quantize.sensitivity.guard import Guarded, guard, heads_of
from paredown._compress.quantize.sensitivity.weights import damages, rounding_errors
from paredown._compress.quantize.weight_only import store
from paredown._compress.quantize.writing.insert import insert
from paredown._compress.quantize.writing.qdq import drop_unused
from paredown._compress.recipe import Context, Stage, Step
from paredown.graph.walk import constant, to_ir, to_model, weight_of
from paredown.measurement import StepRecord
from paredown.model import Model
from paredown.numerics.quant_params import QuantParams


@dataclass(frozen=True)
class Static(Step):
    """w8a8: int8 weights (per channel `pc` or per tensor `pt`), 8-bit activations over ranges by method.

    `mse`: the range of least cubed error; the word is older than the exponent, numerics/ranges.py.

    `guard`: the worst ranges are searched by the damage they do at the heads, see sensitivity/guard.py.
    `timed`: layers that the device computes faster in float stay float, see placement/timed.py.
    """

    kind: ClassVar[str] = "w8a8"
    summary: ClassVar[str] = "static INT8: weights and activations, ranges from calibration images"
    integers: ClassVar[bool] = True

    weights: Literal["pc", "pt"] = "pc"
    ranges: Literal["mse", "minmax", "ema", "percentile", "entropy"] = "mse"
    guard: Literal["", "guard"] = ""
    timed: Literal["", "timed"] = ""
    bits: ClassVar[int] = 8
    activation_bits: ClassVar[int] = 8
    values: ClassVar[str] = ""
    layers: ClassVar[Layers] = ""
    keep: ClassVar[float] = 0.0

    def provides(self, stage: Stage) -> Stage:
        return "integers" if self.bits == 8 else "few bits"


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


KEEP_IMAGES = 2  # that tell which layers keep 8 bits


def apply(step: Static, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """Writes the QDQ graph; one record for every node."""
    require_kernels(context, step.name, per_channel=step.weights == "pc", signed=step.activation_bits == 8)
    model, graph = draft.model, draft.graph
    plan = place(graph, context.policy, context.keep_float)
    if not plan.group:  # every layer was kept float as asked
        return records(step, plan, {}, {})
    source = to_model(model, context.source)
    plain = gates.without(draft, source) or source
    faster, notes = faster_in_float(step, plan, graph, source, plain, context) if step.timed else ({}, ())
    if faster:
        plan = place(graph, context.policy, context.keep_float, faster)
        if not plan.group:
            draft.model = to_ir(plain)
            return (*notes, *_weights_only(step, draft.model, faster, context))
        context = replace(context, keep_float=(*context.keep_float, *faster))
    draft.float_model = source
    seen = calibrate_for(context, source, sorted(plan.group))
    width = widths(plan, step.bits, context.policy.weight_bits, step.layers)
    weights: dict[ir.Node, QuantParams] = {}
    if step.keep:
        asked = [n for n, (bits, _) in width.items() if bits == step.bits]
        weights = {n: _weight_grid(step, n, step.bits) for n in asked}
        errors = rounding_errors(weights)
        damage = damages(source, errors, heads_of(plan, graph), KEEP_IMAGES, context)
        width = spared(width, damage, step.keep / 100, context.policy.weight_bits)
    few = read_by_few_bits(plan, width, step.bits, step.activation_bits)
    grids = activation_params(graph, plan, seen, step.ranges, step.weights == "pc", few)
    calibrated = {tensor: grids[group] for tensor, group in plan.group.items()}
    guarded = None
    if step.guard:
        guarded = guard(graph, source, plan, grids, seen, context)
        plan, grids = guarded.plan, guarded.grids
    width = {node: w for node, w in width.items() if node in plan.roles}  # the guard may have released some
    weights = {
        n: weights[n] if n in weights and bits == step.bits else _weight_grid(step, n, bits)
        for n, (bits, _) in width.items()
    }
    draft.layers = insert(graph, plan, grids, weights)
    small = faster | {str(n.name): why for n, why in plan.left.items() if why == OF_ANSWERS}
    if guarded is not None and context.policy.small_weights:
        small |= {name: guarded.released[name] for name in guarded.branches}
    _store(graph, small)
    plan.left |= {node: faster[str(node.name)] for node in plan.left if str(node.name) in faster}
    log = with_outliers(
        records(step, plan, grids, width), graph, seen, WrittenParams(plan, grids, calibrated)
    )
    if guarded is None:
        return (*notes, *log)
    if guarded.released and context.time_nodes is not None:
        whole = _all_in_integers(step, source, calibrated, context)
        log = justified(log, guarded.released, *context.time_nodes([source, whole]))
    return (_guard_record(step, guarded), *notes, *log)


def _weights_only(
    step: Static, model: ir.Model, faster: Mapping[str, str], context: Context
) -> tuple[StepRecord, ...]:
    """Weights in 8 bits for the float network: no layer is faster in integers."""
    plan = place(model.graph, context.policy, context.keep_float, faster)
    _store(model.graph, faster)
    return records(step, plan, {}, {})


def _store(graph: ir.Graph, names: Mapping[str, str]) -> None:
    """The weights of these nodes in 8 bits, which are floats again when the file is loaded."""
    for node in [n for n in graph if str(n.name) in names and weight_of(n) is not None]:
        store(graph, node, np.asarray(constant(node.inputs[1]), np.float32), weight_params(node, "pc", 8))
    drop_unused(graph)


def _weight_grid(step: Static, node: ir.Node, bits: int) -> QuantParams:
    even = step.values == "even" or step.activation_bits < 8
    return weight_params(node, step.weights, bits, even)


def _all_in_integers(
    step: Static, source: Model, grid_of: Mapping[str, QuantParams], context: Context
) -> Model:
    """The network with nothing released, to be timed: its ranges are the first ones found."""
    model = to_ir(source)
    plan = place(model.graph, context.policy, context.keep_float)
    grids = {group: grid_of[members[0]] for group, members in plan.members().items()}
    weights = {n: weight_params(n, step.weights, 8) for n in plan.roles if weight_of(n) is not None}
    insert(model.graph, plan, grids, weights)
    return to_model(model, source)


def _guard_record(step: Static, guarded: Guarded) -> StepRecord:
    why = f"noise at the heads brought from {guarded.before:.1%} of the signal to {guarded.after:.1%}"
    worst = sorted(guarded.alone.items(), key=lambda item: -item[1])
    data = {"damage": dict(worst[:100]), "released": list(guarded.released)}
    return StepRecord(step.name, "", "note", why, data)


def records(
    step: Step, plan: Plan, grids: dict[str, QuantParams], width: dict[ir.Node, Width]
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
    "fused": "computed in real numbers behind a kernel, in one with it",
}
