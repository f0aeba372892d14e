"""The steps `fp16` and `bf16`: floats of 16 bits, in the sense in which the runtime has them.

A runtime that computes in them (`Policy.computed`) is told so by the file: its metadata names the precision,
and whatever is built of the file is built for it (`Target.build`). Where only weights can have 16 bits
(`Policy.stored`), they are stored so in front of a Cast, which runtimes fold when they load the file: half
the bytes, arithmetic in float32. What a runtime can do neither way is refused: it is never float32 without
a word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from paredown._compress.draft import Draft
from paredown._compress.quantize.placement.keep_float import KEPT, is_kept
from paredown._compress.quantize.writing.qdq import add_constant, drop_unused
from paredown._compress.recipe import FLOAT_WEIGHTS, IN_INTEGERS, Context, Stage, Step
from paredown.errors import UsageError
from paredown.graph.walk import constant, weight_of
from paredown.measurement import StepRecord
from paredown.policy import PRECISION_KEY, Policy, Precision, possible_instead

LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Fp16(Step):
    """float16: 10 bits behind the point, numbers up to 65504."""

    kind: ClassVar[str] = "fp16"
    summary: ClassVar[str] = "floats of 16 bits: arithmetic where the runtime has it, else weights only"
    requires: ClassVar[frozenset[Stage]] = FLOAT_WEIGHTS | IN_INTEGERS
    precision: ClassVar[Precision] = "float16"

    def check_policy(self, policy: Policy) -> None:
        super().check_policy(policy)
        if self.precision not in policy.computed | policy.stored:
            raise UsageError(
                f"{policy.name} has no arithmetic and no weights in {self.precision}",
                got=self.name,
                hint=possible_instead(policy),
            )

    def provides(self, stage: Stage) -> Stage:
        return "half" if stage in FLOAT_WEIGHTS else "packed"


@dataclass(frozen=True)
class Bf16(Fp16):
    """bfloat16: the range of float32, 7 bits behind the point."""

    kind: ClassVar[str] = "bf16"
    summary: ClassVar[str] = "bfloat16 arithmetic: faster than INT8 on CPUs with AMX"
    precision: ClassVar[Precision] = "bfloat16"


def apply(step: Fp16, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """The precision in the file's metadata, or the weights stored in it; one record, or one a layer."""
    if step.precision in context.policy.stored:
        return _store(step, draft, context)
    draft.model.metadata_props[PRECISION_KEY] = step.precision
    why = f"{context.policy.name} computes what is float in {step.precision}"
    return (StepRecord(step.name, "", "changed", why),)


def _store(step: Fp16, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    graph, log = draft.graph, []
    for node in [n for n in graph if weight_of(n) is not None]:
        weight = np.asarray(constant(weight_of(node)))
        if why := KEPT if is_kept(node.name, context) else _unfit(weight):
            log.append(StepRecord(step.name, str(node.name), "float", why, {"op": node.op_type}))
            continue
        _behind_cast(graph, node, weight)
        why = f"weight stored in {step.precision}, computed in float32"
        log.append(StepRecord(step.name, str(node.name), "changed", why, {"op": node.op_type}))
    drop_unused(graph)
    return tuple(log)


def _unfit(weight: np.ndarray) -> str:
    if weight.dtype != np.float32:
        return f"its weight is in {weight.dtype} already"
    return f"its weight exceeds {LARGEST:.0f}" if np.abs(weight).max(initial=0) > LARGEST else ""


def _behind_cast(graph: ir.Graph, node: ir.Node, weight: np.ndarray) -> None:
    name = f"{node.name}_weight"
    stored = add_constant(graph, f"{name}_half", weight.astype(np.float16))
    cast = ir.Node("", "Cast", [stored], [ir.AttrInt64("to", ir.DataType.FLOAT)], name=f"{name}_Cast")
    (made,) = cast.outputs
    made.name, made.type = f"{name}_float", ir.TensorType(ir.DataType.FLOAT)
    made.shape = ir.Shape(weight.shape)
    graph.insert_before(node, cast)
    node.replace_input_with(1, made)
