"""Placement by measured cost: what a processor without dot products computes faster in float stays float.

Without instructions that sum products of 8-bit numbers (VNNI, dotprod), integer kernels are often no faster
than float ones, and an activation that floats fuse into their convolution is a kernel of its own. What a
kernel takes does not depend on scales, so three graphs on made-up ranges are timed, node by node, before
anything is calibrated. Then blocks of layers go to float one by one, each time the one that saves most, what
conversions cost at the borders counted, until none saves anything (allocate.py, costs.py). Sums over nodes do
not know which layouts neighbours share, so the last word has the clock: some points of that path are timed
whole.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from paredown._compress.quantize.placement.allocate import Choices, Point, blocks, path
from paredown._compress.quantize.placement.costs import Costs, costs_from
from paredown._compress.quantize.placement.plan import Plan, place
from paredown._compress.quantize.ranges.choose import weight_params
from paredown._compress.quantize.writing.insert import insert
from paredown._compress.recipe import Context, Step
from paredown.graph.walk import to_ir, to_model, weight_of
from paredown.measurement import StepRecord
from paredown.model import Model
from paredown.numerics.quant_params import affine

CLEARLY = 0.7  # of float's time: where everything in integers takes less, nothing better is looked for
SAVED = 0.03  # of the latency: what saves less is not told from noise, and integers are kept


def faster_in_float(
    step: Step, plan: Plan, graph: ir.Graph, source: Model, context: Context
) -> tuple[dict[str, str], tuple[StepRecord, ...]]:
    """Node name -> why it stays float, for all that float computes faster, and a note with the estimates.

    Nothing where the processor has dot products, or where it is not at hand to be timed.

    plan: everything in integers that can be. source: the graph, serialized.
    """
    if context.device.sums_products or context.time_nodes is None:
        return {}, ()
    whole = Choices(graph, plan, context.policy, context.keep_float, {}, {}, None).point(frozenset())
    floats, integers = context.time_nodes([source, _made_up(source, whole, context)])
    if integers.total_s < CLEARLY * floats.total_s:
        return {}, (_note(step, floats.total_s, integers.total_s, integers.total_s, whole),)
    costs = _costs(whole, graph, source, context)
    choices = Choices(graph, plan, context.policy, context.keep_float, {}, {}, costs)
    points = _candidates(path(choices, choices.point(frozenset()).price))
    seconds = [t.total_s for t in context.time_nodes([_made_up(source, p, context) for p in points])]
    best = int(np.argmin(seconds))
    if seconds[best] > (1 - SAVED) * seconds[0]:
        best = 0
    note = _note(step, floats.total_s, seconds[0], seconds[best], points[best])
    return {name: _why(name, costs) for name in sorted(points[best].released)}, (note,)


def _costs(whole: Point, graph: ir.Graph, source: Model, context: Context) -> Costs:
    """What every node costs in either form, and a border: from three graphs timed in turns."""
    assert context.time_nodes is not None
    choices = Choices(graph, whole.plan, context.policy, context.keep_float, {}, {}, None)
    mixed = choices.point(frozenset().union(*blocks(graph, whole.plan)[1::2]))
    made = [_made_up(source, point, context) for point in (whole, mixed)]
    floats, integers, alternating = context.time_nodes([source, *made])
    return costs_from(floats, integers, alternating, graph, mixed.plan)


def _candidates(found: Sequence[Point]) -> list[Point]:
    """Of the path: everything in integers, the cheapest point, and two between them by price."""
    cheapest = min(range(len(found)), key=lambda i: found[i].price)
    saved = found[0].price - found[cheapest].price
    wanted = [found[0].price - part * saved for part in (1 / 3, 2 / 3)]
    between = [next(i for i in range(cheapest + 1) if found[i].price <= price) for price in wanted]
    return [found[i] for i in dict.fromkeys((0, *between, cheapest))]


def _made_up(source: Model, point: Point, context: Context) -> Model:
    """The network with that much in integers, on ranges that mean nothing, to be timed."""
    model = to_ir(source)
    plan = place(model.graph, context.policy, context.keep_float, dict.fromkeys(point.released, "released"))
    grids = dict.fromkeys(plan.group.values(), affine(-1.0, 1.0))
    weights = {
        n: weight_params(n, "pc", context.policy.weight_bits) for n in plan.roles if weight_of(n) is not None
    }
    insert(model.graph, plan, grids, weights)
    return to_model(model, source)


def _note(step: Step, float_s: float, integer_s: float, chosen_s: float, chosen: Point) -> StepRecord:
    ms = {"float_ms": 1e3 * float_s, "int8_ms": 1e3 * integer_s, "chosen_ms": 1e3 * chosen_s}
    why = (
        f"this processor has no instructions for sums of 8-bit products: all in integers takes "
        f"{ms['int8_ms']:.2f} ms, {ms['int8_ms'] / max(ms['float_ms'], 1e-9):.2f} of float"
    )
    if chosen.released:
        why += f"; with {len(chosen.released)} nodes left float {ms['chosen_ms']:.2f} ms"
    return StepRecord(step.name, "", "note", why, dict(ms))


def _why(name: str, costs: Costs) -> str:
    float_ms, integer_ms = (1000 * costs.node_s(name, integer) for integer in (False, True))
    if float_ms < integer_ms:
        return f"faster in float on this processor: {float_ms:.3f} ms against {integer_ms:.3f} ms"
    return f"beside layers that are faster in float: {float_ms:.3f} ms against {integer_ms:.3f} ms"
