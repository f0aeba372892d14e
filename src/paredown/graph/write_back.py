"""What was learned, written into the graph it came from: the same nodes, other numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.graph.learnable import BIAS_LIMIT, Stored, in_steps, learnables
from paredown.graph.walk import constant, consumers
from paredown.numerics.levels import nearest

Arrays = Mapping[str, NDArray[np.float32]]


def write_into(graph: ir.Graph, arrays: Arrays) -> None:
    """Give the initializers named new values; `arrays` holds real numbers for stored integers too.

    A bias stored as int32 goes onto the product of the input's and the weight's scale, as they are now.
    """
    items = {name: item for name, item in learnables(graph).items() if name in arrays}
    values = graph.initializers
    for name, item in items.items():
        if item.stored is None and item.shared is None:
            _set(values[name], arrays[name])
    for name, item in items.items():
        if item.shared is not None:
            _set_indices(values[name], values[item.shared.table], arrays[name])
    biases = {name: i.stored for name, i in items.items() if i.stored is not None and i.stored.fine}
    for name, stored in biases.items():
        _make_room(stored, arrays[name])
    for name, item in items.items():
        if item.stored is not None and not item.stored.fine:
            _set_integers(values[name], item.stored, arrays[name])
    for name, stored in biases.items():
        scales = _factors(stored.dequantize)
        if scales is not None:
            _set(_scale_value(stored.dequantize), np.asarray(scales[0] * scales[1], np.float32))
        _set_integers(values[name], stored, arrays[name])


def _make_room(stored: Stored, bias: NDArray[np.float32]) -> None:
    """A weight scale large enough that the bias fits into int32 on it (nearly dead channels)."""
    factors = _factors(stored.dequantize)
    if factors is None:
        return
    feeding, weight = factors
    least = np.abs(bias) / (BIAS_LIMIT * feeding)
    roomy = np.maximum(weight, least if weight.ndim else least.max(initial=0.0))
    if np.any(roomy != weight):
        reader = consumers(stored.dequantize.outputs[0])[0]
        producer = reader.inputs[1].producer() if reader.inputs[1] is not None else None
        if producer is not None:
            _set(_scale_value(producer), roomy.astype(np.float32))


def _factors(dequantize: ir.Node) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """The scales of input and weight of the one node that reads a stored bias; None where it is not so."""
    readers = consumers(dequantize.outputs[0])
    if len(readers) != 1 or len(consumers(_scale_value(dequantize))) != 1:
        return None
    scales = []
    for value in readers[0].inputs[:2]:
        producer = value.producer() if value is not None else None
        if producer is None or producer.op_type != "DequantizeLinear":
            return None
        scales.append(np.asarray(constant(producer.inputs[1]), np.float32))
    stored_scale = np.asarray(constant(dequantize.inputs[1]))
    fits = scales[0].size == 1 and np.size(scales[1]) == stored_scale.size
    return (scales[0].reshape(()), scales[1].reshape(stored_scale.shape)) if fits else None


def _scale_value(node: ir.Node) -> ir.Value:
    value = node.inputs[1]
    assert value is not None
    return value


def _set_indices(value: ir.Value, table: ir.Value, array: NDArray[np.float32]) -> None:
    """The indices of the nearest values; the table is put in order first."""
    rising = np.sort(np.asarray(constant(table)))
    _set(table, rising)
    _set(value, nearest(rising, array))


def _set_integers(value: ir.Value, stored: Stored, array: NDArray[np.float32]) -> None:
    node = stored.dequantize
    _set(value, stored.grid.nearest(in_steps(node, array, np.asarray(constant(node.inputs[1])))))


def _set(value: ir.Value, array: NDArray[np.generic]) -> None:
    """The same initializer with other numbers, its type and shape kept."""
    before = value.const_value
    assert before is not None
    numbers = np.asarray(array).reshape(before.numpy().shape).astype(before.numpy().dtype)
    value.const_value = ir.tensor(numbers, dtype=before.dtype, name=value.name)
