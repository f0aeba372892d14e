"""Half and double precision become float32: what recipes start from.

The types of inputs and outputs stay, behind a Cast of their own, so that whoever feeds the model goes on as
before. Every float16 number is a float32 number; of doubles what float32 cannot hold is its nearest.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from paredown.graph.load import from_proto, to_proto
from paredown.graph.notes import add_note
from paredown.graph.precision import DOUBLE, HALF, layers_in, require_unquantized
from paredown.graph.subgraphs import all_graphs, all_nodes, all_tensors, rename_reads
from paredown.model import Model

_WIDTHS: dict[int, str] = {
    TensorProto.FLOAT16: "float16",
    TensorProto.BFLOAT16: "bfloat16",
    TensorProto.DOUBLE: "float64",
}
_TYPES = ("to", "dtype")  # attributes that name a tensor's type: of Cast, EyeLike, RandomUniform, ...


def as_float(model: Model) -> Model:
    """The model that recipes start from: itself, or in float32 where its layers are in half or double
    precision, which its notes then say. Raises UnsupportedModel where it is quantized already."""
    require_unquantized(model)
    proto = to_proto(model)
    layers = [*layers_in(proto, HALF | DOUBLE)]
    if not layers:
        return model
    kinds = sorted({_WIDTHS[t.data_type] for t in all_tensors(proto) if t.data_type in _WIDTHS})
    to_single(proto)
    add_note(proto, f"{len(layers)} layers in {' and '.join(kinds)} are computed in float32")
    made = from_proto(proto, model.name)
    return made if model.card is None else made.with_card(model.card)


def runnable(model: Model) -> Model:
    """The model itself, or in float32 where layers are in double precision: no runtime has kernels for it."""
    return as_float(model) if any(layers_in(to_proto(model), DOUBLE)) else model


def to_single(proto: onnx.ModelProto) -> None:
    """Changes the proto: every tensor of half or double precision is float32, inputs and outputs apart."""
    for tensor in all_tensors(proto):
        if tensor.data_type in _WIDTHS:
            tensor.CopyFrom(_single(tensor))
    for node in all_nodes(proto):
        for attribute in node.attribute:
            if attribute.name in _TYPES and attribute.i in _WIDTHS:
                attribute.i = TensorProto.FLOAT
    first = proto.graph
    for graph in all_graphs(proto):
        ends = () if graph is first else (*graph.input, *graph.output)
        for value in (*graph.value_info, *ends):
            if value.type.tensor_type.elem_type in _WIDTHS:
                value.type.tensor_type.elem_type = TensorProto.FLOAT
    _cast_inputs(first)
    _cast_outputs(first)


def _single(tensor: TensorProto) -> TensorProto:
    most = np.finfo(np.float32).max
    values = numpy_helper.to_array(tensor)
    wide = np.asarray(values, np.float64)
    held = np.where(np.isfinite(wide), np.clip(wide, -most, most), wide)
    return numpy_helper.from_array(held.astype(np.float32), tensor.name)


def _cast_inputs(graph: onnx.GraphProto) -> None:
    stored = {t.name for t in graph.initializer}
    fresh = _fresh(graph)
    names: dict[str, str] = {}
    for value in graph.input:
        if value.type.tensor_type.elem_type not in _WIDTHS:
            continue
        if value.name in stored:  # an old file lists its weights among the inputs
            value.type.tensor_type.elem_type = TensorProto.FLOAT
        else:
            names[value.name] = fresh(f"{value.name}_float32")
    for node in graph.node:
        rename_reads(node, names)
    casts = [helper.make_node("Cast", [a], [b], name=b, to=TensorProto.FLOAT) for a, b in names.items()]
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _cast_outputs(graph: onnx.GraphProto) -> None:
    made = {name for node in graph.node for name in node.output}  # an input handed through is as it was
    fresh = _fresh(graph)
    for value in graph.output:
        kind = value.type.tensor_type.elem_type
        if kind not in _WIDTHS or value.name not in made:
            continue
        inner = fresh(f"{value.name}_float32")
        for node in graph.node:
            rename_reads(node, {value.name: inner})
            for place, name in enumerate(node.output):
                node.output[place] = inner if name == value.name else name
        graph.node.append(helper.make_node("Cast", [inner], [value.name], name=f"{inner}_back", to=kind))


def _fresh(graph: onnx.GraphProto) -> Callable[[str], str]:
    """What makes a name that no tensor of the graph has."""
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    taken |= {v.name for v in (*graph.input, *graph.output, *graph.value_info)}

    def name(wish: str) -> str:
        while wish in taken:
            wish += "_"
        taken.add(wish)
        return wish

    return name
