"""What a layer's weights are multiplied with: a bounded sample of input patches, read from the float network.

A convolution is a matrix product of its weight rows with patches of its input (im2col). The graph is
instrumented with a Gather of the patches at fixed random output positions, so no whole tensor leaves the
runtime; the values are kept as integers of the layer's input grid, and all layers together stay within
`BUDGET`.

Shapes: n sampled positions, G groups, K values in a patch (inner channels x kernel), O output channels of a
group.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from paredown.compress.quantize.write import float_name
from paredown.graph.load import to_proto
from paredown.graph.run import open_session
from paredown.graph.walk import attribute, constant, shape_of
from paredown.model import Model
from paredown.protocols import Progress, silent

BUDGET = 192 << 20  # bytes for the patches of all layers
IMAGES = 64  # of the calibration images
MOST = 4096  # positions of one layer over all images: about twice the K of the widest common layer

Rows = NDArray[np.float32]
Patches = NDArray[np.integer]


@dataclass(frozen=True)
class Layer:
    """A quantized layer seen as a matrix product.

    node: the Conv, Gemm or MatMul. weight: its weight's DequantizeLinear. source: the tensor of the float
    network that it reads, `shape` its shape. scale, zero: the grid of that tensor, from `low` to `high`.
    """

    node: ir.Node
    weight: ir.Node
    source: str
    shape: tuple[int, ...]
    scale: float
    zero: int
    low: int
    high: int

    @property
    def groups(self) -> int:
        return _ints(self.node, "group", 1, 1)[0]

    @property
    def _turned(self) -> bool:
        return not (self.node.op_type == "Conv" or attribute(self.node, "transB", 0))

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


def reader_of(dq: ir.Node) -> ir.Node:
    """The one layer that reads a weight's DequantizeLinear."""
    return next(iter(dq.outputs[0].uses())).node


def layer_of(weight: ir.Node) -> Layer | str:
    """The layer behind a weight's DequantizeLinear, or why its patches cannot be taken."""
    node = reader_of(weight)
    reading = node.inputs[0]
    source = None if reading is None else reading.producer()
    quantizer = None if source is None or source.inputs[0] is None else source.inputs[0].producer()
    if source is None or quantizer is None or quantizer.op_type != "QuantizeLinear":
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
    limits = np.iinfo(str(zero.dtype))
    return Layer(
        node, weight, float_name(value), shape, float(scale), int(zero), int(limits.min), int(limits.max)
    )


def _where(layer: Layer, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(positions, G, K) indices into the flat input of at most `count` patches; -1 is padding."""
    if layer.node.op_type != "Conv":
        every = np.arange(int(np.prod(layer.shape)), dtype=np.int64).reshape(-1, 1, layer.shape[-1])
        return every[np.sort(rng.permutation(len(every))[:count])]
    _, c, h, w = layer.shape
    _, inner, kh, kw = shape_of(layer.weight.outputs[0])
    sy, sx = _ints(layer.node, "strides", 1, 2)
    dy, dx = _ints(layer.node, "dilations", 1, 2)
    top, left, bottom, right = _ints(layer.node, "pads", 0, 4)
    rows = (h + top + bottom - dy * (kh - 1) - 1) // sy + 1
    columns = (w + left + right - dx * (kw - 1) - 1) // sx + 1
    place = np.sort(rng.permutation(rows * columns)[:count])
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


def sample(
    source: Model,
    layers: Sequence[Layer],
    images: Iterable[NDArray[np.generic]],
    *,
    threads: int = 0,
    seed: int = 0,
    progress: Progress = silent,
) -> list[Patches]:
    """The patches of every layer: (n, G, K) integers of its input's grid, a byte each; padding is `zero`."""
    rng = np.random.default_rng(seed)
    width = sum(int(np.prod(shape_of(layer.weight.outputs[0])[1:])) * layer.groups for layer in layers)
    count = max(1, min(MOST, BUDGET // max(width, 1)) // IMAGES)
    wheres = [_where(layer, count, rng) for layer in layers]
    session = open_session(_instrument(source, layers, wheres), threads)
    kept: list[list[Patches]] = [[] for _ in layers]
    for image in progress(islice(images, IMAGES), "sampling layers"):
        for drawn, layer, where, parts in zip(
            session.run(None, {source.inputs[0].name: image}), layers, wheres, kept, strict=True
        ):
            steps = np.clip(np.rint(drawn / layer.scale) + layer.zero, layer.low, layer.high)
            steps = np.where(where < 0, layer.zero, steps.reshape(where.shape))
            parts.append(steps.astype(np.int8 if layer.low < 0 else np.uint8))
    return [np.concatenate(parts) for parts in kept]


def _instrument(source: Model, layers: Sequence[Layer], wheres: Sequence[NDArray[np.int64]]) -> bytes:
    proto: onnx.ModelProto = to_proto(source)
    graph = proto.graph
    graph.initializer.append(numpy_helper.from_array(np.array([-1], np.int64), "/flat"))
    del graph.output[:]
    for index, (layer, where) in enumerate(zip(layers, wheres, strict=True)):
        at = numpy_helper.from_array(np.maximum(where, 0).reshape(-1), f"/{index}/where")
        graph.initializer.append(at)
        graph.node.append(helper.make_node("Reshape", [layer.source, "/flat"], [f"/{index}/flat"]))
        graph.node.append(helper.make_node("Gather", [f"/{index}/flat", at.name], [f"/{index}/drawn"]))
        graph.output.append(helper.make_tensor_value_info(f"/{index}/drawn", TensorProto.FLOAT, None))
    return bytes(proto.SerializeToString())
