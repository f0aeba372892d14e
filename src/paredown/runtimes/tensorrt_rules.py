"""What TensorRT asks of a graph with QuantizeLinear and DequantizeLinear, checked without TensorRT.

Source: NVIDIA, TensorRT documentation, "Working with Quantized Types" and "Explicit Quantization" (Q/DQ
layer-placement recommendations); the ONNX parser's table of operators (onnx-tensorrt, docs/operators.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from paredown.errors import UnsupportedModel

OPSET = 13  # the first with an axis of channels
PAIRS = ("QuantizeLinear", "DequantizeLinear")
WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
ACTIVATIONS = ("Relu", "Clip", "Sigmoid", "LeakyRelu", "HardSigmoid", "HardSwish", "PRelu", "Mul")
"""What TensorRT computes in the same kernel as the convolution in front of it."""
UNKNOWN = frozenset(
    [
        *("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"),
        *("BitShift", "Compress", "Det", "MaxRoiPool", "MaxUnpool", "Multinomial", "Unique"),
        *("StringNormalizer", "TfIdfVectorizer", "SequenceAt", "SequenceConstruct", "SequenceInsert"),
    ]
)
"""Operators that its parser has not."""
MOST_SHOWN = 5


@dataclass(frozen=True)
class Fault:
    """One rule that one node breaks. node: its name, or that of what it makes; "" for the whole graph."""

    node: str
    what: str

    def __str__(self) -> str:
        return f"{self.node!r} {self.what}" if self.node else self.what


def require_rules(model: onnx.ModelProto) -> None:
    """Nothing, or UnsupportedModel with the first faults."""
    found = list(faults(model))
    if found:
        more = f"; and {len(found) - MOST_SHOWN} more" if len(found) > MOST_SHOWN else ""
        raise UnsupportedModel(
            "TensorRT would not take this model, or not compute it in the integers planned",
            got="; ".join(map(str, found[:MOST_SHOWN])) + more,
            expected="symmetric int8 with zero points of 0 in front of convolutions, float32 elsewhere",
            hint="paredown compress FLOAT_MODEL --recipe int8 --runtime tensorrt writes such a file",
        )


def faults(model: onnx.ModelProto) -> Iterator[Fault]:
    """Every rule that is broken, node by node in the graph's order."""
    graph = _Graph(model)
    yield from _whole(model, graph)
    for node in graph.nodes:
        name = node.name or next(iter(node.output), node.op_type)
        checks = _pair(node, graph) if node.op_type in PAIRS else _weighted(node, graph)
        for what in (*_operator(node), *checks):
            yield Fault(name, what)


class _Graph:
    """A graph's constants and who makes and reads what."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes = list(model.graph.node)
        self.inputs = [i for i in model.graph.input if i.name not in self.constants_of(model)]
        self.constants = self.constants_of(model)
        self.made_by = {name: node for node in self.nodes for name in node.output if name}

    @staticmethod
    def constants_of(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
        stored = {t.name: t for t in model.graph.initializer}
        for node in model.graph.node:
            if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
                stored[node.output[0]] = node.attribute[0].t
        return stored

    @cached_property
    def readers(self) -> dict[str, list[onnx.NodeProto]]:
        found: dict[str, list[onnx.NodeProto]] = {}
        for node in self.nodes:
            for name in node.input:
                found.setdefault(name, []).append(node)
        return found

    def array(self, name: str) -> NDArray[np.generic] | None:
        """The values of a constant; None for what is computed."""
        stored = self.constants.get(name)
        return None if stored is None else numpy_helper.to_array(stored)

    def rounded(self, name: str) -> bool:
        """Whether a tensor comes out of a DequantizeLinear."""
        return name in self.made_by and self.made_by[name].op_type == "DequantizeLinear"


def _whole(model: onnx.ModelProto, graph: _Graph) -> Iterator[Fault]:
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    if any(n.op_type in PAIRS for n in graph.nodes) and opset < OPSET:
        yield Fault("", f"opset {opset}: scales of channels need opset {OPSET}")
    for given in graph.inputs:
        sizes = [d.dim_value for d in given.type.tensor_type.shape.dim]
        if 0 in sizes:
            yield Fault(given.name, "has an open size: an engine is built for known ones")


def _operator(node: onnx.NodeProto) -> Iterator[str]:
    if node.domain not in ("", "ai.onnx"):
        yield f"is {node.op_type} of domain {node.domain}, which TensorRT's parser has not"
    elif node.op_type in UNKNOWN:
        yield f"is {node.op_type}, which TensorRT's parser has not"


def _pair(node: onnx.NodeProto, graph: _Graph) -> Iterator[str]:
    """Of a QuantizeLinear or DequantizeLinear: signed 8-bit integers, symmetric, constant scales."""
    scale = graph.array(node.input[1])
    zero = graph.array(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    stored = graph.constants.get(node.input[0])
    if scale is None:
        yield "has a scale that is computed"
    elif not np.all(np.isfinite(scale.astype(np.float64)) & (scale.astype(np.float64) > 0)):
        yield "has a scale that is not above 0"
    if zero is None and node.op_type == "QuantizeLinear":
        yield "has no zero point, so it writes uint8: int8 is expected"
    elif zero is not None and np.any(zero.astype(np.int64) != 0):
        yield f"has the zero point {zero.reshape(-1)[0]}: 0 is expected"
    maker = graph.made_by.get(node.input[0])
    if node.op_type == "DequantizeLinear" and stored is None and getattr(maker, "op_type", "") != PAIRS[0]:
        origin = "an input" if maker is None else maker.op_type
        yield f"reads integers out of {origin}: stored int8 is expected"
    kind = _integers(stored, zero)
    if kind not in ("int8", ""):
        yield f"is in {kind}: int8 is expected"
    if scale is not None and scale.size > 1 and stored is None:
        yield "has a scale for every channel of an activation: one for the tensor is expected"


def _integers(stored: onnx.TensorProto | None, zero: NDArray[np.generic] | None) -> str:
    """The integer type as the file says it; "" where nothing does."""
    if stored is not None and stored.data_type != onnx.TensorProto.FLOAT:
        return str(onnx.TensorProto.DataType.Name(stored.data_type)).lower()
    return "" if zero is None else str(zero.dtype)


def _weighted(node: onnx.NodeProto, graph: _Graph) -> Iterator[str]:
    """Of a convolution or product: both sides rounded or neither, none in front of what is fused."""
    if node.op_type not in WEIGHTED or len(node.input) < 2:
        return
    sides = [graph.rounded(name) for name in node.input[:2]]
    if any(sides) and not all(sides):
        lacking = "its weight is" if sides[0] else "what it reads is"
        yield f"is no integer {node.op_type}: {lacking} not rounded"
    yield from _channels(node, graph)
    for q in graph.readers.get(node.output[0], ()):
        if q.op_type != "QuantizeLinear":
            continue
        behind = [n for dq in graph.readers.get(q.output[0], ()) for n in graph.readers.get(dq.output[0], ())]
        if fused := next((n for n in behind if n.op_type in ACTIVATIONS), None):
            yield f"is rounded in front of {fused.op_type}, which TensorRT computes with it"


def _channels(node: onnx.NodeProto, graph: _Graph) -> Iterator[str]:
    """The scales of a weight stand along its output channels."""
    if not graph.rounded(node.input[1]):
        return
    dq = graph.made_by[node.input[1]]
    scale = graph.array(dq.input[1])
    if scale is None or scale.size < 2:
        return
    axis = next((a.i for a in dq.attribute if a.name == "axis"), 1)
    turned = node.op_type == "ConvTranspose" or (
        node.op_type == "Gemm" and not any(a.name == "transB" and a.i for a in node.attribute)
    )
    wanted = 1 if turned else 0
    if node.op_type != "MatMul" and axis != wanted:
        yield f"has scales along axis {axis} of its weight: axis {wanted}, its output channels, is expected"
