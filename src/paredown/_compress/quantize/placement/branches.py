"""The branches of heads whose answers no suppression goes over, by structure alone.

A detector without NMS (one box for each object: Wang et al. 2024, arXiv 2405.14458; DETR's kind) tells an
object from its neighbours, which look the same, by its score alone. So noise that NMS would forgive costs
boxes there. Such a graph takes the best scores itself: TopK behind its heads, and neither NonMaxSuppression
nor a MaxPool that finds peaks.
"""

from __future__ import annotations

import onnx_ir as ir

from paredown._compress.quantize.placement.plan import Plan
from paredown.graph.inspect import macs_of
from paredown.graph.walk import consumers, downstream

LARGEST = 1 / 3  # of all multiply-accumulates: larger branches are most of the network, not its heads
_SUPPRESSES = frozenset({"NonMaxSuppression", "MaxPool"})


def unsuppressed_branches(graph: ir.Graph, plan: Plan) -> tuple[set[ir.Node], float]:
    """The integer nodes that one head alone depends on, of all heads, and their share of the operations.

    None where something suppresses, where nothing chooses, or where they are more than LARGEST.
    """
    heads = [n for n in plan.roles if str(n.outputs[0].name) in plan.heads]
    ops = {node.op_type for node in downstream(heads)}
    if "TopK" not in ops or ops & _SUPPRESSES:
        return set(), 0.0
    reached: dict[ir.Node, set[ir.Node]] = {head: {head} for head in heads}  # node -> heads
    for node in reversed(list(plan.roles)):
        of = set().union(*(reached.get(r, set()) for v in node.outputs for r in consumers(v)))
        reached.setdefault(node, of)
    found = {node for node, of in reached.items() if len(of) == 1}
    share = sum(map(macs_of, found)) / max(sum(map(macs_of, graph)), 1)
    return (found, share) if share <= LARGEST else (set(), 0.0)
