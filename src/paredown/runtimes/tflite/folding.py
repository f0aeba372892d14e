"""Constants that the graph computes from others, such as weights behind a table of levels."""

from __future__ import annotations

from collections.abc import Iterable

import onnx
from onnx import helper, numpy_helper

from paredown.graph.cut import nodes_before, part_of
from paredown.graph.load import from_proto, to_proto
from paredown.graph.run import run_once
from paredown.graph.subgraphs import reads
from paredown.model import Model

_FOUR_BITS = (onnx.TensorProto.INT4, onnx.TensorProto.UINT4)


def fold_constants(model: Model) -> tuple[Model, frozenset[str], frozenset[str]]:
    """The model without nodes that read constants only, and the constants that were stored in four bits, and
    those stored in float16.

    A DequantizeLinear stays: its integers and scales are what is written. The Cast and Mul by which int8
    weights become real (the step w8) are read as one.
    """
    proto = to_proto(model)
    graph = proto.graph
    _read_as_dequantized(graph)
    four = {t.name for t in graph.initializer if t.data_type in _FOUR_BITS}
    half = {t.name for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT16}
    known, folded = {t.name for t in graph.initializer}, []
    for node in graph.node:
        if node.op_type != "DequantizeLinear" and known.issuperset(reads(node)):
            folded.append(node)
            known.update(node.output)
            if four.intersection(node.input):
                four.update(node.output)
            if node.op_type == "Cast" and half.intersection(node.input):
                half.update(node.output)
    kept = [node for node in graph.node if node not in folded]
    constants = _evaluated(proto, folded, kept) if folded else []
    del graph.node[:]
    graph.node.extend(kept)
    graph.initializer.extend(constants)
    shaped = onnx.shape_inference.infer_shapes(proto, data_prop=True)  # a packed file leaves shapes out
    return from_proto(shaped, model.name), frozenset(four), frozenset(half)


def _read_as_dequantized(graph: onnx.GraphProto) -> None:
    """Puts a DequantizeLinear in the place of every Mul(Cast(int8 constant), scales of at most one axis)."""
    constants = {t.name: t for t in graph.initializer}
    casts = {n.output[0]: n.input[0] for n in graph.node if n.op_type == "Cast"}
    for node in graph.node:
        if node.op_type != "Mul" or node.input[1] not in constants:
            continue
        stored = constants.get(casts.get(node.input[0], ""))
        scales = constants[node.input[1]]
        axes = [axis for axis, size in enumerate(scales.dims) if size > 1]
        fits = len(axes) <= 1 and (not scales.dims or stored is None or len(scales.dims) == len(stored.dims))
        if stored is None or stored.data_type != onnx.TensorProto.INT8 or not fits:
            continue
        name = f"{scales.name}_flat"
        flat = numpy_helper.to_array(scales).reshape(-1 if axes else ())
        graph.initializer.append(numpy_helper.from_array(flat, name))
        reads, axis = [stored.name, name], axes[0] if axes else 0
        node.CopyFrom(helper.make_node("DequantizeLinear", reads, [*node.output], node.name, axis=axis))


def _evaluated(
    proto: onnx.ModelProto, folded: list[onnx.NodeProto], kept: Iterable[onnx.NodeProto]
) -> list[onnx.TensorProto]:
    """What the other nodes read of the folded ones."""
    needed = {name for node in kept for name in reads(node)} | {v.name for v in proto.graph.output}
    names = sorted(needed.intersection(o for node in folded for o in node.output))
    if not names:
        return []
    types = {v.name: v for v in (*proto.graph.value_info, *proto.graph.output)}
    outputs = [types.get(name) or onnx.ValueInfoProto(name=name) for name in names]
    part = part_of(proto, nodes_before(proto.graph, names), [], outputs)
    answers = run_once(part.SerializeToString(), {})
    return [numpy_helper.from_array(answers[name], name) for name in names]
