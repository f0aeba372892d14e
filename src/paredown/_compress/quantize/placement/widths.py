"""How many bits each weight gets when most of them get few: where eight cost little, eight stay.

The first layers read pixels and the heads answer: their errors reach everything (Choi et al. 2018, arXiv
1805.06085, and nearly everyone since leaves them at 8 bits). A depthwise convolution has a handful of weights
for each channel: nothing averages their errors out. And the smallest layers, which in a detector are the
early ones, hold together next to none of the weights: few bits save nothing there, their errors hurt as much
as any.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import onnx_ir as ir

from paredown._compress.quantize.placement.plan import Plan
from paredown.graph.walk import constant, is_depthwise, upstream, weight_of

# Of all weights: the smallest layers that together hold less keep 8 bits. Varied by benchmarks/constants.py.
SMALL_SHARE = 0.08

Width = tuple[int, str]
"""Bits of a weight, and why they differ from what the step asks for ("" where they do not)."""

Layers = Literal["", "all", "ends"]
"""Which layers get few bits: those that allow it, all, or all but the first ones and the heads."""


def widths(plan: Plan, bits: int, most: int, layers: Layers) -> dict[ir.Node, Width]:
    """The width of every weight in the plan. bits: asked for. most: what the device allows."""
    nodes = [n for n in plan.roles if weight_of(n) is not None]
    if bits >= most or layers == "all":
        return dict.fromkeys(nodes, (min(bits, most), ""))
    reasons = _small(nodes) if layers == "" else {}
    for node in nodes:
        if why := _end(node, plan) or (_fragile(node) if layers == "" else ""):
            reasons[node] = why
    return {n: (most, reasons[n]) if n in reasons else (bits, "") for n in nodes}


def spared(
    width: Mapping[ir.Node, Width], damage: Mapping[ir.Node, float], share: float, most: int
) -> dict[ir.Node, Width]:
    """The widths with `most` bits for layers that damage most for each of their weights.

    damage: of the layers that have few bits. share: of all weights, that these layers may hold together.
    """
    sizes = {n: _size(n) for n in width}
    left, found = share * sum(sizes.values()), dict(width)
    for node in sorted(damage, key=lambda n: -damage[n] / sizes[n]):
        if sizes[node] <= left:
            left -= sizes[node]
            found[node] = (most, f"few bits alone put noise of {damage[node]:.1%} of the signal on the heads")
    return found


def read_by_few_bits(
    plan: Plan, width: dict[ir.Node, Width], weights: int, activations: int
) -> dict[str, int]:
    """Group -> bits of activations, for what the layers with that few bits in weights read; 8 for all others.

    The image keeps 8 bits.
    """
    bits = activations
    if bits >= 8:
        return {}
    read = [n.inputs[0] for n, (found, _) in width.items() if found == weights]
    return {plan.group[str(v.name)]: bits for v in read if v is not None and not v.is_graph_input()}


def _fragile(node: ir.Node) -> str:
    return "depthwise: few weights, much damage" if is_depthwise(node) else ""


def _end(node: ir.Node, plan: Plan) -> str:
    if str(node.outputs[0].name) in plan.heads:
        return "a head: its errors are the answer's errors"
    if not any(weight_of(n) is not None for n in upstream([node]) - {node}):
        return "a first layer: its errors reach everything"
    return ""


def _small(nodes: list[ir.Node]) -> dict[ir.Node, str]:
    sizes = {n: _size(n) for n in nodes}
    left, small = SMALL_SHARE * sum(sizes.values()), {}
    for node in sorted(nodes, key=sizes.__getitem__):
        left -= sizes[node]
        if left < 0:
            break
        small[node] = "small: few bits would save next to nothing"
    return small


def _size(node: ir.Node) -> int:
    return int(constant(weight_of(node)).size)  # type: ignore[union-attr]
