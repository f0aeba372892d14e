"""What a layer's weights are multiplied with, and what it answers: a bounded sample of both.

A convolution is a matrix product of its weight rows with patches of its input (im2col). Answers are tapped at
fixed random output positions (graph/taps.py); patches are kept as integers of the layer's input grid, a byte
each.

Shapes: n sampled positions, G groups, K values in a patch (inner channels x kernel), O output channels of a
group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.draft import QuantizedLayer
from paredown._compress.quantize.writing.qdq import float_name
from paredown.graph.learnable import limits_behind
from paredown.graph.taps import Tap
from paredown.graph.walk import attribute, constant, output_axis, quantizer_of, shape_of
from paredown.numerics.quant_params import QuantParams


@dataclass(frozen=True)
class Draw:
    """How much is drawn: of how many images, and of each of them how many positions of a layer, for every
    value in a patch, no fewer than `least` and no more than `most`."""

    images: int
    each: float
    least: int
    most: int


EIGHT_BITS = Draw(32, 1 / 5, 64, 208)
BUDGET = 1 << 30  # bytes for what all layers answer
FEW_BITS = Draw(192, 1 / 4, 64, 256)  # errors that are larger must be known better, to be made up for

Rows = NDArray[np.float32]
Patches = NDArray[np.integer]
Positions = NDArray[np.int64]
"""Positions of one layer's output in one image, counted behind its channels."""


@dataclass(frozen=True)
class MatmulLayer:
    """A quantized layer seen as a matrix product.

    node: the Conv, Gemm or MatMul. weight: its weight's DequantizeLinear. source, answer: the tensors of the
    float network that it reads and makes, `shape` the source's shape. scale, zero: the source's grid, from
    `low` to `high`. found: what its weight became; None for a layer that is float still.
    """

    node: ir.Node
    weight: ir.Node
    source: str
    answer: str
    shape: tuple[int, ...]
    scale: float
    zero: int
    low: int
    high: int
    found: QuantizedLayer | None = None

    @property
    def groups(self) -> int:
        return _ints(self.node, "group", 1, 1)[0]

    @property
    def bias(self) -> ir.Node | None:
        """The DequantizeLinear of its bias. A step of it is `unit`."""
        value = self.node.inputs[2] if len(self.node.inputs) > 2 else None
        return None if value is None else value.producer()

    @property
    def unit(self) -> Rows:
        """What a step of weight times a step of input is worth, (1,) or (G O,)."""
        scale = np.asarray(constant(self.weight.inputs[1]), np.float32)
        return np.atleast_1d(scale * np.float32(self.scale))

    @property
    def _turned(self) -> bool:
        return not (self.node.op_type == "Conv" or attribute(self.node, "transB", 0))

    @property
    def bits(self) -> int:
        """Of its weights, signed."""
        return self.grid.bits

    @property
    def grid(self) -> QuantParams:
        """Of its weights."""
        assert self.found is not None  # only a float layer has none, and nobody asks it
        return self.found.params

    @property
    def quantized(self) -> str:
        """The tensor of integers that it reads."""
        reading = self.node.inputs[0]
        dq = None if reading is None else reading.producer()
        assert dq is not None
        assert dq.inputs[0] is not None
        return str(dq.inputs[0].name)

    @property
    def depth(self) -> int:
        """K."""
        shape = shape_of(self.weight.outputs[0])
        return shape[0] if self._turned else int(np.prod(shape[1:]))

    def rows(self, weight: NDArray[Any]) -> Rows:
        """A weight-shaped array as (G, O, K)."""
        array = np.asarray(weight, np.float32)
        array = array.T if self._turned else array.reshape(len(array), -1)
        return array.reshape(self.groups, -1, array.shape[1])

    def shaped(self, rows: Rows) -> Rows:
        """The inverse of `rows`."""
        flat = rows.reshape(-1, rows.shape[2])
        return (
            np.ascontiguousarray(flat.T) if self._turned else flat.reshape(shape_of(self.weight.outputs[0]))
        )


def layer_of(node: ir.Node, found: QuantizedLayer) -> MatmulLayer | str:
    """The layer of a node whose weight is in integers, or why its patches cannot be taken."""
    weight = None if node.inputs[1] is None else node.inputs[1].producer()
    assert weight is not None  # its DequantizeLinear
    reading = node.inputs[0]
    source = None if reading is None else reading.producer()
    quantizer = None if source is None else quantizer_of(source)
    if source is None or quantizer is None:
        return "its input is not quantized"
    scale, zero, value = constant(source.inputs[1]), constant(source.inputs[2]), quantizer.inputs[0]
    if scale is None or zero is None or np.size(scale) != 1 or value is None or reading is None:
        return "its input has more than one grid"
    shape, rank = shape_of(reading), len(shape_of(weight.outputs[0]))
    convolves = (
        node.op_type == "Conv" and len(shape) == 4 and rank == 4 and not attribute(node, "auto_pad", "")
    )
    multiplies = node.op_type in ("Gemm", "MatMul") and rank == 2 and not attribute(node, "transA", 0)
    if not (convolves or multiplies):
        return f"no patches are taken of {node.op_type} with a weight of {rank} dimensions"
    read, made = float_name(value), float_name(node.outputs[0])
    limits = limits_behind(quantizer)
    return MatmulLayer(node, weight, read, made, shape, float(scale), int(zero), *limits, found)


def _size(layer: MatmulLayer) -> tuple[int, int]:
    """Rows and columns of a convolution's output; of a matrix product, its rows and 1."""
    if layer.node.op_type != "Conv":
        return int(np.prod(layer.shape[:-1])), 1
    _, _, h, w = layer.shape
    _, _, kh, kw = shape_of(layer.weight.outputs[0])
    sy, sx = _ints(layer.node, "strides", 1, 2)
    dy, dx = _ints(layer.node, "dilations", 1, 2)
    top, left, bottom, right = _ints(layer.node, "pads", 0, 4)
    return (h + top + bottom - dy * (kh - 1) - 1) // sy + 1, (w + left + right - dx * (kw - 1) - 1) // sx + 1


def indices(layer: MatmulLayer, place: Positions) -> NDArray[np.int64]:
    """(positions, G, K) indices into the flat input of the patches at these places; -1 is padding."""
    if layer.node.op_type != "Conv":
        return np.arange(int(np.prod(layer.shape)), dtype=np.int64).reshape(-1, 1, layer.shape[-1])[place]
    _, c, h, w = layer.shape
    _, inner, kh, kw = shape_of(layer.weight.outputs[0])
    sy, sx = _ints(layer.node, "strides", 1, 2)
    dy, dx = _ints(layer.node, "dilations", 1, 2)
    top, left, _, _ = _ints(layer.node, "pads", 0, 4)
    columns = _size(layer)[1]
    y = (place // columns * sy - top)[:, None] + dy * np.arange(kh)  # (positions, kh)
    x = (place % columns * sx - left)[:, None] + dx * np.arange(kw)  # (positions, kw)
    inside = ((y >= 0) & (y < h))[:, :, None] & ((x >= 0) & (x < w))[:, None, :]
    under = np.where(inside, y[:, :, None] * w + x[:, None, :], -1).reshape(len(place), 1, kh * kw)
    channel = np.arange(c, dtype=np.int64)[None, :, None] * (h * w)
    return np.where(under < 0, -1, under + channel).reshape(len(place), c // inner, inner * kh * kw)


def _ints(node: ir.Node, name: str, default: int, count: int) -> list[int]:
    """An attribute of `count` integers."""
    value = attribute(node, name, [default] * count)
    return [int(v) for v in np.atleast_1d(np.asarray(value))]


def positions(layers: Sequence[MatmulLayer], draw: Draw, seed: int) -> list[Positions]:
    """Random positions of every layer's output in one image; fewer where the answers of all images at them
    would not fit `BUDGET`."""
    rng = np.random.default_rng(seed)
    counts = [float(np.clip(draw.each * layer.depth, draw.least, draw.most)) for layer in layers]
    channels = [shape_of(layer.weight.outputs[0])[output_axis(layer.node)] for layer in layers]
    size = 4 * draw.images * sum(n * c for n, c in zip(counts, channels, strict=True))
    kept = min(1.0, BUDGET / max(size, 1))
    return [
        np.sort(rng.permutation(int(np.prod(_size(layer))))[: max(int(kept * count), 1)])
        for layer, count in zip(layers, counts, strict=True)
    ]


def im2col(where: NDArray[np.int64], x: NDArray[Any], padding: float) -> NDArray[Any]:
    """The values of a tensor at `indices`, of its own type; `padding` where there is nothing."""
    return np.where(where < 0, np.asarray(padding, x.dtype), x.reshape(-1)[np.maximum(where, 0)])


def answer_taps(layers: Sequence[MatmulLayer], at: Sequence[Positions]) -> list[Tap]:
    """Where the float network says what every layer answers at these positions: (positions, G O) each."""
    taps = []
    for layer, place in zip(layers, at, strict=True):
        channel = np.arange(shape_of(layer.weight.outputs[0])[output_axis(layer.node)])
        apart = (1, int(np.prod(_size(layer)))) if layer.node.op_type == "Conv" else (len(channel), 1)
        taps.append(Tap(layer.answer, place[:, None] * apart[0] + channel * apart[1]))
    return taps
