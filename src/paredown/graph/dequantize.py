"""A quantized model as the float model that it stands for: what somebody's INT8 file can be compressed from.

Every tensor of integers becomes the real numbers that the integers mean; rounding goes. A quantized tensor
cuts off what its integers cannot hold: where that is a ReLU in disguise (zero is its lowest integer), a Clip
keeps it. Stored integers become stored floats. What the first rounding lost does not come back.

QDQ (QuantizeLinear, DequantizeLinear of ONNX and of ONNX Runtime), QOperator files (QLinearConv, ...; the
table in dequantize_ops.py), and dynamic ones (ConvInteger, MatMulInteger, MatMulNBits).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from paredown.errors import ModelError, UnsupportedModel
from paredown.graph.dequantize_ops import OPS
from paredown.graph.floats import Floats, along_axis
from paredown.graph.load import from_proto, to_proto
from paredown.graph.notes import add_note
from paredown.graph.precision import quantized_ops, spelled
from paredown.graph.run import random_feeds, run_once
from paredown.model import Model

LEAST_COSINE = 0.8  # of the answers to noise: below, it is another model
_MOVES = frozenset(
    [
        *("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Slice", "Split", "Gather"),
        *("Concat", "MaxPool", "Expand", "Tile", "DepthToSpace", "SpaceToDepth", "Pad", "Resize", "Clip"),
    ]
)


def dequantized(model: Model) -> Model:
    """The float model that a quantized one stands for; its notes say what was done.

    Raises UnsupportedModel: it is not quantized, or an operator or a grid cannot be turned to floats.
    """
    found = quantized_ops(model)
    if not found:
        raise UnsupportedModel("--dequantize: this model is not quantized", hint="leave it out")
    proto = to_proto(model)
    if any(a.HasField("g") for node in proto.graph.node for a in node.attribute):
        raise UnsupportedModel("--dequantize: the model has If or Loop nodes", got=spelled(found))
    proto = onnx.shape_inference.infer_shapes(proto)
    _rewrite(proto.graph)
    made = from_proto(proto, model.name)
    if left := quantized_ops(made):
        raise UnsupportedModel("--dequantize: not everything can be turned to floats", got=spelled(left))
    add_note(
        proto,
        f"made from an already quantized file ({spelled(found)}): what that rounding lost is lost, and "
        f"`float` means this file's numbers without it; answers to noise agree to {_cosine(model, made):.4f}",
    )
    made = from_proto(proto, model.name)
    return made if model.card is None else made.with_card(model.card)


def _rewrite(graph: onnx.GraphProto) -> None:
    floats = Floats(graph)
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes += _of(node, floats)
    del graph.node[:]
    graph.node.extend(nodes)
    for value in graph.output:
        if value.name in floats.grids:
            raise UnsupportedModel("--dequantize: the model answers with integers", got=value.name)
    _sweep(graph)
    del graph.value_info[:]


def _of(node: onnx.NodeProto, floats: Floats) -> list[onnx.NodeProto]:
    """What stands for the node."""
    if node.op_type in OPS:
        return OPS[node.op_type](node, floats)
    read = [name for name in node.input if name in floats.grids]
    if not read:
        floats.remember(node)
        return [node]
    if node.op_type not in _MOVES:
        raise UnsupportedModel(
            "--dequantize: an operator that computes with integers is not known",
            got=f"{node.op_type} {node.name!r}",
        )
    grid = floats.grids[read[0]]
    if any(floats.grids[name] != grid for name in read):
        raise UnsupportedModel("--dequantize: a node joins integers of two grids", got=node.name)
    made = onnx.NodeProto()
    made.CopyFrom(node)
    if node.op_type == "Pad" and len(node.input) > 2 and node.input[2] in floats.stored:
        border = along_axis(floats.stored[node.input[2]], *grid.arrays, axis=1)
        made.input[2] = floats.store(border, "border")
    if node.op_type == "Clip":
        for place in range(1, len(node.input)):
            if node.input[place]:
                made.input[place] = floats.store(
                    along_axis(floats.numbers(node, place), *grid.arrays, axis=1), "bound"
                )
    for name in node.output:
        floats.grids[name] = grid
    return [made]


def _sweep(graph: onnx.GraphProto) -> None:
    """Takes out what nothing reads any more: nodes, then initializers."""
    read = {v.name for v in graph.output}
    kept = []
    for node in reversed(graph.node):
        if any(name in read for name in node.output):
            kept.append(node)
            read.update(node.input)
    del graph.node[:]
    graph.node.extend(kept[::-1])
    stored = [t for t in graph.initializer if t.name in read]
    del graph.initializer[:]
    graph.initializer.extend(stored)
    alive = {t.name for t in stored}
    inputs = [v for v in graph.input if v.name in read or v.name in alive]
    del graph.input[:]
    graph.input.extend(inputs)


def _cosine(before: Model, after: Model) -> float:
    """The least cosine between the answers of both to noise, over the outputs. Raises ModelError below
    LEAST_COSINE."""
    feeds = random_feeds(before, seed=0)
    want, got = run_once(before.data, feeds), run_once(after.data, feeds)
    found = min(
        (_of_two(want[name], got[name]) for name in want if want[name].dtype.kind == "f"), default=1.0
    )
    if found < LEAST_COSINE:
        raise ModelError(
            "--dequantize: the float model does not answer as the quantized one",
            got=f"a cosine of {found:.3f} on noise",
            expected=f"at least {LEAST_COSINE}",
        )
    return found


def _of_two(a: NDArray[Any], b: NDArray[Any]) -> float:
    x, y = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    if x.shape != y.shape:
        return 0.0
    size = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / size if size else float(np.array_equal(x, y))
