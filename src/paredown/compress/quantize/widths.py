"""How many bits each weight gets when most of them get few: the layers that few bits would hurt most keep eight.

The first layers read pixels and the heads answer: both hold few weights and their errors reach everything (Choi et
al. 2018, arXiv 1805.06085, and nearly everyone since leaves them at 8 bits). A depthwise convolution has a handful
of weights for each channel: nothing averages their errors out, and storing them in 4 bits saves next to nothing.
"""

from __future__ import annotations

import onnx_ir as ir

from paredown.compress.quantize.placement import Plan
from paredown.graph.walk import is_depthwise, upstream, weight_of

Width = tuple[int, str]
"""Bits of a weight, and why they differ from what the step asks for ("" where they do not)."""


def widths(plan: Plan, bits: int, most: int, ends: bool) -> dict[ir.Node, Width]:
    """The width of every weight in the plan.

    bits: asked for. most: what the device allows. ends: the first layers and the heads get `bits` as well.
    """
    nodes = [n for n in plan.roles if weight_of(n) is not None]
    return {n: _width(n, plan, bits, most, ends) for n in nodes}


def _width(node: ir.Node, plan: Plan, bits: int, most: int, ends: bool) -> Width:
    if bits >= most:
        return most, ""
    if is_depthwise(node):
        return most, "depthwise: few weights, much damage"
    if not ends and str(node.outputs[0].name) in plan.heads:
        return most, "a head: its errors are the answer's errors"
    if not ends and not any(weight_of(n) is not None for n in upstream([node]) - {node}):
        return most, "a first layer: its errors reach everything"
    return bits, ""
