"""Codebooks: the weights of a layer take one of k values, stored as 4-bit (8-bit) indices and a table.

The weight becomes Gather(table, Cast(indices)), which ONNX Runtime folds when the model is loaded. Behind
w8a8 the table holds int8 integers, so the layer still computes in INT8; before it, float32. Where weights
were pruned, zero is one of the k values, exactly. How the values are found: pack/codebook.py.

With `bits`, so many bits a weight are what the indices hold once they are entropy-coded (pack/pdz.py).
`distill` behind this step learns the values, and which weight takes which.

Source: Han et al. 2016, "Deep Compression", arXiv 1510.00149, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import ml_dtypes
import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.compress.pack.codebook import Book, entropy, kmeans, lattice, widths
from paredown.compress.pack.feedback import rounded
from paredown.compress.pack.int4 import INT4, integers_of, raise_opset
from paredown.compress.pack.worth import sensitivities
from paredown.compress.recipe import Context, Step
from paredown.errors import UsageError
from paredown.graph.walk import constant, shape_of, to_model, weight_of
from paredown.measurement import StepRecord

NARROW = 16  # values of a table whose indices take 4 bits
LARGEST = 256  # values of a table: 8-bit indices
WORTH = 512  # weights: smaller layers stay as they are
NOT_FASTER = (
    "codebooks make the file smaller, most of all once it is packed (.pdz); the runtime turns them back "
    "when it loads the model and computes as before, so expect no gain in latency"
)
UNSHARED = "paredown.unshared"  # on a codebook's Gather: the weight before it took the table's values


@dataclass(frozen=True)
class Cluster(Step):
    """cluster: the weights of every layer from a table of k values."""

    kind: ClassVar[str] = "cluster"
    summary: ClassVar[str] = "codebooks of 16 values a layer (Han 2016), turned back when loaded"

    # with bits: errors that make up for each other (pack/feedback.py), bits where they matter (pack/worth.py)
    rounding: Literal["", "gptq"] = ""
    k: int = 0  # values of a table, at most; 0: 16, or 256 where bits are given
    bits: float = 0.0  # a weight, entropy-coded; 0: as many as k values need

    @property
    def values(self) -> int:
        return self.k or (LARGEST if self.bits else NARROW)

    def check(self) -> None:
        """Raises UsageError for a table of no or too many values."""
        if not 2 <= self.values <= LARGEST:
            raise UsageError(
                f"{self.name}: no such table", got=f"{self.k} values", expected=f"2 to {LARGEST}"
            )
        if self.rounding and not self.bits:
            raise UsageError(f"{self.name}: even cells are needed", hint="say how many bits: -bits2.5")
        if self.bits and not 0.5 <= self.bits <= 8:
            raise UsageError(f"{self.name}: no such size", got=f"{self.bits:g} bits", expected="0.5 to 8")


def apply(step: Cluster, model: ir.Model, context: Context) -> tuple[ir.Model, tuple[StepRecord, ...]]:
    """The graph with shared weights, and a record for every layer."""
    step.check()
    if not any(_weight(node) is not None for node in model.graph):
        return model, (StepRecord(step.name, "", "skipped", "no layer with a constant weight"),)
    model = raise_opset(model, INT4)
    weights = {node: array for node in model.graph if (array := _weight(node)) is not None}
    spared = {node: why for node, w in weights.items() if (why := _why_spared(step, node, w, context))}
    books = _books(step, model, {node: w for node, w in weights.items() if node not in spared}, context)
    log = [StepRecord(step.name, "", "note", NOT_FASTER)] if books else []
    for node, weight in weights.items():
        if node in spared:
            log.append(StepRecord(step.name, _layer(node), *spared[node]))
            continue
        book = books[node]
        _store(model.graph, node, weight, book)
        gap = np.mean((book.values.astype(np.float64) - weight) ** 2) / max(np.var(weight), 1e-30)
        data = {"error": round(float(gap), 5), "bits": round(entropy(book.indices), 3)}
        log.append(StepRecord(step.name, _layer(node), "changed", f"{len(book.table)} values", data))
    return model, tuple(log)


def _why_spared(
    step: Cluster, node: ir.Node, weight: NDArray[Any], context: Context
) -> tuple[str, str] | None:
    """Action and reason."""
    if _layer(node) in context.keep_float:
        return "float", "kept float as asked"
    return ("skipped", f"fewer than {WORTH} values") if weight.size < WORTH else None


def _books(
    step: Cluster, model: ir.Model, weights: Mapping[ir.Node, NDArray[Any]], context: Context
) -> dict[ir.Node, Book]:
    if not step.bits:
        return {node: kmeans(w, step.values) for node, w in weights.items()}
    found = widths(weights, step.values, step.bits)
    if not step.rounding:
        return {node: lattice(w, step.values, found[node]) for node, w in weights.items()}
    network = to_model(model, context.source)
    sensitivity = sensitivities(network, weights, found, step.values, context)
    found = widths(weights, step.values, step.bits, sensitivity)
    books = {node: lattice(w, step.values, found[node]) for node, w in weights.items()}
    # what was pruned must stay zero, so such layers are not rounded again
    whole = {node: w for node, w in weights.items() if weight_of(node) is not None and np.all(w)}
    return books | dict(rounded(network, whole, found, step.values, context))


def _layer(node: ir.Node) -> str:
    """The name of the layer that multiplies with the weight."""
    return str(node.name) if node.op_type != "DequantizeLinear" else _reader(node)


def _weight(node: ir.Node) -> NDArray[Any] | None:
    """What a layer multiplies with: its float weight, or the integers behind its DequantizeLinear."""
    if node.op_type == "DequantizeLinear":
        return integers_of(node)
    weight = weight_of(node)
    return None if weight is None else constant(weight)


def _reader(dq: ir.Node) -> str:
    return str(next(iter(dq.outputs[0].uses())).node.name)


def _store(graph: ir.Graph, node: ir.Node, weight: NDArray[Any], book: Book) -> None:
    place = 0 if node.op_type == "DequantizeLinear" else 1
    old = node.inputs[place]
    assert old is not None
    name, shape = f"{old.name}_{node.name}", ir.Shape(shape_of(old))
    narrow = len(book.table) <= NARROW
    stored = book.indices.astype(ml_dtypes.uint4 if narrow else np.uint8)
    index_type = ir.DataType.UINT4 if narrow else ir.DataType.UINT8
    packed = ir.Value(
        name=f"{name}_index",
        type=ir.TensorType(index_type),
        shape=shape,
        const_value=ir.Tensor(stored, dtype=index_type, name=f"{name}_index"),
    )
    values = ir.tensor(book.table, name=f"{name}_table")
    values_of = ir.Value(
        name=values.name,
        type=ir.TensorType(values.dtype),
        shape=ir.Shape(book.table.shape),
        const_value=values,
    )
    graph.register_initializer(packed)
    graph.register_initializer(values_of)
    cast = ir.Node("", "Cast", [packed], [ir.AttrInt64("to", ir.DataType.INT32)], name=f"{name}_Cast")
    gather = ir.Node("", "Gather", [values_of, cast.outputs[0]], name=f"{name}_Gather")
    for made, output, dtype in ((cast, "wide", ir.DataType.INT32), (gather, "shared", values.dtype)):
        made.outputs[0].name = f"{name}_{output}"
        made.outputs[0].type, made.outputs[0].shape = ir.TensorType(dtype), shape
    if weight.dtype == np.float32:
        gather.meta[UNSHARED] = weight if book.start is None else book.start
    graph.insert_before(node, [cast, gather])
    node.replace_input_with(place, gather.outputs[0])
    if not old.uses():
        del graph.initializers[str(old.name)]
