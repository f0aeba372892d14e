"""Which channels can only be removed together, and which constants shrink with them.

Removing needs less of a function than scaling does (`graph/channels.py`): that it keeps channels apart and in
place. So classes pass through SiLU, sigmoid gates, HardSwish and every other elementwise function, through
pooling, Resize and normalisation by channel; depthwise layers belong to their input's classes; a grouped
layer unites the channels at one place of its groups; behind Flatten a channel owns a row of columns. Wherever
channels vary along two axes at once (the reshape of a channel shuffle, predictions of several scales behind
one another) they are united along one of them, so that what is left after removal is always a whole tensor.

What is not in the tables (`removal_rules.py`) is refused: everything the node reads and answers is frozen,
with the reason.

What removal means is exact: a layer's answer is a sum over the channels it reads, and the summands of removed
channels are left out. It is the graph in which the columns of those channels (`Operand.reads`) are zero.

Source: Fang et al. 2023, "DepGraph: towards any structural pruning", arXiv 2301.12900 (groups of parameters
that depend on each other).
Differs from the source: no table of layer pairs and no tracing of gradients; channels are numbered and sent
through the ONNX graph, so Reshape, Transpose, Split, Slice and Gather need no special cases.

Shapes: ids as large as the tensor they belong to; C channels along one axis of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import onnx_ir as ir

from paredown.graph.channels import Channels, freeze_around, trace
from paredown.graph.flow import Flow, Operand, Refused, line_of, varying_axes
from paredown.graph.moves import Full, Ids
from paredown.graph.removal_rules import RULES

__all__ = ["Operand", "Removable", "removable"]


@dataclass
class Removable:
    """What may be removed from `graph`.

    axes: tensor -> the axis its channels stand along, and their (C,) ids.
    Classes are the roots of `channels`; those in `channels.is_frozen()` must stay.
    """

    graph: ir.Graph
    channels: Channels
    axes: dict[ir.Value, tuple[int, Ids]] = field(default_factory=dict)
    operands: list[Operand] = field(default_factory=list)

    def classes(self, ids: Ids) -> Ids:
        return self.channels.roots(ids)


def removable(graph: ir.Graph) -> Removable:
    """What may be removed from a graph with static shapes and constants as initializers."""
    operands: list[Operand] = []

    def send(node: ir.Node, full: Full, channels: Channels) -> list[Ids]:
        rule = RULES.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        flow = Flow(node, full, channels)
        try:
            if rule is None:
                raise Refused(f"{node.op_type} may mix channels")
            made, shrinking = rule(flow)
        except Refused as refusal:
            return freeze_around(node, full, channels, str(refusal))
        operands.extend(shrinking)
        return made

    channels, full = trace(graph, send)
    found = Removable(graph, channels, operands=operands)
    for value, ids in full.items():
        varying = varying_axes(channels, ids)
        if len(varying) <= 1 and ids.size and ids.ndim:  # an empty tensor has no channels
            axis = varying[0] if varying else min(1, ids.ndim - 1)
            found.axes[value] = (axis, line_of(ids, axis))
    return found
