"""INT8 for ncnn: the integers and scales of a model's Q/DQ pairs in ncnn's own layers.

ncnn rounds what a convolution or inner product reads, one symmetric scale for a tensor, multiplies with int8
weights, one scale for every output channel, and writes real numbers; or the next layer's integers, where
nothing else reads them. pnnx knows none of this. So it converts the float network behind the pairs, in which
every bias is a number of its own: by that a layer is known again, whatever pnnx named it and took into it.

Source: Jacob et al. 2018, arXiv 1712.05877, section 2.2, without zero points. ncnn's scales are the
reciprocals of ONNX's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.errors import UnsupportedModel
from paredown.graph.walk import attribute, constant, to_ir, to_model
from paredown.model import Model
from paredown.runtimes.ncnn_layers import Layer, Stored, changed
from paredown.runtimes.tflite.folding import fold_constants

Floats = NDArray[np.float32]
FIRST_MARK = 2**20  # a bias that no network has, in every channel; float32 counts on from it exactly
NO_WINOGRAD = 64  # bit of parameter 31: ncnn's Winograd for integers overflows with weights of 8 bits
_READ = frozenset(["Conv", "Gemm"])
_LAYERS = frozenset(["Convolution", "ConvolutionDepthWise", "InnerProduct"])


@dataclass(frozen=True)
class Integers:
    """One layer. weight: (N, ...) int8 numbers; scales: (N,); bias: (N,); scale: of what it reads."""

    node: str
    weight: NDArray[np.int8]
    scales: Floats
    bias: Floats
    scale: float

    @property
    def real(self) -> Floats:
        column = self.scales.reshape(-1, *[1] * (self.weight.ndim - 1))
        made: Floats = self.weight.astype(np.float32) * column
        return made


def without_pairs(model: Model) -> tuple[Model, Model, tuple[Integers, ...]]:
    """The float network behind the pairs, the same with marks for biases, and the layers in order of marks.

    Raises UnsupportedModel, with the node, where a pair stands that ncnn does not compute.
    """
    folded, *_ = fold_constants(model)
    graph_model = to_ir(folded)
    graph = graph_model.graph
    layers = {node: _integers(node) for node in graph if _is_rounded(node)}
    for node in list(graph):
        if node.op_type == "DequantizeLinear":
            _pass(graph, node)
    for node in list(graph):
        if node.op_type == "QuantizeLinear":
            graph.remove(node, safe=True)
    plain = to_model(graph_model, model)
    for i, node in enumerate(layers):
        mark = np.full(len(layers[node].bias), FIRST_MARK + i, np.float32)
        node.resize_inputs(3)
        node.replace_input_with(2, _constant(graph, f"{node.name}/mark", mark))
    return plain, to_model(graph_model, model), tuple(layers.values())


def in_integers(layers: Sequence[Layer], found: Sequence[Integers]) -> tuple[Layer, ...]:
    """ncnn's layers with the integers in them. layers: of the marked network."""
    known = recognized(layers, found)
    read_as = {layer.bottoms[0]: integers.scale for layer, integers in known.items()}
    made = []
    for layer in layers:
        if (integers := known.get(layer)) is None:
            made.append(layer)
            continue
        following = _read_by_integers(layer.tops[0], layers, known)
        made.append(_rewritten(layer, integers, read_as[following] if following else None))
    return tuple(made)


def in_float(layers: Sequence[Layer], found: Sequence[Integers]) -> tuple[Layer, ...]:
    """ncnn's layers with their biases in place of the marks."""
    known = recognized(layers, found)
    return tuple(
        changed(layer, {}, [layer.arrays[0], Stored(known[layer].bias)]) if layer in known else layer
        for layer in layers
    )


def recognized(layers: Sequence[Layer], found: Sequence[Integers]) -> dict[Layer, Integers]:
    """ncnn's layer -> what it is, by mark and weights. Raises UnsupportedModel for one that is not there."""
    known: dict[Layer, Integers] = {}
    for layer in (one for one in layers if one.kind in _LAYERS and len(one.arrays) == 2):
        weight, mark = (stored.data for stored in layer.arrays)
        place = int(mark[0]) - FIRST_MARK if np.all(mark == mark[0]) else -1
        if 0 <= place < len(found) and np.array_equal(found[place].real.reshape(-1), weight):
            known[layer] = found[place]
    if missing := [integers.node for integers in found if integers not in known.values()]:
        raise UnsupportedModel(
            f"what pnnx made of layer {missing[0]!r} is not known again", hint="keep it float: --keep-float"
        )
    return known


def _rewritten(layer: Layer, integers: Integers, following: float | None) -> Layer:
    """The layer in integers. following: the scale of the integers that it writes, if it does."""
    scales = integers.scales
    if layer.kind == "ConvolutionDepthWise":
        scales = _one_a_group(scales, layer.number(7), integers.node)
    parameters = {8: "1" if following is None else "101"}
    if layer.kind == "Convolution":
        parameters[31] = str(layer.number(31) | NO_WINOGRAD)
    arrays = [Stored(integers.weight.reshape(-1), True), Stored(integers.bias), Stored(1 / scales)]
    ends = [integers.scale] if following is None else [integers.scale, following]
    arrays += [Stored(np.array([1 / end], np.float32)) for end in ends]
    return changed(layer, parameters, arrays)


def _one_a_group(scales: Floats, group: int, node: str) -> Floats:
    rows = scales.reshape(group, -1)
    if np.any(rows != rows[:, :1]):
        raise UnsupportedModel(
            f"layer {node!r} has several scales in a group of channels, ncnn one",
            hint="keep it float with --keep-float, or take a recipe with one scale per tensor",
        )
    return np.ascontiguousarray(rows[:, 0])


def _read_by_integers(top: str, layers: Sequence[Layer], known: Mapping[Layer, Integers]) -> str | None:
    """The blob that integer layers alone read of this one, all with one scale; through Splits."""
    readers = [layer for layer in layers if top in layer.bottoms]
    blobs: list[str] = []
    for reader in readers:
        if reader.kind == "Split":
            blobs += [found or "" for found in (_read_by_integers(t, layers, known) for t in reader.tops)]
        else:
            blobs.append(top if reader in known and reader.kind != "InnerProduct" else "")
    scales = {known[layer].scale for layer in known if layer.bottoms[0] in blobs}
    return blobs[0] if blobs and "" not in blobs and len(scales) == 1 else None


def _is_rounded(node: ir.Node) -> bool:
    """Whether the node reads an activation behind a pair. Raises for one that ncnn has no integers for."""
    made_by = [value.producer() if value is not None else None for value in node.inputs]
    pairs = [m for m in made_by if m is not None and m.op_type == "DequantizeLinear" and not _is_stored(m)]
    if pairs and (node.op_type not in _READ or pairs != made_by[:1]):
        raise _refused(node, "reads integers", "only a convolution or inner product does in ncnn")
    return bool(pairs)


def _is_stored(dequantize: ir.Node) -> bool:
    return constant(dequantize.inputs[0]) is not None


def _integers(node: ir.Node) -> Integers:
    pair, weights = (v.producer() if v is not None else None for v in node.inputs[:2])
    if weights is None or weights.op_type != "DequantizeLinear":
        raise _refused(node, "float weights", "int8 weights beside the integers that it reads")
    assert pair is not None
    scale = _array(pair, 1)
    if scale.size != 1 or _array(pair, 2).any() or _array(pair, 2).dtype != np.int8:
        raise _refused(node, "an activation of another grid", "int8, one scale, zero point 0")
    weight = _array(weights, 0)
    if weight.dtype != np.int8 or _array(weights, 2).any():
        raise _refused(node, f"weights of {weight.dtype}", "int8, zero point 0")
    if node.op_type == "Gemm" and not attribute(node, "transB", 0):
        weight = weight.T
    scales = np.broadcast_to(_array(weights, 1).reshape(-1), (len(weight),)).astype(np.float32)
    bias = _real(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else 0.0
    biases = np.broadcast_to(np.asarray(bias, np.float32).reshape(-1), (len(weight),))
    kept = np.ascontiguousarray(weight.astype(np.int8))
    return Integers(str(node.name), kept, scales, np.ascontiguousarray(biases), float(scale.reshape(())))


def _array(node: ir.Node, index: int) -> NDArray[np.generic]:
    """A constant input; a zero point that is left out is one 0 of int8."""
    if index == 2 and len(node.inputs) < 3:
        return np.zeros((), np.int8)
    found = constant(node.inputs[index])
    if found is None:
        raise _refused(node, "a computed scale or weight", "constants")
    return found


def _real(value: ir.Value | None) -> NDArray[np.generic]:
    """The real numbers of a constant, stored as integers or not."""
    maker = value.producer() if value is not None else None
    found = constant(value) if maker is None else _dequantized(maker)
    assert found is not None
    return found


def _dequantized(node: ir.Node) -> Floats:
    integers, scales, zeros = (_array(node, i) for i in range(3))
    axis = attribute(node, "axis", 1)
    shape = [-1 if scales.size > 1 and i == axis % integers.ndim else 1 for i in range(integers.ndim)]
    spread = [a.astype(np.float32).reshape(shape) for a in (scales, np.broadcast_to(zeros, scales.shape))]
    made: Floats = (integers.astype(np.float32) - spread[1]) * spread[0]
    return made


def _pass(graph: ir.Graph, node: ir.Node) -> None:
    """What stands behind a DequantizeLinear is what stood before its pair, or a constant of real numbers."""
    output, quantize = node.outputs[0], node.inputs[0].producer() if node.inputs[0] is not None else None
    source = (
        quantize.inputs[0] if quantize is not None else _constant(graph, str(output.name), _dequantized(node))
    )
    assert source is not None
    if output.is_graph_output():
        raise _refused(node, "is an output of the model", "real numbers")
    for use in list(output.uses()):
        use.node.replace_input_with(use.idx, source)
    graph.remove(node, safe=True)


def _constant(graph: ir.Graph, name: str, array: NDArray[np.generic]) -> ir.Value:
    tensor = ir.tensor(array, name=f"{name}/real")
    value = ir.Value(
        name=tensor.name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(array.shape), const_value=tensor
    )
    graph.register_initializer(value)
    return value


def _refused(node: ir.Node, got: str, expected: str) -> UnsupportedModel:
    return UnsupportedModel(
        f"{node.op_type} {node.name!r} cannot be computed in integers by ncnn",
        got=got,
        expected=expected,
        hint="make the model for it: --runtime ncnn",
    )
