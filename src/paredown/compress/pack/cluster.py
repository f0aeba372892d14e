"""Codebooks: the weights of a layer take one of k values, stored as 4-bit (8-bit) indices and a table.

Every layer's values w are clustered, least squares in one dimension:

    min over c_1..c_k of  sum_w min_j (w - c_j)^2

and the weight becomes Gather(table, Cast(indices)), which ONNX Runtime folds when the model is loaded. Behind
w8a8 the table holds int8 integers, so the layer still computes in INT8; before it, float32. Where weights
were pruned, zero is one of the k values, exactly, and only they take it.

Source: Han et al. 2016, "Deep Compression", arXiv 1510.00149, section 3, linear initialisation. Its
fine-tuning is the step `distill` behind this one: a table is learned by the sum of its weights' gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import ml_dtypes
import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.compress.pack.int4 import INT4, integers_of, raise_opset
from paredown.compress.recipe import Context, Step
from paredown.errors import UsageError
from paredown.graph.walk import constant, shape_of, weight_of
from paredown.measurement import StepRecord

LARGEST = 256  # values of a table: 8-bit indices; up to 16 take 4 bits
WORTH = 32  # weights for each value of the table: smaller layers stay as they are
ROUNDS = 30  # of Lloyd's iteration, which settles sooner


@dataclass(frozen=True)
class Cluster(Step):
    """cluster: the weights of every layer from a table of k values."""

    kind: ClassVar[str] = "cluster"
    summary: ClassVar[str] = "k-means codebooks of 16 values a layer (Han 2016), turned back when loaded"

    k: int = 16

    def check(self) -> None:
        """Raises UsageError for a table of no or too many values."""
        if not 2 <= self.k <= LARGEST:
            raise UsageError(
                f"{self.name}: no such table", got=f"{self.k} values", expected=f"2 to {LARGEST}"
            )


def apply(step: Cluster, model: ir.Model, context: Context) -> tuple[ir.Model, tuple[StepRecord, ...]]:
    """The graph with shared weights, and a record for every layer."""
    step.check()
    if not any(_weight(node) is not None for node in model.graph):
        return model, (StepRecord(step.name, "", "skipped", "no layer with a constant weight"),)
    model = raise_opset(model, INT4)
    log = [
        _cluster(step, model.graph, node, context) for node in list(model.graph) if _weight(node) is not None
    ]
    return model, tuple(log)


def _cluster(step: Cluster, graph: ir.Graph, node: ir.Node, context: Context) -> StepRecord:
    """Gives one layer its table and indices, and says how well they fit."""
    weight = np.asarray(_weight(node))
    where = str(node.name) if node.op_type != "DequantizeLinear" else _reader(node)
    if where in context.keep_float:
        return StepRecord(step.name, where, "float", "kept float as asked")
    if weight.size < WORTH * step.k:
        return StepRecord(step.name, where, "skipped", f"fewer than {WORTH * step.k} values")
    table, indices = kmeans(weight, step.k)
    _store(graph, node, table, indices)
    error = float(np.mean((table[indices].astype(np.float64) - weight) ** 2) / max(np.var(weight), 1e-30))
    return StepRecord(step.name, where, "changed", f"{len(table)} values", {"error": round(error, 5)})


def kmeans(w: NDArray[Any], k: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """The table (at most k,) in w's own type, rising, and every value's index, in w's shape.

    Zeros of w keep a value of their own where there are any.
    """
    flat = w.reshape(-1)
    kept = flat != 0
    zeros = not kept.all()
    centres = _lloyd(flat[kept].astype(np.float64), k - zeros)
    table = np.unique((np.rint(centres) if np.issubdtype(w.dtype, np.integer) else centres).astype(w.dtype))
    nearest = np.searchsorted((table[1:].astype(np.float64) + table[:-1]) / 2, flat)
    if zeros:
        values = table[nearest] * kept
        table = np.union1d(table, np.zeros(1, w.dtype))
        nearest = np.searchsorted(table, values)
    return table, nearest.astype(np.uint8).reshape(w.shape)


def _lloyd(values: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """At most k centres, rising, each the mean of the values nearest to it."""
    if not values.size:
        return values
    centres = np.linspace(values.min(), values.max(), k)
    for _ in range(ROUNDS):
        index = np.searchsorted((centres[1:] + centres[:-1]) / 2, values)
        count = np.bincount(index, minlength=k)
        moved = np.where(count > 0, np.bincount(index, values, k) / np.maximum(count, 1), centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    used = np.bincount(np.searchsorted((centres[1:] + centres[:-1]) / 2, values), minlength=k) > 0
    return centres[used]


def _weight(node: ir.Node) -> NDArray[Any] | None:
    """What a layer multiplies with: its float weight, or the integers behind its DequantizeLinear."""
    if node.op_type == "DequantizeLinear":
        return integers_of(node)
    weight = weight_of(node)
    return None if weight is None else constant(weight)


def _reader(dq: ir.Node) -> str:
    return str(next(iter(dq.outputs[0].uses())).node.name)


def _store(graph: ir.Graph, node: ir.Node, table: NDArray[Any], indices: NDArray[np.uint8]) -> None:
    place = 0 if node.op_type == "DequantizeLinear" else 1
    old = node.inputs[place]
    assert old is not None
    name, shape = f"{old.name}_{node.name}", ir.Shape(shape_of(old))
    narrow = len(table) <= 16
    stored = indices.astype(ml_dtypes.uint4 if narrow else np.uint8)
    index_type = ir.DataType.UINT4 if narrow else ir.DataType.UINT8
    packed = ir.Value(
        name=f"{name}_index",
        type=ir.TensorType(index_type),
        shape=shape,
        const_value=ir.Tensor(stored, dtype=index_type, name=f"{name}_index"),
    )
    values = ir.tensor(table, name=f"{name}_table")
    book = ir.Value(
        name=values.name, type=ir.TensorType(values.dtype), shape=ir.Shape(table.shape), const_value=values
    )
    graph.register_initializer(packed)
    graph.register_initializer(book)
    cast = ir.Node("", "Cast", [packed], [ir.AttrInt64("to", ir.DataType.INT32)], name=f"{name}_Cast")
    gather = ir.Node("", "Gather", [book, cast.outputs[0]], name=f"{name}_Gather")
    for made, output, dtype in ((cast, "wide", ir.DataType.INT32), (gather, "shared", values.dtype)):
        made.outputs[0].name = f"{name}_{output}"
        made.outputs[0].type, made.outputs[0].shape = ir.TensorType(dtype), shape
    graph.insert_before(node, [cast, gather])
    node.replace_input_with(place, gather.outputs[0])
    if not old.uses():
        del graph.initializers[str(old.name)]
