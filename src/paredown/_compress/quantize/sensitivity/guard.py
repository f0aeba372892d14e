"""The guard: what local error cannot see is measured at the model's heads, and put right there.

A grid chosen by the error on its own tensor can still ruin the answer: rare large values may not be worth the
steps they take from the bulk, or a depthwise convolution behind may amplify what little was lost in a quiet
channel. So every grid is measured alone at the heads; the worst get the range that does least damage there.
What is still too much is released: the nodes around that tensor stay float, with its figures in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from paredown._compress.quantize.placement.branches import unsuppressed_branches
from paredown._compress.quantize.placement.plan import Plan, place
from paredown._compress.quantize.ranges.choose import pool
from paredown._compress.quantize.sensitivity.activations import (
    Behind,
    Switched,
    damage_alone,
    with_most_objects,
)
from paredown._compress.recipe import Context
from paredown.graph.walk import consumers
from paredown.model import Model
from paredown.numerics.quant_params import QuantParams, spanning
from paredown.numerics.ranges import Seen
from paredown.protocols import Feeds

BUDGET = 0.05  # noise-to-signal at the heads, that costs little in mAP: benchmarks/constants.py
UNSUPPRESSED = 0.01  # the same where no NMS forgives it: set by hand on one model, docs/int8.md
FLOOR = BUDGET / 50  # damage of one grid that is not worth a search
WORST = 24  # most grids whose range is searched
IMAGES = 3  # for a figure; the first screening uses one: damages differ by factors
LADDER = (0.8, 0.62, 0.48, 0.37, 0.28, 0.2)  # fractions of the range found so far that a search tries


@dataclass(frozen=True)
class Guarded:
    """The plan and grids after the guard.

    alone: group -> its damage alone, in the end. released: node -> why.
    before, after: damage of all groups together. images: those it was read on.
    branches: those of the released that stand behind the last node that heads share.
    """

    plan: Plan
    grids: dict[str, QuantParams]
    alone: dict[str, float]
    released: dict[str, str]
    before: float
    after: float
    images: tuple[Feeds, ...] = ()
    branches: frozenset[str] = frozenset()


def guard(
    graph: ir.Graph,
    model: Model,
    plan: Plan,
    grids: dict[str, QuantParams],
    seen: Mapping[str, Seen],
    context: Context,
    *,
    release: bool = True,
) -> Guarded:
    """The plan with the damage at the heads brought towards `BUDGET`. model: the graph, serialized.

    release: whether what is still too much may be left float; else only the ranges are searched.
    """
    heads = heads_of(plan, graph)
    switched = Switched(model, plan, grids, heads, context.threads)
    search = _Search(switched, with_most_objects(model, heads, context, IMAGES), dict(grids))
    before = switched.damage(search.images, switched.groups, grids)
    switched.close()  # parts are asked for a while, and are sessions enough
    search.alone = damage_alone(switched, search.images[0], grids, FLOOR)
    worst = [g for g in search.ranked()[:WORST] if search.alone[g] > FLOOR and grids[g].axis is None]
    for group in context.progress(worst, "searching ranges by damage"):
        search.refine(group, pool([seen[m] for m in plan.members()[group]]))
    released, after = search.release() if release else ([], search.together(switched.groups))
    why = {n: text for g in released for n, text in _around(graph, plan, g, search.alone[g]).items()}
    branches: dict[str, str] = {}
    if release and after > UNSUPPRESSED:
        branches, own = _branches(graph, plan, after)
        after = search.together([g for g in switched.groups if g not in {*released, *own}]) if own else after
    new, why = _without(graph, plan, why | branches, context)
    carried = {group: search.grids[plan.group[members[0]]] for group, members in new.members().items()}
    figures = (search.alone, why, float(before.mean()), after)
    return Guarded(new, carried, *figures, tuple(search.images), frozenset(branches))


@dataclass
class _Search:
    switched: Switched
    images: list[Feeds]
    grids: dict[str, QuantParams]
    alone: dict[str, float] = field(default_factory=dict)

    def together(self, on: list[str]) -> float:
        return float(self.switched.damage(self.images, on, self.grids).mean())

    def ranked(self) -> list[str]:
        return sorted(self.alone, key=lambda g: -self.alone[g])

    def refine(self, group: str, whole: Seen) -> None:
        """Give one group the range of least damage: the extremes, or its own with an end pulled in."""
        behind = Behind(self.switched, [group], self.images, self.grids)
        best = behind.damage(self.images, (group,), self.grids)

        def better(grid: QuantParams) -> bool:
            """Keeps the grid if it gains more than chance, an image being as good as another."""
            nonlocal best
            trial = {**self.grids, group: grid}
            damage = np.empty_like(best)
            for i, image in enumerate(self.images):
                damage[i] = behind.damage([image], (group,), trial)[0]
                if damage[: i + 1].sum() >= best[: i + 1].sum():
                    return False
            gain = best - damage
            if gain.mean() <= gain.std() / np.sqrt(len(gain)):
                return False
            self.grids[group], best = grid, damage
            return True

        _search(self.grids[group], whole, better)
        self.alone[group] = float(best.mean())

    def release(self) -> tuple[list[str], float]:
        """The fewest groups, worst first, without which the budget is kept; the damage of all others."""
        ranked = self.ranked()
        released: list[str] = []
        after = self.together(ranked)
        while after > BUDGET and self.alone[ranked[len(released)]] > BUDGET / 10:
            released.append(ranked[len(released)])
            after = self.together(ranked[len(released) :])
        return released, after


def _search(grid: QuantParams, whole: Seen, better: Callable[[QuantParams], bool]) -> None:
    """Tries the extremes, then the range found with one end pulled in, then the other."""
    signed = grid.low < 0
    low, high = (float(b) for b in grid.bounds())
    if abs(whole.low) < abs(whole.high) / 50:  # SiLU's shallow lobe: on a coarse grid it is lost
        low = whole.low
    better(spanning(whole.low, whole.high, signed=signed))
    ends = ("high", "low") if whole.high >= -whole.low else ("low", "high")
    for end in ends:
        start, worse = (low, high), 0
        for fraction in LADDER:
            trial = (start[0], start[1] * fraction) if end == "high" else (start[0] * fraction, start[1])
            if better(spanning(*trial, signed=signed)):
                (low, high), worse = trial, 0
            else:
                worse += 1
            if worse == 2:  # close to unimodal: past the best
                break


def heads_of(plan: Plan, graph: ir.Graph) -> list[str]:
    """Where damage is read: what convolutions hand to the tail, else what leaves the integer part."""
    if plan.heads:
        return sorted(plan.heads)
    found = [
        str(value.name)
        for node in plan.roles
        for value in node.outputs
        if str(value.name) in plan.group and not all(r in plan.roles for r in consumers(value) or (None,))
    ]
    return found or [str(v.name) for v in graph.outputs]


def _without(
    graph: ir.Graph, plan: Plan, why: dict[str, str], context: Context
) -> tuple[Plan, dict[str, str]]:
    """The plan with these nodes left float, and with them what would write a tensor that has no grid, because
    that stood behind an activation function now float."""
    while why:
        new = place(graph, context.policy, context.keep_float, why)
        bare = new.group.keys() - plan.group.keys()
        more = [str(n.name) for n in new.roles if not bare.isdisjoint(str(v.name) for v in n.outputs)]
        if not more:
            return new, why
        why = {**why, **dict.fromkeys(more, "beside a function that is left float")}
    return plan, why


def _branches(graph: ir.Graph, plan: Plan, noise: float) -> tuple[dict[str, str], set[str]]:
    """The nodes of heads that nothing suppresses, by name, with the reason; the groups they alone write."""
    nodes, share = unsuppressed_branches(graph, plan)
    why = (
        f"no NMS stands behind this head, and {noise:.1%} of noise is too much for scores that alone tell an "
        f"object from its neighbours; {share:.0%} of all operations; its weight may be stored in 8 bits"
    )
    written = {str(v.name) for node in nodes for v in node.outputs}
    own = {group for group, tensors in plan.members().items() if written >= {*tensors}}
    return {str(node.name): why for node in nodes}, own


def _around(graph: ir.Graph, plan: Plan, group: str, damage: float) -> dict[str, str]:
    """The integer nodes that write or read a group's tensors, by name, with the reason."""
    members = set(plan.members()[group])
    why = f"the grid of {group!r} alone puts noise of {damage:.1%} of the signal on the heads"
    near = [
        n
        for node in graph
        for value in node.outputs
        if str(value.name) in members
        for n in (node, *consumers(value))
    ]
    return {str(n.name): why for n in near if n in plan.roles}
