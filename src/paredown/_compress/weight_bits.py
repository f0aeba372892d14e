"""The bits that the weights of a quantized graph use: they decide whether x86 without VNNI gets it right."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from paredown.graph.walk import consumers

SAFE_LIMIT = 64  # two products of uint8 with no more than this fit into int16: 2 * 255 * 64 = 32640
_INTO_PRODUCTS = frozenset({"DequantizeLinear", "ConvInteger", "MatMulInteger"})


def weight_bits(graph: ir.Graph) -> int | None:
    """8 where an int8 weight exceeds `SAFE_LIMIT`, 7 where none does, None where no product has int8 weights.

    uint8 weights do not count (their kernels never saturate), nor int8 storage for float arithmetic.
    """
    largest = [
        int(np.abs(value.const_value.numpy().astype(np.int32)).max(initial=0))
        for value in graph.initializers.values()
        if value.const_value is not None
        and value.dtype == ir.DataType.INT8
        and any(_multiplies(node, value) for node in consumers(value))
    ]
    return None if not largest else 8 if max(largest) > SAFE_LIMIT else 7


def _multiplies(reader: ir.Node, value: ir.Value) -> bool:
    """True where a product reads these integers, or a table of them."""
    if reader.op_type == "Gather" and value is reader.inputs[0]:
        return any(node.op_type == "DequantizeLinear" for node in consumers(reader.outputs[0]))
    wide = value.const_value is not None and len(value.const_value.shape) > 1
    return wide and reader.op_type in _INTO_PRODUCTS
