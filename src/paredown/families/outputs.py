"""The outputs of a graph, each with what happens to it behind the last weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import onnx

from paredown.model import Model, TensorSpec

ARITHMETIC = frozenset({"Exp", "Mul", "Add", "Sub", "Div", "Pow"})
_INTEGER = frozenset({"ConvInteger", "MatMulInteger"})
_WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "QLinearConv", "QLinearMatMul", "QGemm"})
_ENDS = _WEIGHTED | _INTEGER | {"Shape", "Constant"}
_FIRST_INPUT_ONLY = frozenset(
    {"Reshape", "Slice", "Expand", "Resize", "Tile", "Gather", "Unsqueeze", "Squeeze", "Split", "Pad"}
)


@dataclass(frozen=True)
class Output:
    """One graph output with its tail: all that happens between the last weights and the output."""

    spec: TensorSpec
    tail: frozenset[str]  # operator types
    parts: int  # inputs of the Concat nearest to the output; 1 where there is none

    @property
    def shape(self) -> tuple[int | None, ...]:
        return self.spec.shape

    @property
    def computes(self) -> bool:
        """Whether the tail holds arithmetic, beyond activations and moving values about."""
        return bool(self.tail & ARITHMETIC)


def find_outputs(model: Model, graph: onnx.GraphProto) -> tuple[Output, ...]:
    producers = {name: node for node in graph.node for name in node.output}
    return tuple(_trace(spec, producers) for spec in model.outputs)


def fits(dimension: int | None, expected: int) -> bool:
    """Whether a dimension is that number or left open."""
    return dimension is None or dimension == expected


def spell(outputs: Iterable[Output]) -> str:
    """Output shapes in words: "(1, 84, 8400)"; a dimension left open is a question mark."""
    shapes = (", ".join("?" if d is None else str(d) for d in o.shape) for o in outputs)
    return " and ".join(f"({s})" for s in shapes)


def _trace(spec: TensorSpec, producers: Mapping[str, onnx.NodeProto]) -> Output:
    """The output with what leads to it, back to the nearest weights on every path, nearest nodes first."""
    tail: set[str] = set()
    parts = 1
    queue, seen = [spec.name], {spec.name}
    for tensor in queue:
        node = producers.get(tensor)
        if node is None or node.op_type in _ENDS or _rescales(node, producers):
            continue
        if node.op_type == "Concat" and "Concat" not in tail:
            parts = len(node.input)
        tail.add(node.op_type)
        follow = node.input[:1] if node.op_type in _FIRST_INPUT_ONLY else node.input
        queue += [t for t in follow if t and t not in seen]
        seen.update(follow)
    return Output(spec, frozenset(tail), parts)


def _rescales(node: onnx.NodeProto, producers: Mapping[str, onnx.NodeProto]) -> bool:
    """Whether the node belongs to a dynamically quantized convolution: Integer -> Cast -> Mul [-> Add]."""
    before = [producers[t] for t in node.input if t in producers]
    if node.op_type == "Add":
        return any(n.op_type == "Mul" and _rescales(n, producers) for n in before)
    casts = [n for n in before if n.op_type == "Cast"] if node.op_type == "Mul" else []
    sources = [producers[t] for cast in casts for t in cast.input if t in producers]
    return any(n.op_type in _INTEGER for n in sources)
