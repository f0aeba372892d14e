"""How every layer of a model file computes: in which numbers, how many multiply-accumulates, fed by what.

A layer is a node that computes or moves values of the network. Quantize and dequantize nodes, what unpacks a
stored weight and what a recipe added around an integer product are conversions: they carry no layer of their
own, and the layers read through them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from math import ceil, log2, prod
from typing import Literal

import numpy as np
import onnx
import onnx_ir as ir

from paredown.graph.inspect import macs_of
from paredown.graph.load import from_proto, to_proto
from paredown.graph.walk import constant, consumers, shape_of, to_ir
from paredown.model import Model

Arithmetic = Literal["integer", "float", "index"]
CONVERSIONS = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"})
INTEGER = frozenset({"ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul"})
ABSORBED = frozenset({"Relu", "Clip"})  # part of the kernel in front of them where the grid behind clips
_FLOATS = frozenset({ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.DOUBLE, ir.DataType.BFLOAT16})
MAX_BYTES = 1 << 31  # of a protobuf message: larger ones cannot have their shapes inferred


@dataclass(frozen=True)
class Layer:
    """One layer. `name` is that of the node in the float model, `node` that in this file.

    arithmetic: "index" for shapes, indices and truth values, which are no numbers of the network.
    weight_bits: bits of a stored weight, None where it has none. activation_bits: of what it reads, None
    where that is float. inputs: names of the layers whose results it reads. outputs: names of its tensors.
    """

    name: str
    node: str
    op: str
    arithmetic: Arithmetic
    weight_bits: int | None
    activation_bits: int | None
    macs: int
    shape: tuple[int, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...] = field(repr=False)

    @property
    def bits(self) -> str:
        """ "W8A8", "W4A8", "A8" without a weight, "W8" for a weight stored in integers only, or "float"."""
        if self.arithmetic == "index":
            return "index"
        weight = f"W{self.weight_bits}" if self.weight_bits is not None and self.weight_bits < 16 else ""
        if self.arithmetic == "integer":
            return f"{weight}A{self.activation_bits or 8}"
        return weight or ("FP16" if self.weight_bits == 16 else "float")


@dataclass(frozen=True)
class Layers:
    """All layers of a file in the order of the graph, and the names of the conversions between them."""

    layers: tuple[Layer, ...]
    conversions: tuple[str, ...]


def layers_of(model: Model, source: Collection[str] = ()) -> Layers:
    """The layers of a model file.

    source: names of the float model's nodes; what stands in the graph beside them was added by a recipe.
    """
    graph = to_ir(_with_shapes(model)).graph
    names = {str(n.name) for n in graph}
    known = set(source) if names & set(source) else names  # another tool may have named all of them anew
    stored = _stored(graph)
    between = {n for n in graph if n not in stored and _converts(n, known)}
    layers = [
        _layer(n, stored, between, known) for n in graph if n not in stored and n not in between and n.outputs
    ]
    return Layers(tuple(layers), tuple(str(n.name) for n in graph if n in between or n in stored))


def _with_shapes(model: Model) -> Model:
    """The model with the shape of every tensor, as far as ONNX can tell."""
    if model.size_bytes >= MAX_BYTES:
        return model
    return from_proto(onnx.shape_inference.infer_shapes(to_proto(model)), model.name)


def _stored(graph: ir.Graph) -> set[ir.Node]:
    """Nodes that read constants only: they unpack a weight when the model is loaded."""
    found: set[ir.Node] = set()
    for node in graph:
        given = [v for v in node.inputs if v is not None]
        if given and all(v.const_value is not None or v.producer() in found for v in given):
            found.add(node)
    return found


def _converts(node: ir.Node, known: Collection[str]) -> bool:
    if node.op_type in CONVERSIONS:
        return True
    if node.op_type in INTEGER:
        return False
    maker = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
    if node.op_type == "Clip" and maker is not None and maker.op_type == "QuantizeLinear":
        return True  # narrows a grid
    return str(node.name) not in known


def _shape(value: ir.Value) -> tuple[int, ...]:
    """The shape, () where it is not known."""
    return () if value.shape is None else shape_of(value)


def _original(name: str, known: Collection[str]) -> str:
    """The name of the float model's node that a node stands for: quantizers lengthen what they replace."""
    if name in known:
        return name
    return max((k for k in known if name.startswith(k)), key=len, default=name)


def _layer(node: ir.Node, stored: set[ir.Node], between: set[ir.Node], known: Collection[str]) -> Layer:
    data = [v for v in node.inputs if v is not None and v.const_value is None and v.producer() not in stored]
    dtype = node.outputs[0].dtype
    index = dtype is not None and dtype not in _FLOATS and node.op_type not in INTEGER
    integer = not index and (node.op_type in INTEGER or _on_grids(node, data))
    return Layer(
        name=_original(str(node.name), known),
        node=str(node.name),
        op=node.op_type,
        arithmetic="index" if index else "integer" if integer else "float",
        weight_bits=_weight_bits(node, stored),
        activation_bits=_grid_bits(data) if integer else None,
        macs=macs_of(node),
        shape=_shape(node.outputs[0]),
        inputs=tuple(dict.fromkeys(_original(str(n.name), known) for v in data for n in _makers(v, between))),
        outputs=tuple(str(v.name) for v in node.outputs),
    )


def _makers(value: ir.Value, between: set[ir.Node]) -> Iterator[ir.Node]:
    """The layers that a value comes from, through conversions."""
    seen: set[ir.Node] = set()
    todo = [value.producer()]
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node not in between:
            yield node
        else:
            todo += [v.producer() for v in node.inputs if v is not None and v.const_value is None]


def _on_grids(node: ir.Node, data: list[ir.Value]) -> bool:
    """True where all that a node reads and writes lies on grids: then the runtime computes it in integers."""
    return bool(data) and all(_from_grid(v, node) for v in data) and all(_to_grid(v) for v in node.outputs)


def _from_grid(value: ir.Value, reader: ir.Node) -> bool:
    maker = value.producer()
    if maker is None:
        return False
    if maker.op_type == "DequantizeLinear":
        return True
    behind = [v for v in maker.inputs if v is not None and v.const_value is None]
    return reader.op_type in ABSORBED and bool(behind) and any(_from_grid(v, maker) for v in behind)


def _to_grid(value: ir.Value) -> bool:
    if value.is_graph_output():
        return False
    readers = consumers(value)
    if len(readers) == 1 and readers[0].op_type in ABSORBED:
        return _to_grid(readers[0].outputs[0])
    return bool(readers) and all(r.op_type == "QuantizeLinear" for r in readers)


def _grid_bits(data: list[ir.Value]) -> int:
    """Bits of the integers that a layer reads: of the widest grid where there are several."""
    widest = 0
    for value in data:
        maker = value.producer()
        integers = maker.inputs[0] if maker is not None and maker.op_type == "DequantizeLinear" else None
        if integers is None:
            continue
        clip = integers.producer()
        limits = [] if clip is None or clip.op_type != "Clip" else [constant(v) for v in clip.inputs[1:3]]
        if len(limits) == 2 and all(v is not None for v in limits):
            low, high = (int(np.asarray(v)) for v in limits)
            widest = max(widest, ceil(log2(high - low + 1)))
        else:
            widest = max(widest, 8 if integers.dtype is None else integers.dtype.bitwidth)
    return widest or 8


def _weight_bits(node: ir.Node, stored: set[ir.Node]) -> int | None:
    """Bits of each stored value of the weight; None where the layer has no constant weight."""
    place = 3 if node.op_type.startswith("QLinear") else 1
    if (macs_of(node) == 0 and node.op_type not in INTEGER) or len(node.inputs) <= place:
        return None
    weight = node.inputs[place]
    if weight is None or (weight.const_value is None and weight.producer() not in stored):
        return None
    values = max(_constants(weight), key=lambda v: v.const_value.nbytes if v.const_value is not None else 0)
    tensor = values.const_value
    if tensor is None or tensor.size == 0:
        return None
    if tensor.dtype in _FLOATS and not (weight.const_value is None and tensor.size < prod(_shape(weight))):
        return tensor.dtype.bitwidth
    if tensor.dtype.bitwidth == 8 and tensor.size >= (prod(_shape(weight)) or tensor.size):
        return _needed(tensor.numpy())
    count = prod(_shape(weight)) or tensor.size
    return max(1, min(tensor.dtype.bitwidth, round(8 * tensor.nbytes / count)))


def _constants(value: ir.Value) -> Iterator[ir.Value]:
    """The constants that a value is unpacked from."""
    if value.const_value is not None:
        yield value
        return
    maker = value.producer()
    for given in () if maker is None else maker.inputs:
        if given is not None:
            yield from _constants(given)


def _needed(integers: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> int:
    """Bits that hold the integers' range: 8 for -127..127, 7 for -63..63, 4 for -7..7, 1 for two values."""
    low, high = int(integers.min()), int(integers.max())
    if high - low <= 2 and len(np.unique(integers)) <= 2:
        return 1
    return max(2, ceil(log2(high - low + 1)))
