"""Placement by measured cost: what this processor computes faster in float stays float.

Without instructions that sum products of 8-bit numbers (VNNI, dotprod) integer kernels are often slower than
float ones; with them, too, small and depthwise layers have little to multiply, and an activation that floats
fuse into their convolution is a kernel of its own. What a kernel takes does not depend on scales, so the
network is timed on made-up ranges, node by node, before anything is calibrated: in float, as it was before
`gates` put factors into it, and in integers. Where integers take clearly less, that is all. Else blocks of
layers go to float one by one, each time the one that saves most, what conversions cost at the borders
counted, until none saves anything (allocate.py, costs.py). Sums over nodes do not know which layouts
neighbours share, so the last word has the clock: some points of that path and the float network are timed
whole.

Times taken beside other work are no times of this processor: float, which moves four times the bytes, suffers
more than integers. Then nothing is chosen by them, and the log says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import onnx_ir as ir

from paredown._compress.quantize.placement.allocate import Choices, Point, blocks, path
from paredown._compress.quantize.placement.costs import CROWDED, Costs, costs_from
from paredown._compress.quantize.placement.plan import Plan, place
from paredown._compress.quantize.ranges.choose import weight_params
from paredown._compress.quantize.writing.insert import insert
from paredown._compress.recipe import Context, Step
from paredown.graph.walk import data_inputs, to_ir, to_model, weight_of
from paredown.measurement import StepRecord
from paredown.model import Model
from paredown.numerics.quant_params import affine
from paredown.protocols import NodeTimes

CLEARLY = 0.7  # of float's time: where everything in integers takes less, nothing better is looked for
SAVED = 0.05  # of the latency: what saves less is not told from noise, and the plainer choice is kept


def faster_in_float(
    step: Step, plan: Plan, graph: ir.Graph, source: Model, plain: Model, context: Context
) -> tuple[dict[str, str], tuple[StepRecord, ...]]:
    """Node name -> why it stays float, for all that float computes faster, and a note with the times.

    Nothing where the processor is not at hand to be timed; a note alone where others keep it busy.

    plan: everything in integers that can be. source: the graph, serialized. plain: that without factors at
    its gates.
    """
    if context.time_nodes is None:
        return {}, ()
    choices = Choices(graph, plan, context.policy, context.keep_float, {}, {}, None)
    points = [choices.point(frozenset())]
    times = context.time_nodes([plain, _made_up(source, points[0], context)])
    costs = Costs(times[0].seconds, times[1].seconds, 0.0, 0.0)
    if not _crowded(times) and _may_be_faster(graph, *times):
        costs = _costs(points[0], graph, source, context)
        choices = replace(choices, costs=costs)
        found = path(choices, saving=True)
        if found[-1].price < (1 - SAVED) * found[0].price:
            points = _candidates(found)
            times = context.time_nodes([plain, *(_made_up(source, p, context) for p in points)])
    if _crowded(times):
        return {}, (_not_asked(step, times),)
    floats, *seconds = (t.latency_s for t in times)
    points.append(choices.point(frozenset(str(n.name) for n in plan.roles)))
    best = _best([*seconds, floats])
    note = _note(step, floats, seconds[0], [*seconds, floats][best], points[best])
    return {name: _why(name, costs) for name in sorted(points[best].released)}, (note,)


def _may_be_faster(graph: ir.Graph, floats: NodeTimes, integers: NodeTimes) -> bool:
    """Whether a mixture is worth the search: integers are not clearly faster, and if every layer, with all
    that follows it, took its quicker form and no border cost anything, twice of what must be saved would be.
    Half of that is real."""
    if integers.latency_s < CLEARLY * floats.latency_s:
        return False
    best_s = sum(
        min(sum(times.seconds.get(str(n.name), 0.0) for n in unit) for times in (floats, integers))
        for unit in _layers(graph)
    )
    return best_s < (1 - 2 * SAVED) * min(floats.total_s, integers.total_s)


def _layers(graph: ir.Graph) -> list[list[ir.Node]]:
    """All nodes, each with the layer that its first input comes from. Times of one kernel stay together so,
    whichever of its nodes they count for."""
    layer: dict[ir.Node, ir.Node] = {}
    found: dict[ir.Node, list[ir.Node]] = {}
    for node in graph:
        before = [layer[p] for v in data_inputs(node) if (p := v.producer()) is not None]
        layer[node] = node if weight_of(node) is not None or not before else before[0]
        found.setdefault(layer[node], []).append(node)
    return list(found.values())


def _best(seconds: Sequence[float]) -> int:
    """Which one is taken. The first is all in integers, the last all in float, what is between is mixed.

    What is not clearly faster than a plainer one does not take its place: mixtures are the least plain.
    """
    plain = 0 if seconds[-1] > (1 - SAVED) * seconds[0] else len(seconds) - 1
    mixed = min(range(1, len(seconds) - 1), key=seconds.__getitem__, default=plain)
    return mixed if seconds[mixed] < (1 - SAVED) * seconds[plain] else plain


def _costs(whole: Point, graph: ir.Graph, source: Model, context: Context) -> Costs:
    """What every node costs in either form, and a border: from three graphs timed in turns."""
    assert context.time_nodes is not None
    choices = Choices(graph, whole.plan, context.policy, context.keep_float, {}, {}, None)
    mixed = choices.point(frozenset().union(*blocks(graph, whole.plan)[1::2]))
    made = [_made_up(source, point, context) for point in (whole, mixed)]
    floats, integers, alternating = context.time_nodes([source, *made])
    return costs_from(floats, integers, alternating, graph, mixed.plan)


def _candidates(found: Sequence[Point]) -> list[Point]:
    """Of the path: all in integers, the cheapest point, and two between them by price; not all in float."""
    saved = found[0].price - found[-1].price
    wanted = [found[0].price - part * saved for part in (1 / 3, 2 / 3)]
    between = [next(i for i, p in enumerate(found) if p.price <= price) for price in wanted]
    return [found[i] for i in dict.fromkeys((0, *between, len(found) - 1)) if found[i].plan.roles]


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


def _crowded(times: Sequence[NodeTimes]) -> bool:
    return max(t.others for t in times) > CROWDED


def _not_asked(step: Step, times: Sequence[NodeTimes]) -> StepRecord:
    others = max(t.others for t in times)
    why = (
        "what float computes faster was not looked for, all that can be is in integers: other processes "
        f"used {others:.0%} of the cores while it was timed"
    )
    return StepRecord(step.name, "", "note", why, {"others": others})


def _note(step: Step, float_s: float, integer_s: float, chosen_s: float, chosen: Point) -> StepRecord:
    ms = {"float_ms": 1e3 * float_s, "int8_ms": 1e3 * integer_s, "chosen_ms": 1e3 * chosen_s}
    why = (
        f"on this processor all in integers takes {ms['int8_ms']:.2f} ms, "
        f"{ms['int8_ms'] / max(ms['float_ms'], 1e-9):.2f} of float"
    )
    if chosen.released and chosen.plan.roles:
        why += f"; with {len(chosen.released)} nodes left float {ms['chosen_ms']:.2f} ms"
    elif chosen.released:
        why += "; so all of it stays float"
    return StepRecord(step.name, "", "note", why, dict(ms))


def _why(name: str, costs: Costs) -> str:
    float_ms, integer_ms = (1000 * costs.node_s(name, integer) for integer in (False, True))
    if float_ms < integer_ms:
        return f"faster in float on this processor: {float_ms:.3f} ms against {integer_ms:.3f} ms"
    return f"beside layers that are faster in float: {float_ms:.3f} ms against {integer_ms:.3f} ms"
