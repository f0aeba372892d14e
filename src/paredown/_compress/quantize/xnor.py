"""XNOR-Net: convolutions of signs with signs, each answer scaled by what the signs left out.

    I * W ~ (sign(I) (*) sign(W)) . K alpha,    alpha = mean |W| of each output channel,
                                                K = A (*) k,  A = mean over channels of |I|,  k = 1 / (w h)

It is written in standard operators: Sub, Sign, Conv of -1 and 1, and for K Abs, ReduceMean and AveragePool.
Stock runtimes have no kernel for sums of signs and compute all of it in float: the file is small, the speed
is that of float or less. It is made to be learned: put `qat` behind it.

Source: Rastegari et al. 2016, "XNOR-Net", arXiv 1603.05279, eq. 6 and 11, figure 3.
Differs from the source: batch normalisation, which stands in front of the sign there, is folded into the
convolutions of an exported graph; the mean m of each channel on the calibration images is taken off
instead, and its part of the answer, the sum of W m, goes into the bias (exact but for the image's border).

Shapes: C input channels, O output channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.draft import Draft, QuantizedLayer
from paredown._compress.quantize.placement.plan import place
from paredown._compress.quantize.placement.widths import widths
from paredown._compress.quantize.ranges.calibrate import calibrate_for
from paredown._compress.quantize.writing.qdq import add_constant, drop_unused, quantize_weight
from paredown._compress.recipe import Context, Stage, Step
from paredown.graph.walk import attribute, constant, shape_of, to_model, weight_of
from paredown.measurement import StepRecord
from paredown.model import Model
from paredown.numerics.quant_params import binary

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Xnor(Step):
    """xnor: signs of weights and of what they meet; first layers, heads and grouped ones stay float."""

    kind: ClassVar[str] = "xnor"
    summary: ClassVar[str] = "signs times signs with scales (Rastegari 2016); needs qat, computed in float"
    integers: ClassVar[bool] = True

    def provides(self, stage: Stage) -> Stage:
        return "signs"


def apply(step: Xnor, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """Writes sums of signs; one record for every layer."""
    graph = draft.graph
    plan = place(graph, context.policy, context.keep_float)
    log = [
        StepRecord(step.name, str(n.name), "float", why, {"op": n.op_type})
        for n, why in plan.left.items()
        if weight_of(n) is not None
    ]
    refused = {node: why or _unfit(node) for node, (_, why) in widths(plan, 1, 8, "ends").items()}
    layers = [node for node, why in refused.items() if not why]
    log += [
        StepRecord(step.name, str(n.name), "float", why, {"op": n.op_type})
        for n, why in refused.items()
        if why
    ]
    if layers:
        draft.float_model = to_model(draft.model, context.source)
        means = _means(draft.float_model, layers, context)
        for node in layers:
            draft.layers[str(node.name)] = _binarize(graph, node, means[str(node.inputs[0].name)])  # type: ignore[union-attr]
            why = "signs times signs, computed in float"
            log.append(
                StepRecord(
                    step.name, str(node.name), "quantized", why, {"op": node.op_type, "weight_bits": 1}
                )
            )
        drop_unused(graph)
    return tuple(log)


def _unfit(node: ir.Node) -> str:
    if node.op_type != "Conv" or len(shape_of(node.inputs[1])) != 4:  # type: ignore[arg-type]
        return "no convolution of an image"
    if node.outputs[0].is_graph_output():
        return "its answer leaves the graph"
    if attribute(node, "group", 1) > 1:
        return "a grouped convolution: each sum holds few signs"
    if max(attribute(node, "dilations", [1])) > 1 or attribute(node, "auto_pad", "NOTSET") != "NOTSET":
        return "dilated or padded automatically: its scale K is no plain pool"
    return ""


def _means(model: Model, layers: list[ir.Node], context: Context) -> dict[str, Floats]:
    """Mean of every channel of what the layers read, (C,) by tensor name."""
    read = sorted({str(n.inputs[0].name) for n in layers if n.inputs[0] is not None})
    seen = calibrate_for(context, model, read)
    found = {}
    for name, one in seen.items():
        count = np.maximum(np.bincount(one.channel, minlength=len(one.channel_low)), 1)
        sums = np.bincount(one.channel, one.sample, minlength=len(one.channel_low))
        found[name] = (sums / count).astype(np.float32)
    return found


def _binarize(graph: ir.Graph, node: ir.Node, mean: Floats) -> QuantizedLayer:
    """Rewrites one convolution. mean: (C,) of its input."""
    x, made, name = node.inputs[0], node.outputs[0], str(node.name)
    assert x is not None
    weight = np.asarray(constant(node.inputs[1]), np.float32)
    bias = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    shift = np.einsum("ocij,c->o", weight, mean) + (0.0 if bias is None else np.asarray(bias, np.float32))
    front = _front(graph, node, x, mean)
    node.replace_input_with(0, front[1].outputs[0])
    node.resize_inputs(2)
    scaled = _node("Mul", f"{name}_scaled", [made, front[-1].outputs[0]], made)
    whole = _node(
        "Add", f"{name}_answer", [scaled.outputs[0], _per_channel(graph, f"{name}_shift", shift)], made
    )
    for use in [u for u in made.uses() if u.node is not scaled]:
        use.node.replace_input_with(use.idx, whole.outputs[0])
    made.name, whole.outputs[0].name = f"{name}_sums", made.name  # the public name is the answer's
    graph.insert_before(node, front)
    graph.insert_after(node, [scaled, whole])
    grid = binary(weight, 0)
    return quantize_weight(graph, node, grid, grid.quantize(weight), weight)


def _front(graph: ir.Graph, node: ir.Node, x: ir.Value, mean: Floats) -> list[ir.Node]:
    """What stands in front of a convolution: Sub, Sign, and at the end K."""
    name = str(node.name)
    centred = _node("Sub", f"{name}_centred", [x, _per_channel(graph, f"{name}_mean", mean)], x)
    signs = _node("Sign", f"{name}_signs", [centred.outputs[0]], x)
    size = _node("Abs", f"{name}_size", [centred.outputs[0]], x)
    if int(graph.opset_imports.get("", 13)) >= 18:
        axes = add_constant(graph, f"{name}_axes", np.array([1], np.int64))
        a = _node("ReduceMean", f"{name}_A", [size.outputs[0], axes], None)
    else:
        a = _node("ReduceMean", f"{name}_A", [size.outputs[0]], None, [ir.AttrInt64s("axes", [1])])
    pool = [node.attributes[key] for key in ("strides", "pads") if key in node.attributes]
    pool.append(ir.AttrInt64s("kernel_shape", list(shape_of(node.inputs[1])[2:])))  # type: ignore[arg-type]
    pool.append(ir.AttrInt64("count_include_pad", 1))
    return [centred, signs, size, a, _node("AveragePool", f"{name}_K", [a.outputs[0]], None, pool)]


def _node(
    op: str, name: str, inputs: list[ir.Value], like: ir.Value | None, attributes: list[ir.Attr] | None = None
) -> ir.Node:
    """A node whose output has the type and shape of `like`."""
    node = ir.Node("", op, inputs, attributes or [], name=name)
    node.outputs[0].name = f"{name}_output"
    if like is not None:
        node.outputs[0].type, node.outputs[0].shape = like.type, like.shape
    return node


def _per_channel(graph: ir.Graph, name: str, values: Floats) -> ir.Value:
    return add_constant(graph, name, values.astype(np.float32).reshape(1, -1, 1, 1))
