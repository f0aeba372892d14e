"""What `mixed` writes into the log: for every layer its choice, the figures behind it, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from paredown._compress.mixed.candidate import Candidate, Choice, Weights
from paredown._compress.mixed.verify import Verified
from paredown._compress.quantize.placement.allocate import Choices, blocks
from paredown._compress.quantize.placement.costs import CROWDED
from paredown._compress.quantize.static import records
from paredown._compress.recipe import Context, Step
from paredown.agreement import is_agreement
from paredown.graph.walk import weight_of
from paredown.measurement import StepRecord

SHOWN: Mapping[Choice, str] = {"float": "float", "w8": "W8", "w8a8": "W8A8", "w4a8": "W4A8"}


def reasons(choices: Choices) -> dict[str, str]:
    """Node -> why it is float, where it is released: its layer's damage, and its latency both ways."""
    found: dict[str, str] = {}
    for unit in blocks(choices.graph, choices.base):
        why = (
            f"left float: its grids put noise of {grids_damage(choices, unit):.2%} of the signal on the heads"
        )
        if choices.costs is not None:
            floats, integers = (1e3 * sum(choices.costs.node_s(n, i) for n in unit) for i in (False, True))
            why += f"; {floats:.3f} ms in float, {integers:.3f} ms in integers"
        found |= dict.fromkeys(unit, why)
    return found


def grids_damage(choices: Choices, unit: frozenset[str]) -> float:
    """The damage of the grids of all that these nodes write."""
    made = [str(v.name) for n in choices.graph if str(n.name) in unit for v in n.outputs]
    return sum(choices.grid_damage.get(tensor, 0.0) for tensor in made)


def layer_records(step: Step, made: Candidate, choices: Choices, weights: Weights) -> tuple[StepRecord, ...]:
    """One record for every node of the float graph; those of layers hold the figures of the choice."""
    bits = {
        node: (4 if made.chosen.get(str(node.name)) == "w4a8" else 8, "")
        for node in made.plan.roles
        if weight_of(node) is not None or str(node.name) in made.chosen
    }
    figures = _figures(made, choices, weights)
    place = {str(n.name): i for i, n in enumerate(choices.graph)}
    log = []
    for record in sorted(records(step, made.plan, made.grids, bits), key=lambda r: place[r.where]):
        data = figures.get(record.where, {})
        why = f"{data['choice']}: {record.why}" if data else record.why
        log.append(StepRecord(record.step, record.where, record.action, why, {**record.data, **data}))
    return tuple(log)


def _figures(made: Candidate, choices: Choices, weights: Weights) -> dict[str, dict[str, object]]:
    """Layer -> its choice, damage of grids and weight, bytes, and milliseconds in float and in integers."""
    found: dict[str, dict[str, object]] = {}
    for unit in blocks(choices.graph, choices.base):
        for name in unit & weights.size.keys():
            found[name] = {
                "choice": SHOWN[made.chosen[name]],
                "damage": grids_damage(choices, unit),
                "damage_w8": weights.damage8[name],
                "damage_w4": weights.damage4[name],
                "weights": weights.size[name],
            }
            if choices.costs is not None:
                for key, integer in (("float_ms", False), ("int8_ms", True)):
                    found[name][key] = 1e3 * sum(choices.costs.node_s(n, integer) for n in unit)
    return found


def summary_records(
    step: Step, made: Candidate, tried: Sequence[Verified], held: str, choices: Choices, context: Context
) -> tuple[StepRecord, ...]:
    """What was chosen for the whole and by which figures; then every candidate that was judged.

    held: the limit that they were held to, in words; "" where none was judged.
    """
    counts = Counter(SHOWN[choice] for choice in made.chosen.values())
    words, figures = _latency(made, choices, context)
    parts = [
        ", ".join(f"{n} layers {name}" for name, n in counts.items()),
        f"noise at the heads estimated at {made.damage:.2%} of the signal",
        words,
        *([held] if held else []),
    ]
    if context.judge is None:
        parts.append("not judged on detections: there was nothing to judge on")
    data = {"choices": dict(counts), "damage": made.damage, **figures}
    return (
        StepRecord(step.name, "", "note", "; ".join(parts), data),
        *(_judged(step, v, v.candidate is made) for v in tried),
    )


def _metric(name: str) -> str:
    return "agreement with the float model" if is_agreement(name) else name


def _judged(step: Step, verified: Verified, chosen: bool) -> StepRecord:
    lost = verified.lost
    why = (
        f"a candidate with {verified.damage:.2%} of noise lost {lost.points:.2f} +- {lost.noise:.2f} points "
        f"of {_metric(lost.metric)} on {lost.images}; {verified.expected:.2f} are expected of it"
    )
    data = {
        "damage": verified.damage,
        "points": lost.points,
        "noise": lost.noise,
        "expected": verified.expected,
        "metric": lost.metric,
        "chosen": chosen,
    }
    return StepRecord(step.name, "", "note", f"{why}: chosen" if chosen else why, data)


def _latency(made: Candidate, choices: Choices, context: Context) -> tuple[str, dict[str, object]]:
    """What one inference is estimated and timed to take, in words and in milliseconds."""
    costs = choices.costs
    if costs is None or context.time_nodes is None:
        where = f"no times of nodes of {context.policy.name} on {context.device.name!r}"
        return f"latency not known ({where} at hand): every layer has the same price", {}
    figures = {
        "latency_ms": 1e3 * made.point.price,
        "int8_ms": 1e3 * choices.point(frozenset()).price,
        "float_ms": 1e3 * sum(costs.node_s(str(n.name), False) for n in choices.graph),
    }
    mine, integers, floats = figures.values()
    timed = context.time_nodes([made.model])[0]
    words = (
        f"{mine:.2f} ms estimated from the nodes' own times, {1e3 * timed.latency_s:.2f} ms timed, "
        f"{integers:.2f} ms with all in integers, {floats:.2f} ms in float; {costs.unmapped:.1%} of the time "
        "belongs to no node"
    )
    if timed.others > CROWDED:
        words += f"; other processes used {timed.others:.0%} of the cores meanwhile: little of this is sure"
    return words, {**figures, "timed_ms": 1e3 * timed.latency_s, "border_ns_per_value": 1e9 * costs.border_s}
