"""A graph while its integers become real numbers: what is stored in it, and the grids of quantized tensors.

Shapes: a scale is one number, or one for each channel (axis 0 of a weight).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from paredown.errors import UnsupportedModel

Array = NDArray[Any]


@dataclass(frozen=True)
class Grid:
    """The scale and zero point of a quantized tensor."""

    scale: tuple[float, ...]
    zero: tuple[float, ...]

    @property
    def arrays(self) -> tuple[Array, Array]:
        return np.array(self.scale, np.float32), np.array(self.zero, np.float32)


class Floats:
    """The graph while its integers become floats: what is stored, and the grids of quantized tensors."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.stored: dict[str, Array] = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self.grids: dict[str, Grid] = {}
        self.makers = {name: node for node in graph.node for name in node.output}
        values = (*graph.value_info, *graph.input, *graph.output)
        self.ranks = {v.name: len(v.type.tensor_type.shape.dim) for v in values}
        self.taken = {*self.stored, *self.makers, *(v.name for v in graph.input)}

    def remember(self, node: onnx.NodeProto) -> None:
        """Adds what a node makes of stored numbers: a Constant, or integers cast, moved or looked up."""
        given = [self.stored.get(name) for name in node.input]
        has = {a.name: a for a in node.attribute}
        made: Array | None = None
        if node.op_type == "Constant" and "value" in has:
            made = numpy_helper.to_array(has["value"].t)
        elif node.op_type == "Cast" and given[0] is not None:
            made = given[0].astype(helper.tensor_dtype_to_np_dtype(has["to"].i))
        elif node.op_type == "Gather" and given[0] is not None and given[1] is not None:
            axis = has["axis"].i if "axis" in has else 0
            made = np.take(given[0], given[1].astype(np.int64), axis=axis)
        elif node.op_type == "Reshape" and given[0] is not None and given[1] is not None:
            made = given[0].reshape(given[1])
        elif node.op_type == "Transpose" and given[0] is not None:
            made = given[0].transpose(list(has["perm"].ints) if "perm" in has else None)
        if made is not None:
            self.stored[node.output[0]] = made

    def store(self, array: Array, wish: str) -> str:
        """The name of a new initializer of float32."""
        name = self.fresh(wish)
        stored = numpy_helper.from_array(np.asarray(array, np.float32), name)
        self.graph.initializer.append(stored)
        self.stored[name] = np.asarray(array, np.float32)
        return name

    def fresh(self, wish: str) -> str:
        while wish in self.taken:
            wish += "_"
        self.taken.add(wish)
        return wish

    def numbers(self, node: onnx.NodeProto, place: int) -> Array:
        """The stored array that the node reads at that place; 0 for none. Raises UnsupportedModel."""
        name = node.input[place] if place < len(node.input) else ""
        if not name:
            return np.zeros((), np.uint8)
        if name not in self.stored:
            raise UnsupportedModel(
                "--dequantize: a scale, zero point or weight is computed, not stored",
                got=f"{name!r} of {node.op_type} {node.name!r}",
            )
        return self.stored[name]

    def weight(self, node: onnx.NodeProto, place: int, axis: int = 0) -> str:
        """The float weight of the integers, scale and zero point that stand there one behind the other."""
        values, scale, zero = (self.numbers(node, place + i) for i in range(3))
        return self.store(along_axis(values, scale, zero, axis), f"{node.input[place]}_float")


def along_axis(values: Array, scale: Array, zero: Array, axis: int) -> Array:
    """(values - zero) * scale, both given once or for each index along `axis`."""
    spread = [1] * values.ndim
    if np.size(scale) > 1:
        spread[axis] = -1
    shaped = [np.asarray(a, np.float64).reshape(spread if np.size(a) > 1 else ()) for a in (scale, zero)]
    return np.asarray((values.astype(np.float64) - shaped[1]) * shaped[0], np.float32)
