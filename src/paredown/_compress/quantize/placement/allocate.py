"""Which layers stay in integers: a path from all of them to none, each step the best bargain left.

A move leaves one layer float, with the element-wise nodes behind it, or all layers around one tensor whose
grid does damage. Of all moves that one is made which takes most damage away for the latency that it adds;
moves that cost no latency come first. The path is walked once; a limit picks a point of it.

Source: Pandey et al. 2023, "A Practical Mixed Precision Algorithm for Post-Training Quantization", arXiv
2302.05397: sensitivity of every quantizer alone at the network's output, then a greedy list, flipped until
the accuracy limit is met.
Differs from the source: it walks from integers to float; the price is the latency measured node by node,
borders included, not bit operations; a move frees what stands around a tensor together, because one float
layer among integer ones gains nothing where both of its neighbours round the tensors between.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from paredown._compress.quantize.placement.costs import Costs
from paredown._compress.quantize.placement.plan import Plan, place
from paredown.graph.walk import consumers, data_inputs, weight_of
from paredown.policy import Policy

ALIKE = 0.05  # of a price: what estimates, layouts and a busy device blur anyway
_BEHIND = frozenset({"Sigmoid", "HardSigmoid", "Mul", "LeakyRelu", "Relu", "Clip"})  # belong to the layer


@dataclass(frozen=True)
class Point:
    """One way to compute the model. released: names of the nodes left float by choice."""

    released: frozenset[str]
    plan: Plan
    damage: float
    price: float  # seconds, or layers left float where no latency is known


@dataclass(frozen=True)
class Choices:
    """What the allocator chooses from.

    base: the plan with everything in integers that can be. grid_damage: tensor -> damage of its grid.
    weight_damage: node -> damage of its weight in 8 bits.
    """

    graph: ir.Graph
    base: Plan
    policy: Policy
    keep_float: tuple[str, ...]
    grid_damage: Mapping[str, float]
    weight_damage: Mapping[str, float]
    costs: Costs | None

    def point(self, released: frozenset[str]) -> Point:
        """The plan without these nodes, its damage and its price.

        More is released with them: what would write a tensor without a grid, because that stood behind an
        activation function now float; and all of it, where no layer is left and the rest only moves values.
        """
        why = dict.fromkeys(released, "released")
        plan = self.base
        if released:
            plan = place(self.graph, self.policy, self.keep_float, why, plan.parts)
        bare = plan.group.keys() - self.base.group.keys()
        more = {str(n.name) for n in plan.roles if not bare.isdisjoint(str(v.name) for v in n.outputs)}
        if plan.roles and not any(weight_of(n) is not None for n in plan.roles):
            more = {str(n.name) for n in plan.roles}
        if more:
            return self.point(released | more)
        damage = sum(self.grid_damage.get(tensor, 0.0) for tensor in plan.group)
        damage += sum(self.weight_damage.get(str(node.name), 0.0) for node in plan.roles)
        return Point(released, plan, damage, self._price(plan))

    def _price(self, plan: Plan) -> float:
        if self.costs is not None:
            return self.costs.latency_s(self.graph, plan)
        return float(sum(n in self.base.roles and n not in plan.roles for n in self.graph if weight_of(n)))


def blocks(graph: ir.Graph, plan: Plan) -> list[frozenset[str]]:
    """Every layer in integers with the element-wise nodes that read nothing but it, by node name."""
    owner: dict[ir.Node, ir.Node] = {}
    for node in graph:
        if node not in plan.roles:
            continue
        if weight_of(node) is not None:
            owner[node] = node
        elif node.op_type in _BEHIND:
            sources = {owner.get(p) if (p := v.producer()) is not None else None for v in data_inputs(node)}
            if len(sources) == 1 and (only := sources.pop()) is not None:
                owner[node] = only
    found: dict[ir.Node, set[str]] = {}
    for node, layer in owner.items():
        found.setdefault(layer, set()).add(str(node.name))
    return [frozenset(names) for names in found.values()]


def moves(choices: Choices) -> list[frozenset[str]]:
    """What may be left float together: every block, and all that stands around one group of tensors."""
    units = blocks(choices.graph, choices.base)
    unit_of = {name: unit for unit in units for name in unit}
    found = list(units)
    for members in choices.base.members().values():
        if any(choices.grid_damage.get(m, 0.0) > 0 for m in members):
            near = around(choices.graph, choices.base, members)
            found.append(frozenset().union(*(unit_of.get(name, {name}) for name in near)))
    return list(dict.fromkeys(move for move in found if move))


def around(graph: ir.Graph, plan: Plan, tensors: Iterable[str]) -> list[str]:
    """The integer nodes that write or read any of the tensors."""
    wanted = set(tensors)
    values = [v for v in (*graph.inputs, *(o for n in graph for o in n.outputs)) if str(v.name) in wanted]
    near = [n for v in values for n in (v.producer(), *consumers(v)) if n is not None and n in plan.roles]
    return [str(n.name) for n in dict.fromkeys(near)]


def path(choices: Choices, most: float = math.inf, *, saving: bool = False) -> list[Point]:
    """From everything in integers to everything float; each point leaves more float than the one before.

    most: a price that no point behind the first may exceed; the path then leaves out what does. saving: ends
    where no move lowers the price any more.
    """
    current = choices.point(frozenset())
    found, left = [current], moves(choices)
    gains: dict[frozenset[str], tuple[bool, float]] = {}
    stale = left
    neighbours = _neighbours(choices.graph)
    while left:
        for move in stale:
            gains[move] = _gain(current, choices.point(current.released | move))
        best = max(left, key=gains.__getitem__)
        after = choices.point(current.released | best)
        if saving and after.price >= current.price:
            return found
        if after.price > max(most, current.price):
            left, stale = [move for move in left if move != best], []
            continue
        changed = {str(n.name) for n in current.plan.roles.keys() - after.plan.roles.keys()} | best
        near = changed.union(*(neighbours.get(name, ()) for name in changed))
        current = after
        found.append(current)
        gone = {str(n.name) for n in choices.base.roles} - {str(n.name) for n in current.plan.roles}
        left = [move for move in left if not move <= gone]
        stale = [move for move in left if move & near]
    return found


def front(points: Sequence[Point]) -> list[Point]:
    """The points that none beats in both, the cheapest first: damage falls as the price rises.

    Of points whose prices nobody could tell apart on the device, only the last is kept.
    """
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (p.price, p.damage)):
        if not best or point.damage < best[-1].damage:
            best.append(point)
    kept: list[Point] = []
    cheapest = -math.inf
    for point in best:
        if point.price <= cheapest * (1 + ALIKE):
            kept[-1] = point
        else:
            kept.append(point)
            cheapest = point.price
    return kept


def _gain(before: Point, after: Point) -> tuple[bool, float]:
    """What a move brings, to be compared: those at no price first, then by damage taken for the price."""
    price, damage = after.price - before.price, before.damage - after.damage
    if price < 0 or (price == 0 and damage > 0):
        return True, -price
    return False, damage / price if price else 0.0


def _neighbours(graph: ir.Graph) -> dict[str, set[str]]:
    """Node -> the nodes one tensor away."""
    found: dict[str, set[str]] = {str(n.name): set() for n in graph}
    for node in graph:
        for value in data_inputs(node):
            producer = value.producer()
            for other in ([producer] if producer is not None else []) + consumers(value):
                if other is not node:
                    found[str(node.name)].add(str(other.name))
                    found[str(other.name)].add(str(node.name))
    return found
