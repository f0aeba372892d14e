"""Which tensors of a graph a pupil is compared with its teacher at.

Heads are the outputs of the last layers before the decode tail, averaged where a classifier does so. Features
are what the heads read, and what every stage hands on before it halves the resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from paredown._compress.quantize.placement.body import body_of
from paredown.errors import UnsupportedModel
from paredown.graph.torch_ops.table import OPS
from paredown.graph.walk import (
    attribute,
    constant,
    consumers,
    data_inputs,
    readers_of_integers,
    through_shapes,
    weight_of,
)

POOLS = ("GlobalAveragePool", "ReduceMean")


@dataclass(frozen=True)
class Taps:
    """Tensor names. scores: the inputs of sigmoids and class softmaxes behind the heads. answers: what leaves
    the part of the graph that can be learned through: its outputs, or what a NonMaxSuppression reads."""

    heads: tuple[str, ...]
    features: tuple[str, ...]
    scores: tuple[str, ...]
    answers: tuple[str, ...]


def find_taps(graph: ir.Graph) -> Taps:
    """What to watch in a float graph."""
    body = body_of(graph)
    last = [n for n in graph if n in body and not any(r in body for v in n.outputs for r in consumers(v))]
    heads = [str(_pooled(v).name) for n in last for v in n.outputs]
    features: dict[str, None] = {}
    for node in graph:
        if node not in body or weight_of(node) is None:
            continue
        strides = attribute(node, "strides", None)
        narrows = strides is not None and max(strides) > 1
        if narrows or node in last:
            features |= {str(v.name): None for v in data_inputs(node) if not v.is_graph_input()}
    known = _known(graph)
    scores = [
        str(node.inputs[0].name)
        for node in graph
        if node in known
        and node not in body
        and node.op_type in ("Sigmoid", "Softmax")
        and node.inputs[0] is not None
        if not (node.op_type == "Softmax" and _is_integrated(node))
    ]
    inner = tuple(f for f in features if f not in heads)
    made = [v for node in graph if node in known for v in node.outputs]
    answers = [v for v in made if v.is_graph_output() or any(r not in known for r in consumers(v))]
    return Taps(tuple(heads), inner, tuple(dict.fromkeys(scores)), tuple(str(v.name) for v in answers))


def _pooled(head: ir.Value) -> ir.Value:
    """What a classifier makes of a head by averaging over its positions; the head itself in other graphs."""
    value = head
    while len(readers := consumers(value)) == 1 and readers[0].op_type in ("Relu", "Clip", *POOLS):
        value = readers[0].outputs[0]
        if readers[0].op_type in POOLS:
            return value
    return head


def _known(graph: ir.Graph) -> set[ir.Node]:
    """The nodes that can be learned through, all in front of them too."""
    known: set[ir.Node] = set()
    for node in graph:
        plain = node.op_type in OPS and not any(
            isinstance(a.value, ir.Graph) for a in node.attributes.values()
        )
        if plain and all(p is None or p in known for p in (v.producer() for v in data_inputs(node))):
            known.add(node)
    return known


def _is_integrated(softmax: ir.Node) -> bool:
    """True where a weighted sum follows: a distribution over box distances, not over classes."""
    todo, seen = list(consumers(softmax.outputs[0])), set()
    while todo:
        node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        if weight_of(node) is not None or node.op_type in ("ReduceSum", "MatMul"):
            return True
        if node.op_type == "Mul" and any(constant(v) is not None for v in node.inputs):
            return True
        if through_shapes(node.outputs[0]) is not node.outputs[0]:
            todo += consumers(node.outputs[0])
    return False


def at_pupil(graph: ir.Graph, name: str) -> str:
    """The tensor of a quantized graph that stands for the float graph's: behind its Q and DQ where it has
    them.

    Raises: UnsupportedModel where the graph has no such tensor.
    """
    value = next((v for n in graph for v in n.outputs if v.name == name), None)
    if value is None:
        raise UnsupportedModel("the graph to be trained is not the teacher's", got=f"no tensor {name!r}")
    for node in consumers(value):
        if node.op_type == "QuantizeLinear":
            for reader in readers_of_integers(node):
                if reader.op_type == "DequantizeLinear":
                    return str(reader.outputs[0].name)
    return name
