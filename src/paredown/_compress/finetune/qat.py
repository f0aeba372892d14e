"""Quantization-aware training: the integers and scales of a QDQ graph, learned through rounding.

The pupil is the graph that ships, run in PyTorch with its Q and DQ in place; the teacher is the float graph
it came from. Weights start from what they were before rounding. Out comes the same graph with other numbers.

Source: Jacob et al. 2018, arXiv 1712.05877 (fake quantization); Esser et al. 2020, arXiv 1902.08153 (scales).
Differs from the source: no labels (see trainer.py); zero points stay as calibrated; scales are learned as
logarithms.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from paredown._compress.finetune.settings import Qat
from paredown._compress.finetune.trainer import Training, distill, training_record
from paredown._compress.quantize.writing.qdq import FLOAT, UNROUNDED
from paredown._compress.recipe import Context
from paredown.graph.learnable import along
from paredown.graph.walk import constant, consumers, to_model
from paredown.graph.write_back import write_into
from paredown.measurement import StepRecord


def apply(step: Qat, model: ir.Model, context: Context) -> tuple[ir.Model, tuple[StepRecord, ...]]:
    """The same graph with learned integers and scales, and a record for every layer."""
    if FLOAT not in model.meta:
        why = "nothing is quantized: put this step behind w8a8 or w4a8"
        return model, (StepRecord(step.name, "", "skipped", why),)
    weights = [node for node in model.graph if UNROUNDED in node.meta]
    before = {node: np.asarray(constant(node.inputs[0])) for node in weights}
    pupil, teacher = to_model(model, context.source), model.meta[FLOAT]
    training = Training(
        step.steps,
        rate=step.rate,
        minutes=step.minutes,
        seed=context.seed,
        threads=context.threads,
        folder=context.folder,
    )
    learned = distill(
        pupil,
        teacher,
        context.lessons or context.images,
        training,
        unrounded={str(node.name): node.meta[UNROUNDED] for node in weights},
        further=context.further,
        progress=context.progress,
    )
    if learned.error >= 1:  # not even the last digits of a scale should change
        return model, (training_record(step, learned),)
    write_into(model.graph, learned.arrays)
    for node in weights:
        value = node.inputs[0]
        if value is not None and (real := learned.arrays.get(str(value.name))) is not None:
            scale = np.asarray(constant(node.inputs[1]), np.float32)
            node.meta[UNROUNDED] = real / along(node, scale, real.shape)
    return model, (training_record(step, learned), *(_layer(step, node, before[node]) for node in weights))


def _layer(step: Qat, node: ir.Node, before: np.ndarray) -> StepRecord:
    after = np.asarray(constant(node.inputs[0]))
    moved = float(np.mean(after != before))
    layer = consumers(node.outputs[0])[0]
    why = f"{moved:.0%} of the integers are others"
    return StepRecord(step.name, str(layer.name), "changed", why, {"op": layer.op_type, "moved": moved})
