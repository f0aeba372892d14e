"""Mixed precision: every layer in the form that keeps the limits, at the least latency.

    calibrate -> search ranges -> sensitivity, costs -> path -> candidates, judged -> the cheapest that holds

A layer is computed in integers with its weight in 8 or 4 bits (W8A8, W4A8), or in float with its weight in 8
(W8) or as it was. Without a limit on latency: the fastest that loses at most `drop` points on images that
calibrated nothing. With one: the least damage under it. Under a limit on size weights get narrower where that
does least damage for each byte saved.

Sources: placement/allocate.py (the path), sensitivity/activations.py, placement/costs.py (latency).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from paredown._compress.draft import Draft
from paredown._compress.mixed import candidate
from paredown._compress.mixed.candidate import Candidate, Weights, Writer
from paredown._compress.mixed.log import layer_records, reasons, summary_records
from paredown._compress.mixed.verify import COARSE, Verified, cheapest_within, fastest, verified
from paredown._compress.quantize import gates
from paredown._compress.quantize.kernels import require_kernels
from paredown._compress.quantize.placement import allocate
from paredown._compress.quantize.placement.allocate import Choices, Point
from paredown._compress.quantize.placement.costs import Costs, costs_from
from paredown._compress.quantize.placement.plan import Plan, place
from paredown._compress.quantize.ranges.calibrate import calibrate_for
from paredown._compress.quantize.ranges.choose import activation_params, weight_params
from paredown._compress.quantize.sensitivity.guard import BUDGET, FLOOR, Guarded, guard, heads_of
from paredown._compress.quantize.sensitivity.weights import SwitchedWeights, rounding_errors
from paredown._compress.quantize.static import records
from paredown._compress.recipe import Bounds, Context, Stage, Step
from paredown.agreement import is_agreement, least_agreement, likely_loss
from paredown.errors import UnsupportedModel, UsageError
from paredown.graph.walk import constant, to_model, weight_of
from paredown.measurement import StepRecord
from paredown.model import Model

STORED = 0.1  # of the damage that may be done: what may go to weights of float layers stored in 8 bits
TIMED_TRIES = 3  # times a candidate is written again, faster, until it is timed to keep the limit
SIZE_TRIES = 4  # times a candidate is written again, narrower, until its file keeps the limit


@dataclass(frozen=True)
class Mixed(Step):
    """mix: drop, points that may be lost; ms, milliseconds of one inference; mb, megabytes of the file.

    agree: per cent of agreement with the float model to keep on images without truth.

    0 for ms and mb: no such limit; for agree: what goes with `drop` (`agreement.least_agreement`). `paredown
    --max-drop`, `--max-latency`, `--max-size` and `--min-agreement` set them.
    """

    kind: ClassVar[str] = "mix"
    summary: ClassVar[str] = "float, W8A8, W4A8 or W8 for every layer, under limits on drop, latency and size"
    integers: ClassVar[bool] = True

    drop: float = 0.5
    ms: float = 0.0
    mb: float = 0.0
    agree: float = 0.0

    def provides(self, stage: Stage) -> Stage:
        return "packed" if self.mb else "integers"

    def limited(self, bounds: Bounds) -> Mixed:
        """With the bounds where it names none of its own."""
        plain = Mixed()
        given = _spelled(bounds)
        return replace(self, **{k: v for k, v in given.items() if getattr(self, k) == getattr(plain, k)})

    def takes(self, bounds: Bounds) -> bool:
        limited = self.limited(bounds)
        return all(getattr(limited, word) == value for word, value in _spelled(bounds).items())

    def allowed(self, metric: str) -> float:
        """Points of the metric that may be lost; of full agreement where the images have no truth."""
        if not is_agreement(metric):
            return likely_loss(metric, self.agree) if self.agree else self.drop
        return 100 - (self.agree or least_agreement(metric, self.drop))

    def held_to(self, metric: str) -> str:
        """The limit on what is lost, in words, by what the candidates were judged by."""
        points = self.allowed(metric)
        if not is_agreement(metric):
            return f"held to {points:.3g} points of {metric}"
        return (
            f"held to {100 - points:.4g} % agreement with the float model: the images chosen on have no truth"
        )


def _spelled(bounds: Bounds) -> dict[str, float]:
    """The bounds that were asked for, by the step's words for them."""
    latency_s, size_bytes, agreement = bounds.latency_s, bounds.size_bytes, bounds.agreement
    given = {
        "drop": bounds.drop,
        "ms": None if latency_s is None else round(1000 * latency_s, 6),
        "mb": None if size_bytes is None else round(size_bytes / 1e6, 6),
        "agree": None if agreement is None else max(agreement, 0.01),  # 0 is the step's word for no limit
    }
    return {word: value for word, value in given.items() if value is not None}


def apply(step: Mixed, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """Writes the mixed graph; one record for the whole, and one for every node with its choice and why."""
    require_kernels(context, step.name, per_channel=True, signed=True)
    if step.ms and context.time_nodes is None:
        raise UsageError(
            "a limit on latency cannot be kept without timing on the device",
            got=f"{step.ms:g} ms on {context.device.name!r}",
            hint="run paredown on the device itself, or limit the drop or the size only",
        )
    model = draft.model
    plan = place(model.graph, context.policy, context.keep_float)
    if not plan.group:
        return records(step, plan, {}, {})
    source = to_model(model, context.source)
    ranged = _ranges(model.graph, plan, source, context)
    weights = _weight_damages(model.graph, ranged, source, context)
    grid_of = {t: ranged.grids[g] for t, g in ranged.plan.group.items()}
    apart = replace(context, unlabelled=None, learn_from=None)  # what judges must not have been fitted to
    writer = Writer(source, grid_of, context.policy.weight_bits, apart)
    choices = _choices(model.graph, ranged, weights, writer, context)
    writer = replace(writer, why=reasons(choices), ungated=gates.without(draft, source))
    made, tried = _decide(step, choices, weights, writer, context)
    chosen, made = made, writer.finished(made)
    held = step.held_to(tried[0].lost.metric) if tried else ""
    if tried and made is not chosen:
        held += ", judged before the weights were rounded again"
    log = (
        *summary_records(step, chosen, tried, held, choices, context),
        *layer_records(step, made, choices, weights),
    )
    draft.model, draft.float_model, draft.layers = made.draft.model, made.draft.float_model, made.draft.layers
    return log


def _ranges(graph: ir.Graph, plan: Plan, source: Model, context: Context) -> Guarded:
    """Every tensor's grid, the worst searched by damage, and the damage of each alone. None is released."""
    seen = calibrate_for(context, source, sorted(plan.group))
    grids = activation_params(graph, plan, seen, "mse", True)
    return guard(graph, source, plan, grids, seen, context, release=False)


def _weight_damages(graph: ir.Graph, ranged: Guarded, source: Model, context: Context) -> Weights:
    """The damage of every weight alone in 8 and in 4 bits, at the heads."""
    nodes = [n for n in graph if n in ranged.plan.roles and weight_of(n) is not None]
    heads, found = heads_of(ranged.plan, graph), []
    for bits in (context.policy.weight_bits, 4):
        grids = {n: weight_params(n, "pc", bits) for n in nodes}
        errors = {str(n.name): error for n, error in rounding_errors(grids).items()}
        switched = SwitchedWeights(source, errors, heads, ranged.images[:1], context.threads)
        found.append(switched.alone(FLOOR))
    size = {str(n.name): int(np.asarray(constant(weight_of(n))).size) for n in nodes}
    in8, in4 = found
    return Weights(size, in8, in4, stored8=context.policy.small_weights)


def _choices(graph: ir.Graph, ranged: Guarded, weights: Weights, writer: Writer, context: Context) -> Choices:
    """What the allocator chooses from; the costs are timed where the device is at hand."""
    members = ranged.plan.members()
    damage = {t: ranged.alone[g] / len(members[g]) for t, g in ranged.plan.group.items()}
    choices = Choices(graph, ranged.plan, context.policy, context.keep_float, damage, weights.damage8, None)
    if context.time_nodes is None:
        return choices
    return replace(choices, costs=_costs(choices, weights, writer, context))


def _costs(choices: Choices, weights: Weights, writer: Writer, context: Context) -> Costs:
    assert context.time_nodes is not None
    every_second = frozenset().union(*allocate.blocks(choices.graph, choices.base)[1::2])
    points = [choices.point(frozenset()), choices.point(every_second)]
    written = [writer.write(p, *candidate.plain_choices(p, weights, 0.0)).model for p in points]
    times = context.time_nodes([writer.source, *written])
    return costs_from(times[0], times[1], times[2], choices.graph, points[1].plan)


def _decide(
    step: Mixed, choices: Choices, weights: Weights, writer: Writer, context: Context
) -> tuple[Candidate, Sequence[Verified]]:
    """The candidate chosen, and those that were judged on the way."""
    whole, judge = choices.point(frozenset()), context.judge
    if step.ms:
        made = _within_latency(step, choices, weights, writer, context)
        return made, [] if judge is None else [verified(made, made.damage, judge, [])]
    points = allocate.front(allocate.path(choices))
    if judge is None:
        point = next((p for p in points if p.damage <= BUDGET), points[-1])
        return _within_size(step, point, weights, writer, STORED * BUDGET), []
    coarse = writer.coarser().write(whole, *candidate.plain_choices(whole, weights, 0.0))
    slope = verified(coarse, COARSE * coarse.damage, judge, [])
    allowed = step.allowed(slope.lost.metric)
    room = STORED * slope.damage * min(1.0, allowed / max(slope.lost.points, 1e-9))

    def write(index: int) -> Candidate:
        if index == len(points):
            return writer.write(points[-1], dict.fromkeys(weights.size, "float"))
        return _within_size(step, points[index], weights, writer, room)

    damages = [p.damage for p in points]
    if not step.mb:  # beside a limit on size the float network is no way out
        damages.append(0.0)
    made, tried = cheapest_within(damages, write, judge, allowed, slope)
    if context.time_nodes is None:
        return made, tried
    kept = [v.candidate for v in tried[1:] if v.keeps(allowed)]
    if kept and not step.mb:
        kept.append(write(len(points)))  # estimates may be wrong, and no layer in integers be faster
    return fastest(kept, context.time_nodes) if len(kept) > 1 else made, tried


def _within_latency(
    step: Mixed, choices: Choices, weights: Weights, writer: Writer, context: Context
) -> Candidate:
    """The candidate of least damage that is timed to be as fast as asked; estimates are scaled until it is.

    Raises: UnsupportedModel where none is fast enough.
    """
    assert context.time_nodes is not None  # `apply` refused the limit
    estimate_ms, took_ms = step.ms, 0.0
    room = STORED * choices.point(frozenset()).damage
    for _ in range(TIMED_TRIES):
        points = allocate.path(choices, estimate_ms / 1000)
        fast = [p for p in points if 1000 * p.price <= estimate_ms]
        if not fast:
            took_ms = 1000 * min(p.price for p in points) * step.ms / estimate_ms
            break
        made = _within_size(step, min(fast, key=lambda p: p.damage), weights, writer, room)
        took_ms = 1000 * context.time_nodes([made.model])[0].latency_s
        if took_ms <= step.ms:
            return made
        estimate_ms *= step.ms / took_ms
    raise UnsupportedModel(
        "no allocation is as fast as asked",
        got=f"{took_ms:.3g} ms",
        expected=f"at most {step.ms:g} ms",
        hint="prune the model first, or take a smaller one",
    )


def _within_size(step: Mixed, point: Point, weights: Weights, writer: Writer, room: float) -> Candidate:
    """The point written down, its weights narrowed until the file has at most `mb` megabytes.

    room: see `candidate.plain_choices`.

    Raises: UnsupportedModel where the narrowest choices do not get there.
    """
    chosen, added = candidate.plain_choices(point, weights, room)
    made, to_save, limit = writer.write(point, chosen, added), 0.0, 1e6 * step.mb
    if not step.mb:
        return made
    for _ in range(SIZE_TRIES):
        if made.model.size_bytes <= limit:
            return made
        to_save += made.model.size_bytes - limit
        narrow, more = candidate.narrowed(chosen, weights, to_save)
        made = writer.write(point, narrow, added + more)
    if made.model.size_bytes <= limit:
        return made
    raise UnsupportedModel(
        "the model cannot be made as small as asked with weights of 4 bits or more",
        got=f"{made.model.size_bytes / 1e6:.3g} MB",
        expected=f"at most {step.mb:g} MB",
        hint="prune the model first, or ask for w2a8 with qat",
    )
