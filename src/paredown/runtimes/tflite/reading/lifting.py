"""What the operators' functions work with: the ONNX graph so far, and which value stands for which tensor.

TFLite holds images as N, H, W, C. Here every tensor of four axes is held as N, C, H, W, which is what recipes
and runtimes expect of an ONNX graph; a node that depends on TFLite's own order takes it through a Transpose.
All values are real numbers: what the file holds as integers with a scale is dequantized.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from paredown.errors import UnsupportedModel

FIRST = (0, 3, 1, 2)  # N, C, H, W out of N, H, W, C
LAST = (0, 2, 3, 1)
Array = NDArray[Any]


@dataclass
class Lifting:
    """The graph so far. shapes: of every tensor, in TFLite's order. constants: real, in that order too."""

    names: list[str]
    shapes: list[tuple[int, ...]]
    constants: dict[int, Array]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    stored: list[onnx.TensorProto] = field(default_factory=list)
    held: dict[int, str] = field(default_factory=dict)

    def rank(self, tensor: int) -> int:
        return len(self.shapes[tensor])

    def axis(self, tensor: int, axis: int) -> int:
        """Where that axis of the tensor stands here."""
        rank = self.rank(tensor)
        return FIRST.index(axis % rank) if rank == 4 else axis % rank

    def numbers(self, tensor: int, code: str) -> Array:
        """The constant in that tensor. Raises UnsupportedModel where it is computed."""
        if tensor not in self.constants:
            raise UnsupportedModel(
                f"the TFLite operator {code} has an operand that is computed", got=self.names[tensor]
            )
        return self.constants[tensor]

    def store(self, array: Array, wish: str = "constant") -> str:
        name = f"{wish}/{len(self.stored)}"
        self.stored.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """The first output's name; the others end in _1, _2, ..."""
        stem = f"{op}_{len(self.nodes)}"
        names = [stem, *(f"{stem}_{i}" for i in range(1, outputs))]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=stem, **attributes))
        return stem

    def value(self, tensor: int) -> str:
        """The value of a tensor as it is held here."""
        if tensor not in self.held:
            array = self.constants[tensor]
            moved = array.transpose(FIRST) if array.ndim == 4 else array
            self.held[tensor] = self.store(moved, self.names[tensor])
        return self.held[tensor]

    def own_order(self, tensor: int) -> str:
        """The value in TFLite's order."""
        if tensor in self.constants:
            return self.store(self.constants[tensor], self.names[tensor])
        held = self.value(tensor)
        return self.node("Transpose", held, perm=list(LAST)) if self.rank(tensor) == 4 else held

    def put(self, tensor: int, value: str) -> None:
        """The value stands for the tensor, held as it is held here."""
        self.held[tensor] = value

    def put_own_order(self, tensor: int, value: str) -> None:
        """The value, in TFLite's order, stands for the tensor."""
        self.held[tensor] = (
            self.node("Transpose", value, perm=list(FIRST)) if self.rank(tensor) == 4 else value
        )

    def broadcast(self, tensor: int, rank: int) -> str:
        """The value as an operand of a tensor of that rank: axes of 1 in front, as TFLite means it."""
        own = self.shapes[tensor]
        if len(own) == rank or rank < 4 or not own:
            return self.value(tensor)
        full = (1,) * (rank - len(own)) + own
        if tensor in self.constants:
            array = self.constants[tensor].reshape(full)
            return self.store(array.transpose(FIRST) if rank == 4 else array, self.names[tensor])
        shape = self.store(np.array(full, np.int64), "shape")
        value = self.node("Reshape", self.own_order(tensor), shape)
        return self.node("Transpose", value, perm=list(FIRST)) if rank == 4 else value

    def ints(self, values: Sequence[int]) -> str:
        return self.store(np.array(values, np.int64), "numbers")

    def scalar(self, value: float) -> str:
        return self.store(np.array(value, np.float32), "number")
