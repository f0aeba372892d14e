"""One mixed-precision model written down: a point of the allocator's path with a width for every weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import onnx_ir as ir

from paredown.compress.pack import int4
from paredown.compress.quantize import rounding
from paredown.compress.quantize.allocate import Point
from paredown.compress.quantize.placement import ORT_CPU, Plan, place
from paredown.compress.quantize.static import LIMIT_STEPS, insert, weight_grid
from paredown.compress.quantize.weight_only import store
from paredown.compress.quantize.write import FLOAT
from paredown.compress.recipe import Context
from paredown.graph.walk import constant, to_ir, to_model, weight_of
from paredown.model import Model
from paredown.numerics.grid import Grid

Choice = Literal["float", "w8", "w8a8", "w4a8"]
BYTES: Mapping[Choice, float] = {"float": 4.0, "w8": 1.0, "w8a8": 1.0, "w4a8": 0.5}


@dataclass(frozen=True)
class Writer:
    """What every candidate of one model shares. grid_of: tensor -> its grid. source: the float network."""

    source: Model
    grid_of: Mapping[str, Grid]
    context: Context

    def write(self, point: Point, chosen: Mapping[str, Choice], why: Mapping[str, str]) -> Candidate:
        """The candidate. chosen: layer -> choice. why: node -> reason, for those released."""
        model = to_ir(self.source)
        model.meta[FLOAT] = self.source
        graph = model.graph
        released = {name: why.get(name, "left float beside its neighbours") for name in point.released}
        plan = place(graph, ORT_CPU, self.context.keep_float, released)
        grids = {group: self.grid_of[members[0]] for group, members in plan.members().items()}
        for node in [n for n in graph if chosen.get(str(n.name)) == "w8" and n not in plan.roles]:
            store(graph, node, np.asarray(constant(weight_of(node)), np.float32), weight_grid(node, "pc", 8))
        bits = {
            n: self._bits(chosen.get(str(n.name), "w8a8")) for n in plan.roles if weight_of(n) is not None
        }
        insert(
            graph,
            plan,
            grids,
            {n: weight_grid(n, "pc", b, LIMIT_STEPS * (b < 7)) for n, b in bits.items()},
        )
        if "w4a8" in chosen.values():
            model, _ = rounding.apply(rounding.SecondOrder(), model, self.context)
            model, _ = int4.apply(int4.Pack(), model, self.context)
        return Candidate(point, chosen, plan, grids, model, to_model(model, self.context.source))

    def _bits(self, choice: Choice) -> int:
        return 4 if choice == "w4a8" else self.context.profile.weight_bits


@dataclass(frozen=True)
class Candidate:
    """A written model. plan, grids: of its own graph."""

    point: Point
    chosen: Mapping[str, Choice]
    plan: Plan
    grids: dict[str, Grid]
    graph: ir.Model = field(repr=False)
    model: Model = field(repr=False)


@dataclass(frozen=True)
class Weights:
    """The weights there is a choice for: node -> number of values, and damage in 8 and in 4 bits."""

    size: Mapping[str, int]
    damage8: Mapping[str, float]
    damage4: Mapping[str, float]


def plain_choices(point: Point, weights: Weights, enough: float) -> dict[str, Choice]:
    """Eight bits everywhere: in float layers too, where that does no damage to speak of."""
    integer = {str(n.name) for n in point.plan.roles}

    def choice(name: str) -> Choice:
        if name in integer:
            return "w8a8"
        small = weights.size[name] < int4.WORTH
        return "float" if small or weights.damage8[name] > enough else "w8"

    return {name: choice(name) for name in weights.size}


def narrowed(
    chosen: Mapping[str, Choice], weights: Weights, bytes_to_save: float
) -> tuple[dict[str, Choice], float]:
    """The choices that save at least so many bytes for the least damage, and the damage added.

    W8A8 becomes W4A8 and float becomes weight-only W8, in the order of damage added for each byte saved.
    Where even all of them save less, all are taken.
    """
    options: list[tuple[float, float, str, Choice]] = []
    for name, choice in chosen.items():
        if weights.size[name] < int4.WORTH:
            continue
        if choice == "w8a8":
            options.append(
                _option(name, "w4a8", choice, weights, weights.damage4[name] - weights.damage8[name])
            )
        elif choice == "float":
            options.append(_option(name, "w8", choice, weights, weights.damage8[name]))
    after, added, saved = dict(chosen), 0.0, 0.0
    for per_byte, bytes_saved, name, choice in sorted(options):
        if saved >= bytes_to_save:
            break
        after[name] = choice
        saved += bytes_saved
        added += per_byte * bytes_saved
    return after, added


def _option(
    name: str, new: Choice, old: Choice, weights: Weights, damage: float
) -> tuple[float, float, str, Choice]:
    saved = (BYTES[old] - BYTES[new]) * weights.size[name]
    return max(damage, 0.0) / saved, saved, name, new


def with_damage(point: Point, added: float) -> Point:
    """The point with the damage of narrower weights."""
    return replace(point, damage=point.damage + added)
