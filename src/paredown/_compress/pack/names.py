"""Short names for what lies inside a graph: in a small file they take more bytes than the scales they name.

Inputs, outputs and the nodes of the source keep their names: people and tools ask for those.
"""

from __future__ import annotations

import string
from collections.abc import Collection, Iterator
from itertools import count, product

import onnx_ir as ir


def shorten(graph: ir.Graph, kept: Collection[str]) -> int:
    """Renames inner tensors, and the nodes whose name is not in `kept`. Gives the bytes that this saves."""
    nodes, parts = list(graph.all_nodes()), [graph, *graph.subgraphs()]
    inner = [v for part in parts for v in part.initializers.values()]
    inner += [v for part in parts[1:] for v in part.inputs] + [v for n in nodes for v in n.outputs if v.name]
    outside = {id(v) for v in (*graph.inputs, *graph.outputs)}
    inner = [v for v in inner if id(v) not in outside]
    fresh, saved = _fresh({str(v.name) for v in (*inner, *graph.inputs, *graph.outputs)}), 0
    for value in inner:
        name = next(fresh)
        saved += (1 + len(value.uses())) * (len(str(value.name)) - len(name))
        value.name = name
    fresh = _fresh({*kept, *(str(node.name) for node in nodes)})
    for node in nodes:
        if node.name not in kept:
            name = next(fresh)
            saved += len(node.name or "") - len(name)
            node.name = name
    return saved


def _fresh(taken: Collection[str]) -> Iterator[str]:
    """All names from the shortest on, but for those taken."""
    words = ("".join(w) for n in count(1) for w in product(string.ascii_letters + string.digits, repeat=n))
    return (word for word in words if word not in taken)
