"""Which part of a network is its body and which its decode tail, by structure alone.

The body is everything that a later convolution or matrix product still depends on, with two exceptions:

- A product of the answer itself (an embedding of the rows that hold boxes and scores, say) makes no body of
  what it reads: what also leaves the graph with no weights in between would share one grid, pixels beside
  probabilities. So where such products are a small part of the work (`products_of_answers`); else they are a
  second network.
- What tells places (the boxes that RoiAlign or GridSample read, what TopK and NonMaxSuppression choose by)
  stands in front of convolutions and is decode arithmetic nevertheless (`pointers_of`).
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Literal

import onnx_ir as ir

from paredown.errors import UnsupportedModel
from paredown.graph.channels import GATES
from paredown.graph.inspect import macs_of
from paredown.graph.walk import (
    SHAPE_ONLY,
    constant,
    consumers,
    data_inputs,
    has_shape,
    shape_of,
    through_shapes,
    upstream,
    weight_of,
)

Kind = Literal["raw", "feature", "answer"]
"""Of what a node makes: what a product gives and moves of it; features; results of decode arithmetic."""

SMALL = 0.05  # of all multiply-accumulates: what products of the answer may take and still be left float

PLACES: Mapping[str, tuple[int, ...]] = {
    "RoiAlign": (1, 2), "MaxRoiPool": (1,), "GridSample": (1,), "NonMaxSuppression": (0, 1), "TopK": (0,),
    "ArgMax": (0,), "Gather": (1,), "GatherND": (1,), "GatherElements": (1,), "ScatterND": (1,),
    "ScatterElements": (1,),
}  # fmt: skip
"""Op -> its inputs that say where, not what."""

_BETWEEN = frozenset(
    {"Relu", "Clip", "LeakyRelu", "PRelu", "Elu", "Selu", "Gelu", "HardSwish", "Mish", "Softplus", "Tanh"}
    | {"Erf", "BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization"}
    | {"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "Resize", "Pad"}
    | {"Dropout"}
)
"""Ops that stand between convolutions and keep features features."""


@dataclass(frozen=True)
class Parts:
    """A graph's body, what in front of it tells places (`pointers_of`), and products of the answer itself."""

    body: Set[ir.Node]
    pointers: Set[ir.Node]
    late: Set[ir.Node]


def parts_of(graph: ir.Graph) -> Parts:
    """The parts. Raises UnsupportedModel where no convolution or matrix product has constant weights."""
    return Parts(body_of(graph), pointers_of(graph), products_of_answers(graph))


def body_of(graph: ir.Graph) -> set[ir.Node]:
    """The nodes up to the last convolutions (or matrix products), the decode arithmetic left out."""
    weighted = _products(graph)
    if not weighted:
        raise UnsupportedModel(
            "there is nothing to quantize: no convolution or matrix product has constant weights",
            got=", ".join(sorted({n.op_type for n in graph})),
        )
    weighted -= products_of_answers(graph)
    body = upstream(weighted)
    for node in graph:  # an activation right behind a last convolution is absorbed into it where it can be
        if node.op_type in ("Relu", "Clip") and any(v.producer() in weighted for v in data_inputs(node)):
            body.add(node)
    return body


def products_of_answers(graph: ir.Graph) -> set[ir.Node]:
    """Products that work on decode arithmetic, with all products behind them: as many, from the last on, as
    take no more than SMALL of the work. Such is what also leaves the graph as an answer, and scores behind
    their sigmoid or softmax."""
    products = _products(graph)
    decoded = _leaving(graph) | _scores(graph)
    starts = [
        n for n in products if any(v.producer() in decoded for v in data_inputs(n) if not _points(n, v))
    ]
    closures = sorted((_behind(n) & products for n in starts), key=_work)
    found: set[ir.Node] = set()
    for closure in closures:
        if _work(found | closure) <= SMALL * _work(products):
            found |= closure
    return found if found < products else set()  # where no shape is known, nothing takes any work


def _work(nodes: Set[ir.Node]) -> int:
    return sum(map(macs_of, nodes))


def _behind(node: ir.Node) -> set[ir.Node]:
    """The node and all that depends on its values; not what only reads them as places."""
    found, todo = {node}, [node]
    while todo:
        for value in todo.pop().outputs:
            new = [r for r in consumers(value) if r not in found and not _points(r, value)]
            found.update(new)
            todo += new
    return found


def pointers_of(graph: ir.Graph) -> set[ir.Node]:
    """Decode arithmetic whose results are read as places, with no weights in between."""
    kinds = _kinds(graph)
    found: set[ir.Node] = set()
    for node in reversed(list(graph)):
        points = any(r in found or _points(r, v) for v in node.outputs for r in consumers(v))
        if points and kinds[node] == "answer":
            found.add(node)
    return found


def _products(graph: ir.Graph) -> set[ir.Node]:
    """Convolutions and matrix products with weights that were learned."""
    return {n for n in graph if weight_of(n) is not None and not _integrates(n)}


def _integrates(node: ir.Node) -> bool:
    """True for a weighted sum over a softmax, the DFL integral of Li et al. 2020 (arXiv 2006.04388)."""
    producer = through_shapes(data_inputs(node)[0]).producer() if data_inputs(node) else None
    return producer is not None and producer.op_type == "Softmax"


def _leaving(graph: ir.Graph) -> set[ir.Node]:
    """Products and decode arithmetic whose results leave the graph with no weights in between."""
    kinds, products = _kinds(graph), _products(graph)
    found: set[ir.Node] = set()
    for node in reversed(list(graph)):
        readers = {r for v in node.outputs for r in consumers(v) if r not in products}
        leaves = any(v.is_graph_output() for v in node.outputs) or not readers.isdisjoint(found)
        if leaves and kinds[node] != "feature":
            found.add(node)
    return found


def _scores(graph: ir.Graph) -> set[ir.Node]:
    """Sigmoids that are no gates, softmaxes, and what only moves, joins or multiplies them."""
    found: set[ir.Node] = set()
    for node in graph:
        makers = {v.producer() for v in data_inputs(node)[: 1 if node.op_type in SHAPE_ONLY else None]}
        carries = node.op_type in (*SHAPE_ONLY, "Concat", "Mul") and bool(makers) and makers <= found
        squashes = node.op_type in (*GATES, "Softmax") and not _keeps_features(node)
        if carries or squashes:
            found.add(node)
    return found


def _kinds(graph: ir.Graph) -> dict[ir.Node, Kind]:
    """Node -> what it makes."""
    kinds: dict[ir.Node, Kind] = {}
    for node in graph:
        values = data_inputs(node)
        read = {kinds[p] for v in values if (p := v.producer()) is not None}
        if node.op_type in (*SHAPE_ONLY, *_BETWEEN):  # others of its inputs are sizes
            first = None if node.inputs[0] is None else node.inputs[0].producer()
            read = set() if first is None else {kinds[first]}
        kinds[node] = _kind(node, read)
    return kinds


def _kind(node: ir.Node, read: Set[Kind]) -> Kind:
    """read: the kinds of what it reads of other nodes."""
    if weight_of(node) is not None and not _integrates(node):
        return "raw"
    if "answer" in read:
        return "answer"
    if node.op_type in SHAPE_ONLY:
        return "raw" if read == {"raw"} else "feature"
    if node.op_type == "Concat":
        return "answer" if read == {"raw"} else "feature"
    return "feature" if _keeps_features(node) else "answer"


def _keeps_features(node: ir.Node) -> bool:
    """Whether it stands between convolutions: activations, gates, sums, one scale for all positions."""
    if node.op_type in _BETWEEN:
        return True
    if node.op_type in GATES:
        return any(r.op_type == "Mul" and not _of_gates(r) for r in consumers(node.outputs[0]))
    if node.op_type not in ("Add", "Sub", "Mul", "Div"):
        return False
    if len(data_inputs(node)) == 2:
        return node.op_type == "Add" or (node.op_type == "Mul" and not _of_gates(node))
    return all(_same_everywhere(v, node) for v in node.inputs)


def _of_gates(product: ir.Node) -> bool:
    """Whether it multiplies nothing but gates, as scores are, or by a constant."""
    makers = [v.producer() for v in data_inputs(product)]
    return all(p is not None and p.op_type in GATES for p in makers)


def _same_everywhere(value: ir.Value | None, node: ir.Node) -> bool:
    """False for a constant that differs from place to place: a grid, anchors, strides of several levels."""
    found = constant(value)
    if found is None or found.size == 1 or not has_shape(node.outputs[0]):
        return True
    rank = len(shape_of(node.outputs[0]))
    channels = rank - 1 if rank < 4 else 1
    return [axis + rank - found.ndim for axis, n in enumerate(found.shape) if n > 1] == [channels]


def _points(reader: ir.Node, value: ir.Value) -> bool:
    """Whether a node reads a value as places."""
    return any(i in PLACES.get(reader.op_type, ()) for i, v in enumerate(reader.inputs) if v is value)
