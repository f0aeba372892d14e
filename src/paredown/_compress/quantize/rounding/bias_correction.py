"""Empirical bias correction: what quantization shifts in an output channel goes back through the bias.

With y the float and y~ the quantized network's output of a layer before its activation, in channel c

    b_c += median(y_c - y~_c)

over positions of calibration images, layer by layer from the front, every layer before already corrected.

Source: Nagel et al. 2019, arXiv 1906.04721, section 4.2 and appendix D (empirical); Banner et al. 2019,
arXiv 1810.05723, section 4.
Differs from the source: the median of paired differences stands for the difference of means, because a few
clipped responses (objects) must not move the bias of everything else; and there is one pass, not one for each
layer: the graph is cut behind every layer and its pieces run in order, each on all images, a correction
between two pieces.
In no preset: `gptq` already takes back each layer's own mean error, and what this adds on top of 4-bit
weights made detectors worse where it was measured.

Shapes: C output channels, n sampled positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.draft import Draft
from paredown._compress.layerwise.run import LayerwiseRun
from paredown._compress.quantize.writing.qdq import float_name, shift_bias
from paredown._compress.recipe import IN_INTEGERS, Context, Stage, Step
from paredown.graph.taps import Tap, Tapped
from paredown.graph.walk import constant, shape_of
from paredown.measurement import StepRecord
from paredown.numerics.quant_params import QuantParams
from paredown.protocols import most

IMAGES = 12  # of the calibration images: a mean over positions settles early, and all are held at once

POSITIONS = 192  # positions of each image

Mean = NDArray[np.float64]
Sample = NDArray[np.float32]
Positions = NDArray[np.int64]


@dataclass(frozen=True)
class BiasCorrection(Step):
    """bc: corrects the biases behind w8a8, w4a8 or w2a8 by the measured shift of every channel."""

    kind: ClassVar[str] = "bc"
    summary: ClassVar[str] = "empirical bias correction (Nagel 2019)"
    requires: ClassVar[frozenset[Stage]] = IN_INTEGERS
    comes_behind: ClassVar[str] = "w8a8 or w4a8"


def apply(step: BiasCorrection, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """Shifts the biases; a record for every layer."""
    model, source = draft.model, draft.float_model
    layers = {str(n.outputs[0].name): n for n in model.graph if _bias(n) is not None}
    if not layers or source is None:
        why = "no quantized bias to correct: put this step behind w8a8 or w4a8"
        return (StepRecord(step.name, "", "skipped", why),)
    rng = np.random.default_rng(context.seed)
    positions = [_positions(n.outputs[0], rng) for n in layers.values()]
    pairs = zip(layers.values(), positions, strict=True)
    answers = Tapped(source, [_tap(n.outputs[0], at) for n, at in pairs], context.threads)
    given = context.images()
    images = context.progress(islice(given, IMAGES), "running the float network", most(given, IMAGES))
    run = LayerwiseRun(model, layers, answers.passing(images), context.threads)
    run.reach(next(iter(layers)))  # the float network answers meanwhile
    log = []
    shown = context.progress(layers.items(), "correcting biases", len(layers))
    for index, (layer, node) in enumerate(shown):
        got = [y.reshape(y.shape[1], -1)[:, positions[index]] for y in run.to(layer)]
        wanted = np.concatenate(answers.kept[index], axis=1)
        shift, moved = _correct(node, wanted, np.concatenate(got, axis=1), _head(draft, node))
        for state in run.states:
            state[layer] = _moved(state[layer], moved)
        data = {"op": node.op_type, "largest": float(np.abs(shift).max())}
        log.append(StepRecord(step.name, str(node.name), "changed", "mean shift taken back", data))
    return tuple(log)


def _bias(node: ir.Node) -> ir.Node | None:
    """The DequantizeLinear of a layer's int32 bias."""
    if node.op_type not in ("Conv", "Gemm") or len(node.inputs) < 3 or node.inputs[2] is None:
        return None
    producer = node.inputs[2].producer()
    return producer if producer is not None and producer.op_type == "DequantizeLinear" else None


def _positions(value: ir.Value, rng: np.random.Generator) -> Positions:
    """Random positions of a tensor (1, C, ...), counted behind its channels."""
    return np.sort(rng.permutation(int(np.prod(shape_of(value)[2:], initial=1)))[:POSITIONS]).astype(np.int64)


def _tap(value: ir.Value, at: Positions) -> Tap:
    """The values at these positions of every channel, (C, n), in the float network."""
    shape = shape_of(value)
    inner = int(np.prod(shape[2:], initial=1))
    return Tap(float_name(value), np.arange(shape[1])[:, None] * inner + at)


def _head(draft: Draft, node: ir.Node) -> QuantParams | None:
    found = draft.layers.get(str(node.name))
    return None if found is None else found.head


def _correct(node: ir.Node, wanted: Sample, got: Sample, head: QuantParams | None) -> tuple[Mean, Mean]:
    """Shifts the bias. Gives the shift in real units, and what the layer's output moves by, (C,)."""
    unit: Any = 1.0 if head is None else head.scale
    if head is not None:  # this layer answers in integers of a grid for every channel
        got = (got - head.zero_point[:, None]) * head.scale[:, None]
    bias = _bias(node)
    assert bias is not None
    scale = np.asarray(constant(bias.inputs[1]), np.float64)
    shift = np.median(wanted - got, axis=1).astype(np.float64)
    steps = np.rint(shift / unit / scale)
    shift_bias(bias, steps)
    return shift, np.asarray(steps * scale)


def _moved(y: NDArray[Any], by: Mean) -> NDArray[Any]:
    return (y + by.reshape(1, -1, *[1] * (y.ndim - 2))).astype(np.float32)
