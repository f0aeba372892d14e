"""A constant read through a table: Gather(table, Cast(indices)), which stock runtimes fold at load."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.graph.walk import shape_of

NARROW = 16  # values of a table whose indices take 4 bits
LARGEST = 256  # values of a table: 8-bit indices


def read_from_table(
    graph: ir.Graph, node: ir.Node, place: int, table: NDArray[Any], indices: NDArray[np.integer]
) -> ir.Node:
    """Puts table and indices in the place of a node's constant input, and gives the Gather.

    table: (k,), k at most LARGEST. indices: of the constant's shape, in 4 bits where k is at most NARROW.
    """
    old = node.inputs[place]
    assert old is not None
    name, shape = str(old.name), ir.Shape(shape_of(old))
    if len(old.uses()) > 1:  # its other readers may get other tables
        name = f"{name}_{node.name}"
    narrow = len(table) <= NARROW
    packed = initializer(
        f"{name}_index",
        indices.astype(ml_dtypes.uint4 if narrow else np.uint8),
        ir.DataType.UINT4 if narrow else ir.DataType.UINT8,
    )
    values = initializer(f"{name}_table", table, ir.DataType.from_numpy(table.dtype))
    graph.register_initializer(packed)
    graph.register_initializer(values)
    cast = ir.Node("", "Cast", [packed], [ir.AttrInt64("to", ir.DataType.INT32)], name=f"{name}_Cast")
    gather = ir.Node("", "Gather", [values, cast.outputs[0]], name=f"{name}_Gather")
    for made, output, dtype in ((cast, "wide", ir.DataType.INT32), (gather, "shared", values.dtype)):
        assert dtype is not None
        made.outputs[0].name = f"{name}_{output}"
        made.outputs[0].type, made.outputs[0].shape = ir.TensorType(dtype), shape
    graph.insert_before(node, [cast, gather])
    node.replace_input_with(place, gather.outputs[0])
    if not old.uses():
        del graph.initializers[str(old.name)]
    return gather


def initializer(name: str, array: NDArray[Any], dtype: ir.DataType) -> ir.Value:
    """A constant of any ONNX type, not yet registered in a graph."""
    tensor = ir.Tensor(array, dtype=dtype, name=name)
    return ir.Value(name=name, type=ir.TensorType(dtype), shape=ir.Shape(array.shape), const_value=tensor)
