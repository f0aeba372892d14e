"""Codebooks: the weights of a layer take one of 16 values, stored as 4-bit indices and a table.

Every layer's values w are clustered, least squares in one dimension:

    min over c_1..c_16 of  sum_w min_k (w - c_k)^2

and the weight becomes Gather(table, Cast(indices)), which ONNX Runtime folds when the model is loaded. Behind
w8a8 the table holds int8 integers, so the layer still computes in INT8; before it, float32.

Source: Han et al. 2016, "Deep Compression", arXiv 1510.00149, section 3 (linear initialisation; no retraining
here).
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
from paredown.graph.walk import constant, shape_of, weight_of
from paredown.measurement import StepRecord

SIZE = 16  # values of a table: 4-bit indices
WORTH = 512  # weights: smaller layers stay as they are
ROUNDS = 30  # of Lloyd's iteration, which settles sooner


@dataclass(frozen=True)
class Cluster(Step):
    """cluster: weights from a table of 16 values for every layer, stored as 4-bit indices."""

    kind: ClassVar[str] = "cluster"
    summary: ClassVar[str] = "k-means codebooks of 16 values a layer (Han 2016), turned back when loaded"


def apply(step: Cluster, model: ir.Model, context: Context) -> tuple[ir.Model, tuple[StepRecord, ...]]:
    """The graph with shared weights, and a record for every layer."""
    if not any(_weight(node) is not None for node in model.graph):
        return model, (StepRecord(step.name, "", "skipped", "no layer with a constant weight"),)
    model = raise_opset(model, INT4)
    log = []
    for node in list(model.graph):
        weight = _weight(node)
        if weight is None:
            continue
        where = str(node.name) if node.op_type != "DequantizeLinear" else _reader(node)
        if where in context.keep_float:
            log.append(StepRecord(step.name, where, "float", "kept float as asked"))
        elif weight.size < WORTH:
            log.append(StepRecord(step.name, where, "skipped", f"fewer than {WORTH} values"))
        else:
            table, indices = kmeans(weight)
            _store(model.graph, node, table, indices)
            error = float(
                np.mean((table[indices].astype(np.float64) - weight) ** 2) / max(np.var(weight), 1e-30)
            )
            log.append(
                StepRecord(step.name, where, "changed", f"{len(table)} values", {"error": round(error, 5)})
            )
    return model, tuple(log)


def kmeans(w: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """The table (at most 16,) in w's own type, rising, and every value's index, in w's shape."""
    values = w.astype(np.float64).reshape(-1)
    centres = np.linspace(values.min(), values.max(), SIZE)
    for _ in range(ROUNDS):
        index = np.searchsorted((centres[1:] + centres[:-1]) / 2, values)
        count = np.bincount(index, minlength=SIZE)
        moved = np.where(count > 0, np.bincount(index, values, SIZE) / np.maximum(count, 1), centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    used = np.bincount(np.searchsorted((centres[1:] + centres[:-1]) / 2, values), minlength=SIZE) > 0
    centres = centres[used]
    table = np.unique((np.rint(centres) if np.issubdtype(w.dtype, np.integer) else centres).astype(w.dtype))
    middles = (table[1:].astype(np.float64) + table[:-1]) / 2
    return table, np.searchsorted(middles, values).astype(np.uint8).reshape(w.shape)


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
    packed = ir.Value(
        name=f"{name}_index",
        type=ir.TensorType(ir.DataType.UINT4),
        shape=shape,
        const_value=ir.Tensor(indices.astype(ml_dtypes.uint4), dtype=ir.DataType.UINT4, name=f"{name}_index"),
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
