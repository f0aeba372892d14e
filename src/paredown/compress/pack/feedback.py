"""Codebooks whose rounding errors make up for each other, in what the layer answers.

Every layer's weights, in cells of a given width, are rounded one after the other with regard to the
covariance of what the layer reads (quantize/rounding.py); the mean error goes into the bias.

Source: Frantar et al. 2022, "GPTQ", arXiv 2210.17323.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.compress.pack.codebook import Book, reach, short
from paredown.compress.quantize.patches import Draw, Layer, Places, Rows, indices, instrument, places
from paredown.compress.quantize.rounding import round_rows
from paredown.compress.recipe import Context
from paredown.graph.load import to_proto
from paredown.graph.run import open_session
from paredown.graph.walk import attribute, constant, shape_of
from paredown.model import Model

TOGETHER = 1 << 26  # values of covariances kept at once: 256 MiB
DRAW = Draw(64, 1 / 2, 256, 1024)  # only sums are kept of the patches
DIGITS = 12  # binary, of a bias
INSIDE = 0.25  # of a cell: learning starts no further from its middle

Weights = Mapping[ir.Node, NDArray[Any]]


def rounded(
    network: Model, weights: Weights, widths: Mapping[ir.Node, float], k: int, context: Context
) -> Iterator[tuple[ir.Node, Book]]:
    """The codebooks of the layers whose patches can be taken; their biases are changed in place.

    network: the float model that the layers belong to. widths: of their cells.
    """
    shapes = _shapes(network)
    found = {node: _layer(node, w.shape, shapes) for node, w in weights.items()}
    layers = {node: layer for node, layer in found.items() if layer is not None}
    for some in _portions(layers):
        means, moments = _statistics(network, list(some.values()), context)
        for node, layer, mean, moment in zip(some, some.values(), means, moments, strict=True):
            yield node, _round(layer, weights[node], widths[node], k, mean, moment)


def _round(layer: Layer, w: NDArray[Any], width: float, k: int, mean: Rows, moment: Rows) -> Book:
    """mean: (G, K); moment: (G, K, K), the mean of x x^T."""
    rows = layer.rows(w) / np.float32(width)
    value = layer.node.inputs[2] if len(layer.node.inputs) > 2 else None
    bias = constant(value)
    if bias is None:
        mean = np.zeros_like(mean)
    cells = np.empty_like(rows)
    for g in range(layer.groups):
        covariance = moment[g] - np.outer(mean[g], mean[g])
        cells[g] = round_rows(rows[g], covariance.astype(np.float32), -reach(k), reach(k))
    if value is not None and bias is not None:
        shift = np.einsum("gok,gk->go", rows - cells, mean).reshape(-1) * width
        value.const_value = ir.tensor(short((bias + shift).astype(np.float32), DIGITS), name=value.name)
    start = cells + np.clip(rows - cells, -INSIDE, INSIDE)
    numbers, chosen = np.unique(layer.shaped(cells), return_inverse=True)
    table = (numbers * width).astype(np.float32)
    return Book(table, chosen.astype(np.uint8).reshape(w.shape), layer.shaped(start) * np.float32(width))


def _statistics(network: Model, layers: Sequence[Layer], context: Context) -> tuple[list[Rows], list[Rows]]:
    """Mean and second moment of the patches of every layer."""
    sizes = [layer.rows(np.empty(_weight_shape(layer), np.float32)).shape for layer in layers]
    sums = [np.zeros((g, k), np.float32) for g, _, k in sizes]
    squares = [np.zeros((g, k, k), np.float32) for g, _, k in sizes]
    counts = np.zeros(len(layers))
    at = places(layers, DRAW, context.seed)
    for patches in _read(network, layers, at, context):
        for i, x in enumerate(patches):  # (positions, G, K)
            counts[i] += len(x)
            sums[i] += x.sum(axis=0)
            squares[i] += x.transpose(1, 2, 0) @ x.transpose(1, 0, 2)
    return _over(sums, counts), _over(squares, counts)


def _over(sums: Sequence[Rows], counts: NDArray[np.float64]) -> list[Rows]:
    return [s / np.float32(max(n, 1)) for s, n in zip(sums, counts, strict=True)]


def _read(
    network: Model, layers: Sequence[Layer], at: Sequence[Places], context: Context
) -> Iterator[list[Rows]]:
    """For every image the patches of every layer: (positions, G, K) real numbers; padding is 0."""
    wheres = [indices(layer, place) for layer, place in zip(layers, at, strict=True)]
    data = instrument(network, [layer.source for layer in layers], [np.maximum(w, 0) for w in wheres])
    session = open_session(data, context.threads)
    for image in context.progress(islice(context.images(), DRAW.images), "sampling layers"):
        drawn = session.run(None, {network.inputs[0].name: image})
        yield [
            np.where(where < 0, np.float32(0), d.reshape(where.shape))
            for d, where in zip(drawn, wheres, strict=True)
        ]


def _portions(layers: Mapping[ir.Node, Layer]) -> Iterator[dict[ir.Node, Layer]]:
    """The layers, so many at once as their covariances have room for."""
    some: dict[ir.Node, Layer] = {}
    room = TOGETHER
    for node, layer in layers.items():
        shape = _weight_shape(layer)
        need = layer.groups * int(np.prod(shape[1:]) if node.op_type == "Conv" else max(shape)) ** 2
        if some and need > room:
            yield some
            some, room = {}, TOGETHER
        some[node] = layer
        room -= need
    if some:
        yield some


def _layer(node: ir.Node, weight: tuple[int, ...], shapes: Mapping[str, tuple[int, ...]]) -> Layer | None:
    """A float layer as a matrix product, on a unit grid; None where its patches cannot be taken."""
    source = node.inputs[0]
    shape = shapes.get(str(source.name), ()) if source is not None else ()
    convolves = node.op_type == "Conv" and len(shape) == len(weight) == 4
    multiplies = node.op_type in ("Gemm", "MatMul") and len(weight) == 2 and not attribute(node, "transA", 0)
    if source is None or 0 in shape or not (convolves or multiplies) or attribute(node, "auto_pad", ""):
        return None
    stand_in = ir.Node("", "Constant", [])
    stand_in.outputs[0].shape = ir.Shape(weight)
    return Layer(node, stand_in, str(source.name), str(node.outputs[0].name), shape, 1.0, 0, 0, 255)


def _weight_shape(layer: Layer) -> tuple[int, ...]:
    return shape_of(layer.weight.outputs[0])


def _shapes(network: Model) -> dict[str, tuple[int, ...]]:
    """By name the shapes of inputs and inner tensors, open dimensions 0."""
    graph = onnx.shape_inference.infer_shapes(to_proto(network)).graph
    return {
        v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim)
        for v in (*graph.input, *graph.value_info)
    }
