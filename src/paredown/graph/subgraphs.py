"""Every graph, node and tensor of a ModelProto, those in the bodies of If, Loop and Scan included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx


def all_graphs(proto: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """The main graph, then the bodies inside it."""
    todo = [proto.graph]
    while todo:
        graph = todo.pop()
        yield graph
        todo += [g for node in graph.node for g in _bodies(node)]


def all_nodes(proto: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """The nodes of all graphs; those of local functions too, where they are not inlined yet."""
    for graph in all_graphs(proto):
        yield from graph.node
    for function in proto.functions:
        todo = list(function.node)
        while todo:
            node = todo.pop()
            yield node
            todo += [inner for body in _bodies(node) for inner in body.node]


def all_tensors(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every stored tensor: initializers, sparse ones, and those in attributes (Constant and others)."""
    for graph in all_graphs(proto):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in all_nodes(proto):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)


def reads(node: onnx.NodeProto) -> list[str]:
    """The names that a node reads: its inputs, and what its bodies take from the graph around them."""
    names = [name for name in node.input if name]
    for body in _bodies(node):
        own = {v.name for v in (*body.input, *body.initializer)} | {o for n in body.node for o in n.output}
        inner = [name for n in body.node for name in reads(n)] + [v.name for v in body.output]
        names += [name for name in inner if name not in own]
    return names


def rename_reads(node: onnx.NodeProto, names: Mapping[str, str]) -> None:
    """Another name for what a node reads, in its bodies too, where those do not use the name themselves."""
    for position, name in enumerate(node.input):
        node.input[position] = names.get(name, name)
    for body in _bodies(node):
        own = {v.name for v in (*body.input, *body.initializer)} | {o for n in body.node for o in n.output}
        left = {name: new for name, new in names.items() if name not in own}
        for inner in body.node:
            rename_reads(inner, left)


def _bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs
