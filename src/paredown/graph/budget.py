"""What a graph would take, found before anything is computed: no tensor larger than a machine can hold.

A file of a kilobyte can ask for terabytes: `ConstantOfShape`, `Expand`, `Tile`, `Range`, `Resize` of
constants, which every simplifier and runtime folds as soon as it opens the model. So the graph is walked
once: ONNX's own shape inference says what each node gives, and small constants (shapes, most of all) are
computed on the way. Where a shape is open in the file, so is all that follows from it.

Differs from `onnx.shape_inference.infer_shapes(data_prop=True)`: constants go through every operator, not a
handful, and each answer is weighed before the next node is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import prod

import numpy as np
import onnx
from onnx import defs, numpy_helper, shape_inference

from paredown.errors import UnsupportedModel
from paredown.graph.outline import MOST_NODES
from paredown.protocols import Array

LARGEST = 1 << 29  # bytes of one computed tensor; 1 x 64 x 1280 x 1280 float32 takes four fifths of it
ALIVE = 1 << 31  # bytes of computed tensors that are needed at once
CONSTANTS = 1 << 28  # bytes that computing constants may add, and
UNPACKED = 8  # times the model's own: weights of 4 bits become float32
DEEPEST = 16  # graphs within graphs
_SMALL = 4096  # elements of a constant that is followed

Types = dict[str, onnx.TypeProto]
_FAILS = (shape_inference.InferenceError, RuntimeError, ValueError, TypeError, LookupError, AttributeError)
"""What onnx raises about a node that is wrong: whoever runs it will say so."""


def check_nodes(proto: onnx.ModelProto, where: str) -> None:
    """Raises UnsupportedModel where the graph, with every call of its own functions written out, has more
    nodes than can be worked on in reasonable time, or functions that call themselves."""
    sizes: dict[tuple[str, str], int] = {}
    waiting = {(f.domain, f.name): f for f in proto.functions}
    while waiting:
        ready = {key: f for key, f in waiting.items() if not _calls(f.node) & waiting.keys()}
        if not ready:
            names = ", ".join(name for _, name in waiting)
            raise UnsupportedModel(f"{where}: its functions call themselves", got=names)
        for key, f in ready.items():
            sizes[key] = sum(sizes.get((n.domain, n.op_type), 1) for n in _all_nodes(f.node))
            del waiting[key]
    refuse_many_nodes(sum(sizes.get((n.domain, n.op_type), 1) for n in _all_nodes(proto.graph.node)), where)


def check_budget(proto: onnx.ModelProto, where: str) -> None:
    """Raises UnsupportedModel, with the figure, where a node makes a tensor of more than LARGEST bytes, more
    than ALIVE are needed at once, or computing the constants takes too many."""
    walk = _Walk(proto, where)
    for value in proto.graph.input:
        walk.weigh(value.type, f"input {value.name!r}", constant=False)
    types = walk.nodes(proto.graph.node, *_given(proto.graph))
    for f in proto.functions:
        walk.nodes(f.node, {}, {}, set())
    peak = _most_alive(proto.graph, types)
    if peak > ALIVE:
        raise UnsupportedModel(
            f"{where}: its tensors take too much memory at once",
            got=f"{peak / 1e9:,.1f} GB",
            expected=f"at most {ALIVE / 1e9:.1f} GB",
        )


def refuse_many_nodes(count: int, where: str) -> None:
    """Raises UnsupportedModel for so many nodes."""
    if count > MOST_NODES:
        raise UnsupportedModel(
            f"{where} has too many nodes",
            got=f"at least {count:,} nodes",
            expected=f"at most {MOST_NODES:,}",
            hint="simplify it where it is exported (onnxslim, onnxsim)",
        )


class _Walk:
    """One pass over a model. types: what is known of a tensor; values: small constants; fixed: constants."""

    def __init__(self, proto: onnx.ModelProto, where: str) -> None:
        self._where, self._ir = where, proto.ir_version
        self._imports = [*proto.opset_import, *(o for f in proto.functions for o in f.opset_import)]
        self._opsets = {o.domain: o.version for o in reversed(self._imports)}
        self._constants, self._most_constants = 0, CONSTANTS + UNPACKED * proto.ByteSize()

    def nodes(
        self, nodes: Iterable[onnx.NodeProto], types: Types, values: dict[str, Array], fixed: set[str]
    ) -> Types:
        """The types of everything that the nodes, and those of graphs within them, give and read."""
        for node in nodes:
            self._node(node, types, values, fixed)
            for inner in _inner(node):
                more_types, more_values, more_fixed = _given(inner)
                self.nodes(inner.node, types | more_types, values | more_values, fixed | more_fixed)
        return types

    def _node(self, node: onnx.NodeProto, types: Types, values: dict[str, Array], fixed: set[str]) -> None:
        constant = bool(node.output) and all(name in fixed for name in node.input if name)
        constant = constant and not node.op_type.startswith("Random")
        stored = node.op_type == "Constant"  # in the file already
        found = self._inferred(node, types, values)
        for name, kind in found.items():
            types[name] = kind
            who = f"node {node.name or node.op_type!r} ({node.op_type})"
            self.weigh(kind, who, constant=constant and not stored)
        if constant:
            fixed.update(node.output)
        values |= self._computed(node, types, values)

    def _inferred(self, node: onnx.NodeProto, types: Types, values: Mapping[str, Array]) -> Types:
        """What the node gives, as far as ONNX can say from the types and small constants that it reads."""
        if any(True for _ in _inner(node)):
            return {}
        names = [n for n in node.input if n]
        if not all(n in types for n in names):
            return {}
        try:
            schema = defs.get_schema(node.op_type, self._opsets[node.domain], node.domain)
            data = {n: numpy_helper.from_array(values[n], n) for n in names if n in values}
            return dict(
                shape_inference.infer_node_outputs(
                    schema, node, {n: types[n] for n in names}, data,
                    opset_imports=self._imports, ir_version=self._ir,
                )
            )  # fmt: skip
        except (*_FAILS, defs.SchemaError):
            return {}

    def _computed(self, node: onnx.NodeProto, types: Types, values: Mapping[str, Array]) -> dict[str, Array]:
        """The node's answers, where they are small constants, or the shape of something known."""
        if not all(0 <= _elements(types.get(name)) <= _SMALL for name in node.output if name):
            return {}
        if node.op_type == "Shape" and node.domain == "" and not node.attribute:
            shape = _shape(types.get(node.input[0]))
            return {} if shape is None else {node.output[0]: np.array(shape, np.int64)}
        if not all(name in values for name in node.input if name) or node.op_type.startswith("Random"):
            return {}
        try:
            from onnx.reference import ReferenceEvaluator  # takes a while: most models need none of it

            given = {n: values[n] for n in node.input if n}
            answers = ReferenceEvaluator(node, opsets=self._opsets).run(None, given)
        except (*_FAILS, NotImplementedError, ArithmeticError):
            return {}
        return {n: a for n, a in zip(node.output, answers, strict=False) if isinstance(a, np.ndarray)}

    def weigh(self, kind: onnx.TypeProto, who: str, *, constant: bool) -> None:
        """Raises UnsupportedModel where a tensor is too large, or with it the constants are."""
        size = max(_bytes(kind), 0)
        if size > LARGEST:
            raise UnsupportedModel(
                f"{self._where}: {who} makes a tensor that is too large",
                got=f"{_spelled(kind)}: {size / 1e9:,.1f} GB",
                expected=f"at most {LARGEST / 1e9:.1f} GB",
            )
        self._constants += size if constant else 0
        if self._constants > self._most_constants:
            raise UnsupportedModel(
                f"{self._where}: computing its constants takes too much memory",
                got=f"{self._constants / 1e9:.1f} GB at {who}",
                expected=f"at most {self._most_constants / 1e9:.1f} GB",
            )


def _given(graph: onnx.GraphProto) -> tuple[Types, dict[str, Array], set[str]]:
    """Types, small values and names of what a graph begins with: its inputs and stored constants."""
    types = {value.name: value.type for value in graph.input}
    stored = {t.name: t for t in graph.initializer}
    types |= {n: onnx.helper.make_tensor_type_proto(t.data_type, t.dims) for n, t in stored.items()}
    values = {n: v for n, t in stored.items() if (v := _value(t)) is not None}
    return types, values, set(stored)


def _value(tensor: onnx.TensorProto) -> Array | None:
    """A small stored constant; None for a large one, and where its data does not fit its shape."""
    if prod(tensor.dims) > _SMALL or tensor.ByteSize() > 64 * _SMALL:
        return None
    try:
        return numpy_helper.to_array(tensor)
    except _FAILS:
        return None


def _inner(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs within a node: branches and bodies."""
    for attribute in node.attribute:
        yield from (g for g in (attribute.g, *attribute.graphs) if g.node)


def _all_nodes(nodes: Iterable[onnx.NodeProto], depth: int = 0) -> Iterator[onnx.NodeProto]:
    """The nodes and those of graphs within them."""
    if depth > DEEPEST:
        raise UnsupportedModel("graphs stand too deeply within each other", got=f"over {DEEPEST} levels")
    for node in nodes:
        yield node
        for inner in _inner(node):
            yield from _all_nodes(inner.node, depth + 1)


def _calls(nodes: Iterable[onnx.NodeProto]) -> set[tuple[str, str]]:
    return {(n.domain, n.op_type) for n in _all_nodes(nodes)}


def _most_alive(graph: onnx.GraphProto, types: Types) -> int:
    """The most bytes of computed tensors alive at once, when nodes run in file order."""
    last = {name: i for i, node in enumerate(graph.node) for name in node.input}
    kept = {value.name for value in graph.output}
    alive: dict[str, int] = {}
    held = most = 0
    for i, node in enumerate(graph.node):
        for name in node.output:
            alive[name] = max(_bytes(types.get(name)), 0)
            held += alive[name]
        most = max(most, held)
        for name in {*node.input, *node.output} - kept:
            if last.get(name, i) == i:
                held -= alive.pop(name, 0)
    return most


def _shape(kind: onnx.TypeProto | None) -> tuple[int, ...] | None:
    """The shape where all of it is known."""
    if kind is None or not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        return None
    dims = kind.tensor_type.shape.dim
    return tuple(d.dim_value for d in dims) if all(d.HasField("dim_value") for d in dims) else None


def _elements(kind: onnx.TypeProto | None) -> int:
    """How many values, -1 where that is not known."""
    shape = _shape(kind)
    return -1 if shape is None or any(d < 0 for d in shape) else prod(shape)


def _bytes(kind: onnx.TypeProto | None) -> int:
    """How many bytes, below zero where that is not known."""
    if kind is None:
        return -1
    try:
        item = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.tensor_type.elem_type)).itemsize
    except (KeyError, ValueError):
        item = 1
    return _elements(kind) * int(item)


def _spelled(kind: onnx.TypeProto) -> str:
    return "x".join(map(str, _shape(kind) or ()))
