"""Quantization-aware training: the integers and scales of a QDQ graph, learned through rounding.

The pupil is the graph that ships, run in PyTorch with its Q and DQ in place; the teacher is the float graph
it came from. Weights start from what they were before rounding. Out comes the same graph with other numbers.

Source: Jacob et al. 2018, arXiv 1712.05877 (fake quantization); Esser et al. 2020, arXiv 1902.08153 (scales).
Differs from the source: no labels (see trainer.py); zero points stay as calibrated; scales are learned as
logarithms.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from paredown._compress.draft import Draft
from paredown._compress.finetune.settings import Qat
from paredown._compress.finetune.trainer import distill
from paredown._compress.finetune.training import training_of, training_record
from paredown._compress.recipe import Context
from paredown.graph.learnable import along
from paredown.graph.walk import constant, consumers, to_model
from paredown.graph.write_back import write_into
from paredown.measurement import StepRecord


def apply(step: Qat, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """Puts learned integers and scales into the graph; a record for every layer."""
    model, teacher = draft.model, draft.float_model
    if teacher is None:
        why = "nothing is quantized: put this step behind w8a8 or w4a8"
        return (StepRecord(step.name, "", "skipped", why),)
    weights = _weights(draft)
    before = {name: np.asarray(constant(dq.inputs[0])) for name, dq in weights.items()}
    pupil = to_model(model, context.source)
    training = training_of(step, context)
    learned = distill(
        pupil,
        teacher,
        context.unlabelled or context.images,
        training,
        unrounded={str(dq.name): draft.layers[name].unrounded for name, dq in weights.items()},
        learn_from=context.learn_from,
        progress=context.progress,
    )
    if learned.error >= 1:  # not even the last digits of a scale should change
        return (training_record(step, learned),)
    write_into(model.graph, learned.arrays)
    for name, node in weights.items():
        value = node.inputs[0]
        if value is not None and (real := learned.arrays.get(str(value.name))) is not None:
            scale = np.asarray(constant(node.inputs[1]), np.float32)
            unrounded = real / along(node, scale, real.shape)
            draft.layers[name] = replace(draft.layers[name], unrounded=unrounded)
    layers = (_layer(step, dq, before[name]) for name, dq in weights.items())
    return (training_record(step, learned), *layers)


def _weights(draft: Draft) -> dict[str, ir.Node]:
    """Layer -> its weight's DequantizeLinear."""
    found = {}
    for node in draft.graph:
        if str(node.name) in draft.layers and node.inputs[1] is not None:
            dequantize = node.inputs[1].producer()
            assert dequantize is not None
            found[str(node.name)] = dequantize
    return found


def _layer(step: Qat, node: ir.Node, before: np.ndarray) -> StepRecord:
    after = np.asarray(constant(node.inputs[0]))
    moved = float(np.mean(after != before))
    layer = consumers(node.outputs[0])[0]
    why = f"{moved:.0%} of the integers are others"
    return StepRecord(step.name, str(layer.name), "changed", why, {"op": layer.op_type, "moved": moved})
