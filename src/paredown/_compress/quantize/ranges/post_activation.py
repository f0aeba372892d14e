"""What stands behind a tensor: the function through which its error is seen."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.graph.channels import GATES, Channels, count, spread, trace
from paredown.graph.moves import MOVES, Full, Ids
from paredown.graph.walk import attribute, constant, consumers, data_inputs, shape_of
from paredown.numerics.ranges import Function, PerChannel

Floats = NDArray[np.float32]

UNHEARD = -10.0  # a sigmoid answers 0.00005 to it: no detector tells apart what lies below


def sigmoid(x: Floats) -> Floats:
    e = np.asarray(np.clip(x, -60, 60))
    np.exp(np.negative(e, out=e), out=e)
    e += 1
    return np.divide(1, e, out=e).astype(np.float32, copy=False)


SILU_BOTTOM = -1.2784645  # where x sigmoid(x) is least, -0.2784645


def silu(x: Floats) -> Floats:
    return x * sigmoid(x)


def hard_swish(x: Floats) -> Floats:
    return x * np.clip(x / 6 + 0.5, 0, 1)


def relu(x: Floats) -> Floats:
    return np.maximum(x, 0)


def tanh(x: Floats) -> Floats:
    return np.tanh(x)


def hard_sigmoid(alpha: float = 0.2, beta: float = 0.5) -> Function:
    """The function of ONNX's HardSigmoid with these attributes."""
    slope, middle = np.float32(alpha), np.float32(beta)
    return lambda x: np.clip(x * slope + middle, np.float32(0), np.float32(1))


def _hard_sigmoid(node: ir.Node) -> Function:
    return hard_sigmoid(attribute(node, "alpha", 0.2), attribute(node, "beta", 0.5))


def _leaky(node: ir.Node) -> Function:
    slope = attribute(node, "alpha", 0.01)
    return lambda x: np.where(x < 0, x * slope, x)


_FUNCTIONS: dict[str, Callable[[ir.Node], Function]] = {
    "Sigmoid": lambda node: sigmoid,
    "HardSwish": lambda node: hard_swish,
    "HardSigmoid": _hard_sigmoid,
    "LeakyRelu": _leaky,
    "Relu": lambda node: relu,
    "Tanh": lambda node: tanh,
}


def post_activation(value: ir.Value) -> Function | PerChannel | None:
    """The elementwise function through which every reader sees the value; None where one sees it as it is.

    x * sigmoid(x) and x * hardsigmoid(x) are recognised as one function of x, and these with gates of f x, a
    factor f for every channel (gates.py), as one of x and f.
    """
    readers = consumers(value)
    if value.is_graph_output() or not readers:
        return None
    if len(readers) == 1 and readers[0].op_type in _FUNCTIONS:
        return _FUNCTIONS[readers[0].op_type](readers[0])
    if len(readers) == 2:
        gate = next((n for n in readers if n.op_type in GATES), None)
        product = next((n for n in readers if n.op_type == "Mul"), None)
        if gate and product and gate.outputs[0] in product.inputs and len(consumers(gate.outputs[0])) == 1:
            inner = _FUNCTIONS[gate.op_type](gate)
            return silu if gate.op_type == "Sigmoid" else lambda x: x * inner(x)
        return _after_scaled_gate(readers)
    return None


def _after_scaled_gate(readers: list[ir.Node]) -> PerChannel | None:
    for scaled, product in (readers, readers[::-1]):
        factor = constant(scaled.inputs[1]) if scaled.op_type == product.op_type == "Mul" else None
        gate = consumers(scaled.outputs[0])
        if factor is None or len(gate) != 1 or gate[0].op_type not in GATES:
            continue
        if consumers(gate[0].outputs[0]) == [product]:
            factors = np.asarray(factor, np.float32).reshape(-1)
            return PerChannel(_scaled_gate(_FUNCTIONS[gate[0].op_type](gate[0])), factors)
    return None


def _scaled_gate(gate: Function) -> Callable[[Floats, Floats], Floats]:
    return lambda x, factor: x * gate(factor * x)


def into_sigmoids(graph: ir.Graph, heads: Collection[str]) -> dict[str, NDArray[np.bool_]]:
    """Head -> (C,) True for channels that nothing but sigmoids reads, wherever their values are moved to."""
    channels, _ = trace(graph, _send)
    elsewhere = list(channels.is_frozen())
    return {head: ~np.isin(channels.of(head), elsewhere) for head in heads}


def _send(node: ir.Node, full: Full, channels: Channels) -> list[Ids]:
    """A node that moves values moves their channels; what any other but a sigmoid reads is frozen."""
    moved = MOVES[node.op_type](node, full) if node.op_type in MOVES else None
    if moved is not None:
        return moved
    if node.op_type != "Sigmoid":
        for value in data_inputs(node):
            if value in full:
                channels.freeze(full[value], f"{node.op_type} reads it")
    return [spread(channels.new(count(v)), shape_of(v)) for v in node.outputs]
