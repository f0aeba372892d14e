"""Inputs of integers: which number a pixel becomes.

A model that was exported in full integers reads int8 or uint8 through a DequantizeLinear (or a QLinearConv):
real = (q - zero) * scale. Where the type's 256 numbers stand for the whole range of pixels (0..1, 0..255 or
-1..1), a pixel is its number, less 128 for int8. Where they stand for other reals (mean and deviation taken
off), the image is preprocessed in floats and quantized:

    q = ((pixel a - mean) / std) / scale + zero = (pixel a - (mean - zero scale std)) / (std scale)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import numpy_helper

from paredown.card import Preprocess
from paredown.preprocessing.values import NAMED, with_values

_MOVES = frozenset({"Transpose", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten"})
_PLACES = {"DequantizeLinear": (1, 2), "QLinearConv": (1, 2)}  # of scale and zero point among the inputs
_RANGES = ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0))  # what pixels are brought to before mean and deviation
_NEAR = 0.02  # of the range: (0, 1) is also said as 255/256
_ABOUT = 0.05  # of the range: a grid found from images may miss the last of it


@dataclass(frozen=True)
class InputGrid:
    """real = (q - zero) * scale, q of the type `dtype`."""

    scale: float
    zero: int
    dtype: str

    @property
    def holds_pixels(self) -> bool:
        """Whether the type's numbers stand for all pixels, in their order."""
        info = np.iinfo(self.dtype)
        if info.bits != 8:
            return False
        low, high = self.reach
        return any(abs(low - a) + abs(high - b) < 2 * _NEAR * (b - a) for a, b in _RANGES)

    @property
    def reach(self) -> tuple[float, float]:
        """The real numbers that the type's smallest and largest number stand for."""
        info = np.iinfo(self.dtype)
        return (info.min - self.zero) * self.scale, (info.max - self.zero) * self.scale

    @property
    def values(self) -> str | None:
        """The usual way of feeding (a word of `--scale`) that fills this grid; None where none does."""
        low, high = self.reach
        for name, values in NAMED.items():
            pairs = list(zip(values.mean, values.std, strict=True))
            least, most = min(-m / s for m, s in pairs), max((255 * values.scale - m) / s for m, s in pairs)
            if abs(low - least) + abs(high - most) < 2 * _ABOUT * (most - least):
                return name
        return None

    @property
    def why(self) -> str:
        """How the graph's own grid settles the values; "" where it does not."""
        low, high = self.reach
        if self.values is None:
            return ""
        reads = f"the graph reads {self.dtype} (zero point {self.zero}) as {low:.3g}..{high:.3g}"
        return f"{reads}, so it takes {self.values} values, quantized"

    def onto(self, how: Preprocess) -> Preprocess:
        """A preprocessing that gives floats, with the values that the grid settles, then this grid."""
        how = how if self.values is None else with_values(how, NAMED[self.values])
        mean = tuple(m - self.zero * self.scale * s for m, s in zip(how.mean, how.std, strict=True))
        return replace(how, mean=mean, std=tuple(s * self.scale for s in how.std), dtype=self.dtype)


def offset_of(dtype: str) -> float:
    """What is taken off a pixel so that 0..255 fill the type: 128 for int8."""
    return 128.0 if dtype == "int8" else 0.0


def input_grid(graph: onnx.GraphProto, dtype: str) -> InputGrid | None:
    """The grid that the graph's one integer input is read through, None where there is none."""
    if np.dtype(dtype).kind not in "iu":
        return None
    stored = _constants(graph)
    moved = {v.name for v in graph.input if v.name not in stored}
    for node in graph.node:
        if not node.input or node.input[0] not in moved:
            continue
        if node.op_type in _MOVES:
            moved.update(node.output)
        elif node.op_type in _PLACES:
            names = [node.input[i] if i < len(node.input) else "" for i in _PLACES[node.op_type]]
            scale, zero = (stored.get(name) for name in names)
            if (
                scale is not None
                and scale.size == 1
                and (not names[1] or (zero is not None and zero.size == 1))
            ):
                return InputGrid(
                    float(scale.reshape(())), 0 if zero is None else int(zero.reshape(())), dtype
                )
    return None


def _constants(graph: onnx.GraphProto) -> Mapping[str, np.ndarray]:
    """Stored scalars, as initializers or in Constant nodes."""
    tensors = {t.name: t for t in graph.initializer}
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                tensors[node.output[0]] = attribute.t
    return {name: numpy_helper.to_array(t) for name, t in tensors.items() if np.prod(t.dims) <= 1}
