"""A step as anyone may add one: weights rounded to 1/32 of the largest, in float."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from paredown._compress.draft import Draft
from paredown._compress.recipe import Context, Step
from paredown.graph.walk import constant, weight_of
from paredown.measurement import StepRecord


@dataclass(frozen=True)
class Coarse(Step):
    """coarse: as many steps as said on either side of zero."""

    kind: ClassVar[str] = "coarse"
    summary: ClassVar[str] = "weights on a coarse grid, float arithmetic"

    levels: int = 32


def apply(step: Coarse, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """Rounds the weights; a record for every layer."""
    log = []
    for node in draft.graph:
        weight = weight_of(node)
        if weight is None:
            continue
        if node.name in context.keep_float:
            log.append(StepRecord(step.name, str(node.name), "float", "kept float as asked"))
            continue
        values = np.asarray(constant(weight), np.float32)
        unit = np.float32(max(float(np.abs(values).max()), 1e-9) / step.levels)
        weight.const_value = ir.tensor(np.rint(values / unit) * unit, name=weight.name)
        log.append(StepRecord(step.name, str(node.name), "changed", f"weights in steps of {unit:.3g}"))
    return tuple(log) or (StepRecord(step.name, "", "skipped", "no layer has stored weights"),)
