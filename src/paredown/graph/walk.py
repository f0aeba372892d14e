"""Reading an `onnx_ir` graph: constants, neighbours, reachability, sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, overload

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes.common import LiftConstantsToInitializersPass

from paredown.errors import UnsupportedModel
from paredown.graph.load import from_proto, to_proto
from paredown.model import Model

T = TypeVar("T")

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
SHAPE_ONLY = (
    "Reshape",
    "Transpose",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
    "Split",
    "Slice",
    "Gather",
    "Identity",
)
"""Ops that move values without changing them."""


def to_ir(model: Model) -> ir.Model:
    """A fresh onnx_ir model that may be changed; every constant is an initializer."""
    graph = ir.from_proto(to_proto(model))
    LiftConstantsToInitializersPass(lift_all_constants=True)(graph)
    return graph


def to_model(graph: ir.Model, like: Model) -> Model:
    """The `Model` of a changed graph, with the card and name of `like`."""
    proto = ir.to_proto(graph)
    described = [v for v in proto.graph.value_info if v.name not in graph.graph.initializers]
    del proto.graph.value_info[:]  # initializers say their type and shape themselves
    proto.graph.value_info.extend(described)
    made = from_proto(proto, like.name)
    return made if like.card is None else made.with_card(like.card)


def constant(value: ir.Value | None) -> NDArray[np.generic] | None:
    """The array behind a value that does not depend on any input, else None."""
    if value is None or value.const_value is None:
        return None
    return value.const_value.numpy()


def weight_of(node: ir.Node) -> ir.Value | None:
    """The constant weight of a Conv, ConvTranspose, Gemm or MatMul; None where both inputs are computed."""
    if node.op_type not in WEIGHTED or not is_standard(node) or len(node.inputs) < 2:
        return None
    weight = node.inputs[1]
    return weight if weight is not None and weight.const_value is not None else None


def output_axis(node: ir.Node) -> int:
    """The axis of the weight that counts output channels."""
    if node.op_type == "Conv":
        return 0
    if node.op_type == "Gemm":
        return 0 if attribute(node, "transB", 0) else 1
    weight = weight_of(node)
    return 1 if node.op_type == "ConvTranspose" or weight is None else len(shape_of(weight)) - 1


def is_depthwise(node: ir.Node) -> bool:
    """True for a Conv whose every output channel reads one input channel."""
    weight = weight_of(node)
    if node.op_type != "Conv" or weight is None:
        return False
    return attribute(node, "group", 1) > 1 and shape_of(weight)[1] == 1


@overload
def attribute(node: ir.Node, name: str, default: None) -> Any: ...
@overload
def attribute(node: ir.Node, name: str, default: T) -> T: ...
def attribute(node: ir.Node, name: str, default: T) -> T:
    """An attribute's plain Python value, or the default, which has the type that ONNX gives the attribute."""
    attr = node.attributes.get(name)
    return default if attr is None else attr.value


def has_shape(value: ir.Value) -> bool:
    """Whether the rank is known, and every dimension."""
    return value.shape is not None and all(isinstance(d, int) for d in value.shape)


def shape_of(value: ir.Value) -> tuple[int, ...]:
    """The static shape, () for a scalar; an open dimension counts as 0.

    Raises UnsupportedModel where not even the rank is known: ask `has_shape` first where that can be.
    """
    if value.shape is None:
        raise UnsupportedModel(
            f"no shape is known of tensor {str(value.name)!r}",
            hint="shape inference stops at operators of other domains and at Loop; export without them",
        )
    return tuple(d if isinstance(d, int) else 0 for d in value.shape)


def is_standard(node: ir.Node) -> bool:
    """Whether the operator is one of ONNX's own, not one of another domain that may have the same name."""
    return node.domain in ("", "ai.onnx")


def consumers(value: ir.Value) -> list[ir.Node]:
    """Nodes that read the value, each once."""
    return list(dict.fromkeys(use.node for use in value.uses()))


def data_inputs(node: ir.Node) -> list[ir.Value]:
    """Inputs of a node that depend on the model's input; those that only its subgraphs read come last."""
    direct = [v for v in node.inputs if v is not None and v.const_value is None]
    return direct + [v for v in captured(node) if v not in direct]


def captured(node: ir.Node) -> list[ir.Value]:
    """Computed tensors of the outer graph that the subgraphs of a node (If, Loop, Scan) read, each once."""
    bodies: list[ir.Graph] = []
    for found in node.attributes.values():
        if found.type == ir.AttributeType.GRAPH:
            bodies.append(found.value)
        elif found.type == ir.AttributeType.GRAPHS:
            bodies += found.value
    outer: dict[ir.Value, None] = {}
    for body in bodies:
        own = {*body.inputs, *body.initializers.values(), *(v for n in body for v in n.outputs)}
        read = [v for n in body for v in data_inputs(n)] + [v for v in body.outputs if v.const_value is None]
        outer |= dict.fromkeys(v for v in read if v not in own)
    return list(outer)


def readers_of_integers(quantize: ir.Node) -> list[ir.Node]:
    """Nodes that read the integers of a QuantizeLinear, directly or behind the Clip of a narrow grid."""
    clip = clip_behind(quantize)
    return consumers((clip or quantize).outputs[0])


def clip_behind(quantize: ir.Node) -> ir.Node | None:
    """The Clip that narrows the integers of a QuantizeLinear to a grid of few bits."""
    readers = consumers(quantize.outputs[0])
    return readers[0] if len(readers) == 1 and readers[0].op_type == "Clip" else None


def quantizer_of(dequantize: ir.Node) -> ir.Node | None:
    """The QuantizeLinear whose integers a DequantizeLinear reads, directly or behind a Clip."""
    maker = None if dequantize.inputs[0] is None else dequantize.inputs[0].producer()
    if maker is not None and maker.op_type == "Clip" and maker.inputs[0] is not None:
        maker = maker.inputs[0].producer()
    return maker if maker is not None and maker.op_type == "QuantizeLinear" else None


def through_shapes(value: ir.Value) -> ir.Value:
    """The value that `value` is only a rearrangement of."""
    producer = value.producer()
    while producer is not None and producer.op_type in SHAPE_ONLY and producer.inputs[0] is not None:
        value = producer.inputs[0]
        producer = value.producer()
    return value


def downstream(starts: Iterable[ir.Node]) -> set[ir.Node]:
    """All nodes that depend on the given ones, themselves included."""
    seen: set[ir.Node] = set()
    todo = list(starts)
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            todo += [reader for value in node.outputs for reader in consumers(value)]
    return seen


def upstream(starts: Iterable[ir.Node], stop: Callable[[ir.Node], bool] = lambda node: False) -> set[ir.Node]:
    """All nodes that the given ones depend on, themselves included; none beyond a node where stop() holds."""
    seen: set[ir.Node] = set()
    todo = list(starts)
    while todo:
        node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        if not stop(node):
            read = [*node.inputs, *captured(node)]
            todo += [p for v in read if v is not None and (p := v.producer()) is not None]
    return seen
