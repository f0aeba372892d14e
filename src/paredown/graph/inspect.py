"""Looking into a prepared graph: operations, MACs, weights, activation memory, and what may go wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod

import onnx_ir as ir

from paredown.errors import UnsupportedModel
from paredown.graph.load import to_proto
from paredown.graph.precision import DOUBLE, HALF, layers_in, require_unquantized, spelled
from paredown.graph.prepare import opset_of
from paredown.graph.walk import (
    attribute,
    consumers,
    has_shape,
    is_depthwise,
    is_standard,
    shape_of,
    to_ir,
    weight_of,
)
from paredown.model import Model


@dataclass(frozen=True)
class LayerCost:
    """One layer with weights. macs: multiply-accumulates for one image; weights: number of values."""

    name: str
    op: str
    macs: int
    weights: int


@dataclass(frozen=True)
class Inspection:
    """What a graph is made of.

    peak_activation_bytes: the most bytes of tensors alive at once, at `peak_node`, when nodes run in file
    order and each is freed after its last reader. Reuse in place needs less, padding more.
    risks: sentences about what makes this model hard to quantize or to deploy.
    """

    opset: int
    ops: dict[str, int]
    layers: tuple[LayerCost, ...]
    weights: int
    weight_bytes: int
    peak_activation_bytes: int
    peak_node: str
    risks: tuple[str, ...]

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)


def inspect(model: Model, source: Model | None = None) -> Inspection:
    """The inspection of a prepared model (static shapes, see `graph.prepare`). source: the file's own model,
    whose opset and operators are told where preparing changed them."""
    made = to_ir(model)
    graph = made.graph
    layers = tuple(_cost(node) for node in graph if node.op_type in _MACS and is_standard(node))
    stored = [v.const_value for v in graph.initializers.values() if v.const_value is not None]
    peak, where = peak_activation(graph)
    return Inspection(
        opset=opset_of(to_proto(model)) if source is None else opset_of(to_proto(source)),
        ops=dict(Counter(node.op_type for node in graph).most_common()),
        layers=layers,
        weights=sum(t.size for t in stored),
        weight_bytes=sum(t.nbytes for t in stored),
        peak_activation_bytes=peak,
        peak_node=where,
        risks=(*_precision(source or model), *_risks(graph)),
    )


def peak_activation(graph: ir.Graph) -> tuple[int, str]:
    """The most bytes of computed tensors alive at once, and the node that runs then."""
    last_reader = {value: node for node in graph for value in node.inputs if value is not None}
    kept = set(graph.outputs)
    alive = sum(_bytes(v) for v in graph.inputs)
    peak, where = alive, ""
    for node in graph:
        alive += sum(_bytes(v) for v in node.outputs)
        if alive > peak:
            peak, where = alive, str(node.name)
        ended = {v for v in node.inputs if v is not None and v.const_value is None and last_reader[v] is node}
        alive -= sum(_bytes(v) for v in ended - kept)
    return peak, where


def _bytes(value: ir.Value) -> int:
    if not has_shape(value):
        return 0  # said among the risks
    size = value.dtype.itemsize if value.dtype is not None else 4
    return int(prod(shape_of(value)) * size)


def macs_of(node: ir.Node) -> int:
    """Multiply-accumulates of one node for one image; 0 for what is no convolution or matrix product, and
    where shapes are not known."""
    known = all(has_shape(v) for v in (*node.inputs[:2], *node.outputs[:1]) if v is not None)
    return _MACS[node.op_type](node) if is_standard(node) and node.op_type in _MACS and known else 0


def _cost(node: ir.Node) -> LayerCost:
    weight = weight_of(node)
    return LayerCost(
        str(node.name),
        node.op_type,
        macs_of(node),
        prod(shape_of(weight)) if weight is not None else 0,
    )


def _conv_macs(node: ir.Node) -> int:
    """Output positions x weights per output channel."""
    weight = node.inputs[1]
    return prod(shape_of(node.outputs[0])) * prod(shape_of(weight)[1:]) if weight is not None else 0


def _transposed_macs(node: ir.Node) -> int:
    """Input positions x weights per input channel."""
    source, weight = node.inputs[:2]
    return (
        prod(shape_of(source)) * prod(shape_of(weight)[1:])
        if source is not None and weight is not None
        else 0
    )


def _matmul_macs(node: ir.Node) -> int:
    source = node.inputs[0]
    inner = shape_of(source) if source is not None else (0,)
    depth = inner[0] if node.op_type == "Gemm" and attribute(node, "transA", 0) else inner[-1]
    return prod(shape_of(node.outputs[0])) * depth


_MACS = {
    "Conv": _conv_macs,
    "ConvInteger": _conv_macs,
    "ConvTranspose": _transposed_macs,
    "MatMul": _matmul_macs,
    "MatMulInteger": _matmul_macs,
    "Gemm": _matmul_macs,
}


def _precision(model: Model) -> list[str]:
    if wide := [*layers_in(to_proto(model), HALF | DOUBLE)]:
        return [f"{len(wide)} layers in half or double precision: recipes start from them in float32."]
    try:
        require_unquantized(model)
    except UnsupportedModel as error:
        text = f"{error.what[:1].upper()}{error.what[1:]}"
        return [f"{text}: it cannot be compressed further; {error.hint}."]
    return []


def _is_smooth(node: ir.Node) -> bool:
    """A smooth activation, whole or as the gate of a product; a sigmoid that ends in an answer is none."""
    if node.op_type in ("Sigmoid", "HardSigmoid"):
        return any(reader.op_type == "Mul" for reader in consumers(node.outputs[0]))
    return node.op_type in ("HardSwish", "Mish", "Gelu")


def _risks(graph: ir.Graph) -> list[str]:
    nodes = list(graph)
    ops = {node.op_type for node in nodes}
    risks = []
    if not any(weight_of(node) is not None for node in nodes):
        risks.append("No convolution or matrix product with constant weights: nothing to quantize.")
    if foreign := Counter(f"{n.op_type} of {n.domain}" for n in nodes if not is_standard(n)):
        risks.append(f"Operators of other domains: {spelled(foreign)}. They stay float.")
    if unknown := [v for n in nodes for v in n.outputs if v.name and consumers(v) and not has_shape(v)]:
        risks.append(
            f"{len(unknown)} tensors without a known shape, {str(unknown[0].name)!r} first: what reads or "
            "makes them stays float, and they are missing from MACs and activation memory."
        )
    if depthwise := sum(is_depthwise(node) for node in nodes):
        risks.append(
            f"{depthwise} depthwise convolutions: their channels often differ in range by orders of "
            "magnitude, which costs accuracy in INT8."
        )
    if gates := sum(_is_smooth(node) for node in nodes):
        risks.append(
            f"{gates} smooth activations (SiLU and kin): each needs grids in front, inside and behind."
        )
    if "Softmax" in ops and "MatMul" in ops:
        risks.append("Attention (Softmax with MatMul): products of two computed tensors stay float.")
    if "Loop" in ops or "If" in ops:
        risks.append("Control flow: nodes inside Loop and If bodies stay float.")
    if "NonMaxSuppression" in ops:
        risks.append(
            "Non-maximum suppression is part of the graph: it stays float and its time is in the latency."
        )
    return risks
