"""Parts of a graph as graphs of their own: what tensors depend on, and all before or behind a border."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import onnx
from onnx import helper

from paredown.graph.subgraphs import reads


def nodes_before(graph: onnx.GraphProto, tensors: Iterable[str]) -> list[onnx.NodeProto]:
    """The nodes that these tensors depend on, in their order: the runtime runs others all the same."""
    needed, kept = set(tensors), []
    for node in reversed(graph.node):
        if not needed.isdisjoint(node.output):
            needed.update(reads(node))
            kept.append(node)
    return kept[::-1]


def leave_out_tail(graph: onnx.GraphProto) -> None:
    """Takes away what no output depends on: a tail that scales maps up can cost more than all before it."""
    kept = nodes_before(graph, [value.name for value in graph.output])
    del graph.node[:]
    graph.node.extend(kept)


def part_of(
    proto: onnx.ModelProto,
    nodes: Iterable[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    stored: Sequence[onnx.TensorProto] | None = None,
) -> onnx.ModelProto:
    """A model of some nodes of another. stored: its constants, if not those of `proto` that they read."""
    kept = list(nodes)
    if stored is None:
        read = {name for node in kept for name in reads(node)}
        stored = [tensor for tensor in proto.graph.initializer if tensor.name in read]
    graph = helper.make_graph(kept, proto.graph.name or "part", inputs, outputs, stored)
    return helper.make_model(graph, opset_imports=proto.opset_import, ir_version=proto.ir_version)


def cut(
    proto: onnx.ModelProto, tensors: Collection[str], heads: Collection[str]
) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """The nodes before the first that reads one of the tensors, and all from there on. What the first part
    makes and the second reads, and the heads and tensors among it, are its outputs and the second's inputs.

    All nodes are in the second part where a border cannot be drawn: a tensor of unknown type is no input.
    """
    nodes, graph = list(proto.graph.node), proto.graph
    first = next((i for i, n in enumerate(nodes) if not set(tensors).isdisjoint(reads(n))), len(nodes))
    known = {v.name: v for v in (*graph.input, *graph.value_info, *graph.output)}
    names = _border(graph, first, {*tensors, *heads})
    if not names <= known.keys():
        first = 0
        names = _border(graph, first, {*tensors, *heads})
    border = [known[name] for name in sorted(names)]
    return (
        part_of(proto, nodes[:first], list(graph.input), border),
        part_of(proto, nodes[first:], border, list(graph.output)),
    )


def _border(graph: onnx.GraphProto, first: int, wanted: Collection[str]) -> set[str]:
    """What is there before the first of the later nodes and is read by these, or wanted."""
    nodes = list(graph.node)
    read = {name for node in nodes[first:] for name in reads(node)} | set(wanted)
    return read & ({name for node in nodes[:first] for name in node.output} | {v.name for v in graph.input})
