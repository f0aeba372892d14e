"""Codebooks whose rounding errors make up for each other, in what the layer answers.

Every layer's weights, in cells of a given width, are rounded one after the other with regard to what the
layer reads once those in front of it are shared (rounding/gptq.py); the mean error goes into the bias.

Source: Frantar et al. 2022, "GPTQ", arXiv 2210.17323.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.layerwise.im2col import (
    FEW_BITS,
    MatmulLayer,
    Rows,
    answer_taps,
    im2col,
    indices,
    positions,
)
from paredown._compress.layerwise.run import LayerwiseRun
from paredown._compress.pack.codebook import Book, reach, short
from paredown._compress.quantize.rounding.gptq import INSIDE, round_group
from paredown._compress.quantize.writing.qdq import replace_constant
from paredown._compress.recipe import Context
from paredown.graph.load import to_proto
from paredown.graph.taps import Tapped
from paredown.graph.walk import attribute, constant, to_ir
from paredown.model import Model
from paredown.numerics.quant_params import whole

DIGITS = 12  # binary, of a bias

Weights = Mapping[ir.Node, NDArray[Any]]


def rounded(
    network: Model, weights: Weights, widths: Mapping[ir.Node, float], k: int, context: Context
) -> Iterator[tuple[ir.Node, Book]]:
    """The codebooks of the layers whose patches can be taken; their biases are changed in place.

    network: the float model that the layers belong to. widths: of their cells.
    """
    shapes = _shapes(network)
    layers = [found for node, w in weights.items() if (found := _layer(node, w.shape, shapes)) is not None]
    if not layers:
        return
    at = positions(layers, FEW_BITS, context.seed)
    images = context.progress(islice(context.training_images(), FEW_BITS.images), "running the float network")
    answers = Tapped(network, answer_taps(layers, at), context.threads)
    made = to_ir(network)
    nodes = {str(node.name): node for node in made.graph}
    passing = answers.passing(images)
    run = LayerwiseRun(made, [layer.source for layer in layers], passing, context.threads)
    run.reach(layers[0].source)
    pairs = list(zip(layers, at, strict=True))
    for layer, place in context.progress(pairs, "rounding layer by layer", len(pairs)):
        where = indices(layer, place)
        x = np.concatenate([im2col(where, x, 0.0) for x in run.to(layer.source)])
        book = _round(
            layer, weights[layer.node], widths[layer.node], k, x, np.concatenate(answers.kept.pop(0))
        )
        twin = nodes[str(layer.node.name)]
        for value, array in ((twin.inputs[1], book.values), (_bias(twin), constant(_bias(layer.node)))):
            if value is not None and array is not None:
                replace_constant(value, np.asarray(array, np.float32))
        yield layer.node, book


def _round(layer: MatmulLayer, w: NDArray[Any], width: float, k: int, x: Rows, answer: Rows) -> Book:
    """x: (n, G, K) what the layer reads, answer: (n, G O) what it should answer. Its bias is changed."""
    rows, value = layer.rows(w) / np.float32(width), _bias(layer.node)
    bias = constant(value)
    before = np.float32(0) if bias is None else np.asarray(bias, np.float32)
    wanted = ((answer - before) / np.float32(width)).reshape(len(x), layer.groups, -1)
    grid = whole(-reach(k), reach(k))
    cells, shift = grid.nearest(rows).astype(np.float32), np.zeros(rows.shape[:2])
    for g in range(layer.groups):
        read = np.ascontiguousarray(x[:, g])
        cells[g], shift[g], _ = round_group(rows[g], cells[g], read, wanted[:, g], grid, bias is not None)
    if value is not None and bias is not None:
        moved = short((before + shift.reshape(-1) * width).astype(np.float32), DIGITS)
        value.const_value = ir.tensor(moved, name=value.name)
    start = grid.beside(cells, rows, INSIDE)
    numbers, chosen = np.unique(layer.shaped(cells), return_inverse=True)
    table = (numbers * width).astype(np.float32)
    return Book(table, chosen.astype(np.uint8).reshape(w.shape), layer.shaped(start) * np.float32(width))


def _bias(node: ir.Node) -> ir.Value | None:
    return node.inputs[2] if len(node.inputs) > 2 else None


def _layer(
    node: ir.Node, weight: tuple[int, ...], shapes: Mapping[str, tuple[int, ...]]
) -> MatmulLayer | None:
    """A float layer as a matrix product, on a unit grid; None where its patches cannot be taken."""
    source = node.inputs[0]
    shape = shapes.get(str(source.name), ()) if source is not None else ()
    convolves = node.op_type == "Conv" and len(shape) == len(weight) == 4
    multiplies = node.op_type in ("Gemm", "MatMul") and len(weight) == 2 and not attribute(node, "transA", 0)
    if source is None or 0 in shape or not (convolves or multiplies) or attribute(node, "auto_pad", ""):
        return None
    stand_in = ir.Node("", "Constant", [])
    stand_in.outputs[0].shape = ir.Shape(weight)
    return MatmulLayer(node, stand_in, str(source.name), str(node.outputs[0].name), shape, 1.0, 0, 0, 255)


def _shapes(network: Model) -> dict[str, tuple[int, ...]]:
    """By name the shapes of inputs and inner tensors, open dimensions 0."""
    graph = onnx.shape_inference.infer_shapes(to_proto(network)).graph
    return {
        v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim)
        for v in (*graph.input, *graph.value_info)
    }
