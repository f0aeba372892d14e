"""What of a graph can be learned: weights, biases and scales, and how each is written back.

A float weight or bias is its own parameter. A weight stored as integers behind a DequantizeLinear (a Cast
may stand between: stored INT4) is a float parameter that is rounded onto its grid at every run; its scale,
and the scales of activations, are parameters too, kept as logarithms: positive by construction, and a step
of the optimiser is relative. Where a weight has few integers that 4 bits do not hold, those are its levels
(numerics/levels.py), and it takes the nearest of them. A bias stored as int32 is a plain float parameter: its
grid is finer than anything it is added to.

Weights that share the values of a codebook (Gather from a table of floats) are float parameters that take the
nearest value of the table at every run. The table is a parameter too: the gradient of a value is the sum over
all weights that share it (Han et al. 2016, arXiv 1510.00149, eq. 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.errors import UnsupportedModel
from paredown.graph.walk import WEIGHTED, attribute, clip_behind, constant, consumers, readers_of_integers
from paredown.numerics import levels
from paredown.numerics.quant_params import QuantParams, binary, whole

Number = TypeVar("Number", bound=np.number)
Kind = Literal["weight", "bias", "scale", "table"]
FEW, MANY = 16, 64  # integers in use, in a weight of so many: they are levels, and no chance
BIAS_LIMIT = 2**30  # half of what int32 holds: the other half is left to the sums of products


@dataclass(frozen=True)
class Stored:
    """Integers in the file, and the node that reads them."""

    dequantize: ir.Node
    grid: QuantParams  # the integers that learning may use, of steps of 1
    fine: bool  # a bias: not rounded while learning


@dataclass(frozen=True)
class Shared:
    """Indices in the file, the Gather that reads them, and the name of the table it takes them from."""

    gather: ir.Node
    table: str


@dataclass(frozen=True)
class Learnable:
    """One initializer that can be learned."""

    name: str
    kind: Kind
    start: NDArray[np.float32]  # the real numbers in the file
    stored: Stored | None = None
    shared: Shared | None = None
    reach: int = 1  # of a scale: the integers from zero to the far end of its grid


def learnables(graph: ir.Graph) -> dict[str, Learnable]:
    """Everything in the graph that can be learned, by initializer name."""
    found: dict[str, Learnable] = {}
    for node in graph:
        if node.op_type in WEIGHTED:
            for place, kind in ((1, "weight"), (2, "bias")):
                value = node.inputs[place] if len(node.inputs) > place else None
                if value is not None and (made := _operand(value, kind)) is not None:  # type: ignore[arg-type]
                    found[made.name] = made
        elif node.op_type in ("Add", "Sub"):
            for value in node.inputs:
                if value is not None and _is_per_channel(value):
                    found[str(value.name)] = Learnable(
                        str(value.name), "bias", np.asarray(constant(value), np.float32)
                    )
        elif node.op_type == "QuantizeLinear":
            scale = node.inputs[1]
            if scale is not None and constant(scale) is not None and _is_shared(node):
                found[str(scale.name)] = _scale(scale, node, *limits_behind(node))
    for item in list(found.values()):
        if item.shared is not None:
            table = graph.initializers[item.shared.table]
            start = np.asarray(constant(table), np.float32)
            found[item.shared.table] = Learnable(item.shared.table, "table", start)
        elif item.stored is not None and item.kind == "weight":
            scale = item.stored.dequantize.inputs[1]
            if scale is not None and all(_reads_a_weight(n) for n in consumers(scale)):
                stored = item.stored
                made = _scale(scale, stored.dequantize, stored.grid.low, stored.grid.high)
                found[made.name] = replace(made, reach=max(round(made.reach / stored.grid.apart), 1))
    return found


def _operand(value: ir.Value, kind: Kind) -> Learnable | None:
    array = constant(value)
    if array is not None:
        return (
            Learnable(str(value.name), kind, array.astype(np.float32)) if array.dtype == np.float32 else None
        )
    node = value.producer()
    if node is not None and node.op_type == "Gather":
        return _shared(node, kind)
    if node is None or node.op_type != "DequantizeLinear":
        return None
    source = stored_behind(node)
    integers = constant(source)
    if source is None or integers is None or len(consumers(source)) != 1:
        return None
    kept = integers.astype(np.int64)
    fine = source.dtype == ir.DataType.INT32
    start = dequantized(node, kept)
    grid = whole(-BIAS_LIMIT, BIAS_LIMIT) if fine else _grid(kept, source.dtype, zero_of(node))
    return Learnable(str(source.name), kind, start, Stored(node, grid, fine))


def _grid(integers: NDArray[np.int64], dtype: ir.DataType | None, zero: NDArray[np.int64]) -> QuantParams:
    """The integers that a weight was made for, told from those it has."""
    used = np.unique(integers)
    if integers.size > 1 and np.all(np.abs(used) == 1) and not np.any(zero):
        return binary(integers.astype(np.float32), None)
    if len(used) <= FEW and integers.size >= MANY and np.abs(used).max() >= FEW // 2 and not np.any(zero):
        return levels.of(used)
    return whole(*limits_in_use(integers, dtype, zero))


def _shared(gather: ir.Node, kind: Kind) -> Learnable | None:
    table, indices = constant(gather.inputs[0]), stored_behind(gather, 1)
    if table is None or indices is None or table.dtype != np.float32 or table.ndim != 1:
        return None
    name = str(gather.inputs[0].name) if gather.inputs[0] is not None else ""
    start = table[np.asarray(constant(indices)).astype(np.int64)]
    return Learnable(str(indices.name), kind, np.asarray(start, np.float32), shared=Shared(gather, name))


def zeros_kept(
    items: Mapping[str, Learnable], before: Mapping[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.bool_]]:
    """Masks that keep at zero what is exactly zero: pruned weights, and a codebook's value of them.

    before: weights from before they took a codebook's values, by the name of its Gather.
    """
    masks = {}
    for name, item in items.items():
        start = item.start if item.shared is None else before.get(str(item.shared.gather.name), item.start)
        if item.kind in ("weight", "table") and not np.all(start):
            masks[name] = start != 0
    return masks


def _is_per_channel(value: ir.Value) -> bool:
    """True for a float constant (1, C, 1, 1) of several channels: a bias that stands in a node of its own."""
    array = constant(value)
    return (
        array is not None
        and array.dtype == np.float32
        and array.ndim == 4
        and array.size == array.shape[1] > 1
    )


def _scale(value: ir.Value, node: ir.Node, low: int, high: int) -> Learnable:
    zero = zero_of(node)
    reach = max(high - int(zero.min()), int(zero.max()) - low, 1)
    return Learnable(str(value.name), "scale", np.asarray(constant(value), np.float32), reach=reach)


def _is_shared(quantize: ir.Node) -> bool:
    """True where every reader of the integers turns them back with the very same scale."""
    readers = readers_of_integers(quantize)
    return bool(readers) and all(
        r.op_type == "DequantizeLinear" and r.inputs[1] is quantize.inputs[1] for r in readers
    )


def _reads_a_weight(node: ir.Node) -> bool:
    return node.op_type == "DequantizeLinear" and stored_behind(node) is not None


def stored_behind(reader: ir.Node, place: int = 0) -> ir.Value | None:
    """The initializer whose integers a DequantizeLinear or Gather reads, directly or through a Cast."""
    value = reader.inputs[place]
    if value is not None and value.const_value is None:
        producer = value.producer()
        value = producer.inputs[0] if producer is not None and producer.op_type == "Cast" else None
    return value if value is not None and value.const_value is not None else None


def zero_of(node: ir.Node) -> NDArray[np.int64]:
    """The zero points of a Q or DQ; 0 where it has none."""
    zero = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    return np.zeros((), np.int64) if zero is None else zero.astype(np.int64)


def along(node: ir.Node, values: NDArray[Number], shape: tuple[int, ...]) -> NDArray[Number]:
    """Scales or zero points of a Q or DQ, shaped so that they broadcast against a tensor of that shape."""
    if values.size == 1:
        return values.reshape(())
    axis = attribute(node, "axis", 1)
    if block := attribute(node, "block_size", 0):
        return np.repeat(values, block, axis).take(np.arange(shape[axis]), axis)
    wide = [1] * len(shape)
    wide[axis] = -1
    return values.reshape(wide)


def dequantized(node: ir.Node, integers: NDArray[np.int64]) -> NDArray[np.float32]:
    """The real numbers behind integers that a DequantizeLinear reads."""
    scale = along(node, np.asarray(constant(node.inputs[1]), np.float32), integers.shape)
    zero = along(node, zero_of(node), integers.shape)
    return ((integers - zero) * scale).astype(np.float32)


def in_steps(
    node: ir.Node, values: NDArray[np.floating], scale: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Values in steps of the grid of a DequantizeLinear, zero point added."""
    ratio = values.astype(np.float32) / along(node, scale.astype(np.float32), values.shape)
    return ratio + along(node, zero_of(node), values.shape)


def type_limits(dtype: ir.DataType | None) -> tuple[int, int]:
    """Smallest and largest integer of a type. Raises UnsupportedModel for a type of floats (FP8, FP4)."""
    name = (dtype or ir.DataType.UINT8).name
    if "INT" not in name:
        raise UnsupportedModel("quantization to floats of few bits cannot be learned through", got=name)
    bits = int("".join(c for c in name if c.isdigit()))
    return (0, 2**bits - 1) if name.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def limits_behind(quantize: ir.Node) -> tuple[int, int]:
    """Smallest and largest integer that a QuantizeLinear hands on: of its type, or of the Clip behind it."""
    zero = quantize.inputs[2] if len(quantize.inputs) > 2 else None
    low, high = type_limits(None if zero is None else zero.dtype)
    clip = clip_behind(quantize)
    if clip is None:
        return low, high
    limits = [constant(v) for v in clip.inputs[1:3]]
    return max(low, *(int(v) for v in limits[:1] if v is not None)), min(
        high, *(int(v) for v in limits[1:] if v is not None)
    )


def limits_in_use(
    integers: NDArray[np.int64], dtype: ir.DataType | None, zero: NDArray[np.int64]
) -> tuple[int, int]:
    """The grid the integers were made for: 7 bits stored as int8 (against saturation) must stay 7 bits."""
    low, high = type_limits(dtype)
    if low == 0 or np.any(zero != 0):
        return low, high
    needed = int(np.abs(integers).max(initial=1))
    limit = 2 ** int(np.ceil(np.log2(needed + 1))) - 1
    return max(low, -limit), min(high, limit)
