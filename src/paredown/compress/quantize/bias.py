"""Empirical bias correction: the mean that quantization shifts in every output channel goes back through the bias.

With y the float and y~ the quantized network's output of a layer, before its activation function, in channel c

    b_c += E[y_c] - E[y~_c]

over calibration images. It takes back whatever the errors of this and all earlier layers have in common.

Source: Nagel et al. 2019, arXiv 1906.04721, section 4.2 and appendix D (empirical); Banner et al. 2019,
arXiv 1810.05723, section 4.
Differs from the source: not one pass a layer but a few passes, each of which measures all layers and corrects one
block of them, from the front to the back of the network.

Shapes: C output channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from paredown.compress.quantize.write import FLOAT, HEAD, float_name, shift_bias
from paredown.compress.recipe import Context, Step
from paredown.graph.load import to_proto
from paredown.graph.run import open_session
from paredown.graph.walk import constant, shape_of, to_model
from paredown.measurement import StepRecord
from paredown.model import Model

IMAGES = 32  # of the calibration images: a mean over positions settles early

Mean = NDArray[np.float64]


@dataclass(frozen=True)
class BiasCorrection(Step):
    """bc: corrects the biases behind w8a8, w4a8 or w2a8 by the measured shift of every channel."""

    kind: ClassVar[str] = "bc"
    summary: ClassVar[str] = "empirical bias correction (Nagel 2019)"

    rounds: int = 2


def apply(step: BiasCorrection, model: ir.Model, context: Context) -> tuple[ir.Model, tuple[StepRecord, ...]]:
    """The same graph with other biases, and a record for every layer."""
    nodes = [n for n in model.graph if _bias(n) is not None]
    if not nodes or FLOAT not in model.meta:
        why = "no quantized bias to correct: put this step behind w8a8 or w4a8"
        return model, (StepRecord(step.name, "", "skipped", why),)
    source: Model = model.meta[FLOAT]
    names = {n: (float_name(n.outputs[0]), str(n.outputs[0].name)) for n in nodes}
    wanted = _means(source, [name for name, _ in names.values()], context)
    log = []
    for block in np.array_split(np.arange(len(nodes)), step.rounds):
        got = _means(to_model(model, source), [name for _, name in names.values()], context)
        for node in (nodes[i] for i in block):
            shift = _correct(node, wanted[names[node][0]], got[names[node][1]])
            data = {"op": node.op_type, "largest": float(np.abs(shift).max())}
            log.append(StepRecord(step.name, str(node.name), "changed", "mean shift taken back", data))
    return model, tuple(log)


def _bias(node: ir.Node) -> ir.Node | None:
    """The DequantizeLinear of a layer's int32 bias."""
    if (
        node.op_type not in ("Conv", "ConvTranspose", "Gemm")
        or len(node.inputs) < 3
        or node.inputs[2] is None
    ):
        return None
    producer = node.inputs[2].producer()
    return producer if producer is not None and producer.op_type == "DequantizeLinear" else None


def _correct(node: ir.Node, wanted: Mean, got: Mean) -> Mean:
    """Shifts the bias by wanted - got, both (C,). Gives the shift in real units."""
    head = node.meta.get(HEAD)
    unit = 1.0 if head is None else head.scale
    if head is not None:  # this layer answers in integers of a grid for every channel
        got = (got - head.zero_point) * head.scale
    bias = _bias(node)
    assert bias is not None
    shift_bias(bias, (wanted - got) / unit / np.asarray(constant(bias.inputs[1]), np.float64))
    return np.asarray(wanted - got)


def _means(model: Model, tensors: list[str], context: Context) -> dict[str, Mean]:
    """The mean of every channel (axis 1) of each tensor over the first images."""
    session = open_session(_instrument(model, tensors), context.threads)
    sums, count = [np.zeros(1)] * len(tensors), 0
    for image in context.progress(islice(context.images(), IMAGES), "measuring means"):
        answers = session.run(None, {model.inputs[0].name: image})
        sums = [total + answer[0] for total, answer in zip(sums, answers, strict=True)]
        count += 1
    return {name: total / count for name, total in zip(tensors, sums, strict=True)}


def _instrument(model: Model, tensors: list[str]) -> bytes:
    """The model whose only outputs are the means over positions, (N, C) each."""
    proto: onnx.ModelProto = to_proto(model)
    graph = proto.graph
    del graph.output[:]
    graph.initializer.append(numpy_helper.from_array(np.array([0, 0, -1], np.int64), "/flat"))
    graph.initializer.append(numpy_helper.from_array(np.array([2], np.int64), "/positions"))
    opset = max(o.version for o in proto.opset_import if o.domain in ("", "ai.onnx"))
    for name in tensors:
        graph.node.append(helper.make_node("Reshape", [name, "/flat"], [f"{name}/flat"]))
        if opset >= 18:
            mean = helper.make_node(
                "ReduceMean", [f"{name}/flat", "/positions"], [f"{name}/mean"], keepdims=0
            )
        else:
            mean = helper.make_node("ReduceMean", [f"{name}/flat"], [f"{name}/mean"], keepdims=0, axes=[2])
        graph.node.append(mean)
        graph.output.append(helper.make_tensor_value_info(f"{name}/mean", TensorProto.FLOAT, None))
    return bytes(proto.SerializeToString())
