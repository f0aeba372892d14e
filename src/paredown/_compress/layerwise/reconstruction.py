"""Layer by layer from the front: what each reads once all before it are made, and what it should answer.

A layer fitted to what it reads in the float network cannot know what the layers in front of it lost. Fitted
to what it reads in the quantized network, and to what the float network answers at the same positions, it
takes a part of that back.

Source: asymmetric reconstruction, Nagel et al. 2020, arXiv 2004.10568, eq. 25 (there W x and W~ x^).

Shapes: n sampled positions, G groups, K values in a patch, O output channels of a group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from paredown._compress.draft import Draft
from paredown._compress.layerwise.im2col import (
    EIGHT_BITS,
    FEW_BITS,
    MatmulLayer,
    Patches,
    Rows,
    answer_taps,
    im2col,
    indices,
    layer_of,
    positions,
)
from paredown._compress.layerwise.run import LayerwiseRun
from paredown._compress.quantize.placement.plan import place
from paredown._compress.quantize.sensitivity.noise import scores
from paredown._compress.recipe import Context
from paredown.graph.taps import Tapped
from paredown.graph.walk import constant, to_ir
from paredown.measurement import StepRecord
from paredown.numerics.quant_params import Signs


@dataclass(frozen=True)
class LayerSamples:
    """A layer with what it reads, (n, G, K) integers of its input's grid, and what it should answer.

    wanted: (n, G, O) in steps of the layer's int32 sums, its bias not counted. rare: (G, O), True for scores,
    which tell of something where there is something: of that a few of n tell, if any.
    """

    layer: MatmulLayer
    read: Patches
    wanted: Rows
    rare: NDArray[np.bool_]


def layers_of(draft: Draft, step: str) -> tuple[list[MatmulLayer], list[StepRecord]]:
    """The layers whose weights can be rounded again, in order, and a record for each that cannot."""
    nodes = [node for node in draft.graph if str(node.name) in draft.layers]
    if not nodes:
        why = "no weight to round again: put this step behind w8a8 or w4a8"
        return [], [StepRecord(step, "", "skipped", why)]
    layers, skipped = [], []
    for node in nodes:
        made = draft.layers[str(node.name)]
        found = "its weights are signs" if isinstance(made.params, Signs) else layer_of(node, made)
        if isinstance(found, MatmulLayer):
            layers.append(found)
        else:
            skipped.append(StepRecord(step, str(node.name), "skipped", found, {"op": node.op_type}))
    return layers, skipped


def layer_samples(draft: Draft, layers: Sequence[MatmulLayer], context: Context) -> Iterator[LayerSamples]:
    """The layers in order. Each is read when it is asked for: by then the caller has changed those before."""
    if not layers:
        return
    few = any(layer.bits < 7 for layer in layers)
    draw = FEW_BITS if few else EIGHT_BITS
    given = (context.unlabelled if few else None) or context.images
    at, source = positions(layers, draw, context.seed), draft.float_model
    assert source is not None  # layers in integers have one
    heads = place(to_ir(source).graph, context.policy, context.keep_float).heads
    images = context.progress(islice(given(), draw.images), "running the float network")
    answers = Tapped(source, answer_taps(layers, at), context.threads)
    passing = answers.passing(images)
    run = LayerwiseRun(draft.model, [layer.quantized for layer in layers], passing, context.threads)
    run.reach(layers[0].quantized)  # the float network answers meanwhile: images are read once, few held
    answered = answers.kept
    del answers, passing  # and with them the session
    pairs = list(zip(layers, at, strict=True))
    for layer, spots in context.progress(pairs, "rounding layer by layer", len(pairs)):
        where = indices(layer, spots)
        read = np.concatenate([im2col(where, x, layer.zero) for x in run.to(layer.quantized)])
        answer = np.concatenate(answered.pop(0))
        rare = scores(answer.T) if layer.answer in heads else np.zeros(answer.shape[1], np.bool_)
        yield LayerSamples(layer, read, _in_steps(layer, answer), rare.reshape(layer.groups, -1))


def _in_steps(layer: MatmulLayer, answer: Rows) -> Rows:
    """A float answer, (n, G O), as int32 sums without the bias, (n, G, O)."""
    head = None if layer.found is None else layer.found.head
    if head is not None:  # this layer answers in integers of a grid for every channel
        answer = answer / head.scale + head.zero_point
    steps = answer / layer.unit
    if layer.bias is not None:
        steps = steps - np.asarray(constant(layer.bias.inputs[0]), np.float32)
    return steps.astype(np.float32).reshape(len(answer), layer.groups, -1)
