"""One mixed-precision model written down: a point of the allocator's path with a width for every weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import onnx_ir as ir

from paredown._compress.draft import Draft
from paredown._compress.pack import pack
from paredown._compress.quantize.placement.allocate import Point
from paredown._compress.quantize.placement.plan import Plan, place
from paredown._compress.quantize.ranges.choose import weight_params
from paredown._compress.quantize.rounding import gptq
from paredown._compress.quantize.weight_only import store
from paredown._compress.quantize.writing.insert import insert
from paredown._compress.quantize.writing.qdq import make_biases_real
from paredown._compress.recipe import Context
from paredown.graph.walk import constant, to_ir, to_model, weight_of
from paredown.model import Model
from paredown.numerics.quant_params import QuantParams

Choice = Literal["float", "w8", "w8a8", "w4a8"]
BESIDE = "left float beside a layer that is released"
BYTES: Mapping[Choice, float] = {"float": 4.0, "w8": 1.0, "w8a8": 1.0, "w4a8": 0.5}


@dataclass(frozen=True)
class Candidate:
    """A written model. plan, grids: of its own graph. damage: of grids and weights, estimated."""

    point: Point
    chosen: Mapping[str, Choice]
    damage: float
    plan: Plan
    grids: dict[str, QuantParams]
    draft: Draft = field(repr=False)
    model: Model = field(repr=False)


@dataclass(frozen=True)
class Writer:
    """What every candidate of one model shares. source: the float network. grid_of: tensor -> its grid.

    weight_bits: of W8A8 layers. why: node -> what the log says where it is released. ungated: the network
    without factors at its gates, which pay in integers only; None where it has none.
    """

    source: Model
    grid_of: Mapping[str, QuantParams]
    weight_bits: int
    context: Context
    why: Mapping[str, str] = field(default_factory=dict)
    ungated: Model | None = None

    def coarser(self) -> Writer:
        """Writes the same candidates with steps twice as wide everywhere: four times the damage."""
        grid_of = {tensor: coarser(grid) for tensor, grid in self.grid_of.items()}
        return replace(self, grid_of=grid_of, weight_bits=self.weight_bits - 1)

    def write(self, point: Point, chosen: Mapping[str, Choice], added: float = 0.0) -> Candidate:
        """The candidate. chosen: layer -> choice. added: damage that the point does not know of."""
        draft = Draft(to_ir(self.source), self.source)
        graph = draft.graph
        released = {name: self.why.get(name, BESIDE) for name in point.released}
        plan = place(graph, self.context.policy, self.context.keep_float, released)
        if not plan.roles and self.ungated is not None:
            return replace(self, source=self.ungated, ungated=None).write(point, chosen, added)
        grids = {group: self.grid_of[members[0]] for group, members in plan.members().items()}
        weights: dict[ir.Node, QuantParams] = {}
        for node in [n for n in graph if weight_of(n) is not None]:
            choice = chosen.get(str(node.name), "float")
            if node in plan.roles:
                bits = 4 if choice == "w4a8" else self.weight_bits
                weights[node] = weight_params(node, "pc", bits)
            elif choice == "w8":
                weight = np.asarray(constant(weight_of(node)), np.float32)
                store(graph, node, weight, weight_params(node, "pc", 8))
        draft.layers = insert(graph, plan, grids, weights)
        if "w4a8" in chosen.values():
            gptq.apply(gptq.SecondOrder(), draft, self.context)
            pack.apply(pack.Pack(), draft, self.context)
        return Candidate(point, chosen, point.damage + added, plan, grids, draft, self._opened(draft))

    def finished(self, made: Candidate) -> Candidate:
        """The candidate with its weights rounded by what they do to the layers' answers, where they are not.

        It takes longer than all else, and in 8 bits wins less than a judge can tell: those not chosen go
        without. No kernel's time changes.
        """
        if not made.draft.layers or "w4a8" in made.chosen.values():
            return made
        gptq.apply(gptq.SecondOrder(), made.draft, self.context)
        return replace(made, model=self._opened(made.draft))

    def _opened(self, draft: Draft) -> Model:
        """The model as the runtime takes it; the draft keeps its biases in integers for the steps behind."""
        made = to_model(draft.model, self.context.source)
        if not self.context.policy.real_biases:
            return made
        copy = to_ir(made)
        make_biases_real(copy.graph)
        return to_model(copy, made)


def coarser(grid: QuantParams) -> QuantParams:
    """The grid over the same range with half as many steps."""
    scale, zero = (2 * grid.scale).astype(np.float32), np.rint(grid.zero_point / 2).astype(np.int32)
    return replace(grid, scale=scale, zero_point=zero, low=grid.low // 2, high=grid.high // 2)


@dataclass(frozen=True)
class Weights:
    """The weights there is a choice for: node -> number of values, and damage in 8 and in 4 bits.

    stored8: whether the runtime opens weights in 8 bits where it computes in float: else W8 is no choice.
    """

    size: Mapping[str, int]
    damage8: Mapping[str, float]
    damage4: Mapping[str, float]
    stored8: bool = True


def plain_choices(point: Point, weights: Weights, room: float) -> tuple[dict[str, Choice], float]:
    """W8A8 for layers in integers; of the others W8 for those where it adds least damage, else float.

    Also the damage added, at most `room`: the file is smaller for it, and as fast.
    """
    integer = {str(n.name) for n in point.plan.roles}
    chosen: dict[str, Choice] = {name: "w8a8" if name in integer else "float" for name in weights.size}
    added, floats = 0.0, [n for n, size in weights.size.items() if n not in integer and size >= pack.WORTH]
    if not weights.stored8:
        return chosen, added
    for name in sorted(floats, key=lambda n: weights.damage8[n] / weights.size[n]):
        if added + weights.damage8[name] > room:
            break
        chosen[name] = "w8"
        added += weights.damage8[name]
    return chosen, added


def narrowed(
    chosen: Mapping[str, Choice], weights: Weights, bytes_to_save: float
) -> tuple[dict[str, Choice], float]:
    """The choices that save at least so many bytes for the least damage, and the damage added.

    W8A8 becomes W4A8 and float becomes weight-only W8, in the order of damage added for each byte saved.
    Where even all of them save less, all are taken.
    """
    options: list[tuple[float, float, str, Choice]] = []
    for name, choice in chosen.items():
        if weights.size[name] < pack.WORTH:
            continue
        if choice == "w8a8":
            options.append(
                _option(name, "w4a8", choice, weights, weights.damage4[name] - weights.damage8[name])
            )
        elif choice == "float" and weights.stored8:
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
