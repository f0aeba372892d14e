"""Weight-only quantization: a smaller file that computes in float.

The integers are stored as Cast -> Mul(scale) rather than DequantizeLinear: ONNX Runtime folds the two at
load, so every run is as fast as the float model's, where a DequantizeLinear in front of a Conv is executed at
every run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import onnx_ir as ir

from paredown._compress.draft import Draft
from paredown._compress.quantize.placement.body import body_of, products_of_answers
from paredown._compress.quantize.placement.keep_float import KEPT, is_kept
from paredown._compress.quantize.writing.qdq import add_constant, drop_unused
from paredown._compress.recipe import FLOAT_WEIGHTS, IN_INTEGERS, Context, Stage, Step
from paredown.errors import UsageError
from paredown.graph.walk import constant, output_axis, weight_of
from paredown.measurement import StepRecord
from paredown.numerics.quant_params import QuantParams, symmetric, weight_limits
from paredown.policy import Policy, possible_instead


@dataclass(frozen=True)
class WeightOnly(Step):
    """w8: int8 weights per channel or per tensor, float arithmetic."""

    kind: ClassVar[str] = "w8"
    summary: ClassVar[str] = "weight-only INT8: a quarter of the file, float arithmetic"
    # behind quantizing steps: the weights that those left float
    requires: ClassVar[frozenset[Stage]] = FLOAT_WEIGHTS | IN_INTEGERS | {"dynamic", "signs", "foreign"}

    weights: Literal["pc", "pt"] = "pc"

    def check_policy(self, policy: Policy) -> None:
        super().check_policy(policy)
        if not policy.small_weights:
            raise UsageError(
                f"{policy.name} keeps the weights of a float layer as floats: its file would be no smaller",
                got=self.name,
                hint=possible_instead(policy),
            )

    def provides(self, stage: Stage) -> Stage:
        return "stored" if stage in FLOAT_WEIGHTS else stage


def apply(step: WeightOnly, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """Stores the weights as int8; a record for every layer."""
    graph = draft.graph
    learned = body_of(graph) | products_of_answers(graph)
    log = []
    for node in [n for n in graph if weight_of(n) is not None]:
        if is_kept(node.name, context) or node not in learned:
            why = KEPT if node in learned else "decode tail: no learned weights"
            log.append(StepRecord(step.name, str(node.name), "float", why, {"op": node.op_type}))
            continue
        weight = np.asarray(constant(weight_of(node)), np.float32)
        axis = output_axis(node) if step.weights == "pc" else None
        grid = symmetric(weight_limits(weight, axis), axis=axis)
        store(graph, node, weight, grid)
        log.append(
            StepRecord(step.name, str(node.name), "quantized", "weight stored as int8", {"op": node.op_type})
        )
    drop_unused(graph)
    return tuple(log)


def store(graph: ir.Graph, node: ir.Node, weight: np.ndarray, grid: QuantParams) -> None:
    """The node's weight becomes int8 in the file and float when the model is loaded."""
    name = f"{node.name}_weight"
    stored = add_constant(graph, f"{name}_q", grid.quantize(weight).astype(np.int8))
    shape = [1] * weight.ndim
    if grid.axis is not None:
        shape[grid.axis] = -1
    scale = add_constant(graph, f"{name}_scale", grid.scale.reshape(shape if grid.axis is not None else ()))
    cast = ir.Node("", "Cast", [stored], [ir.AttrInt64("to", ir.DataType.FLOAT)], name=f"{name}_Cast")
    mul = ir.Node("", "Mul", [cast.outputs[0], scale], name=f"{name}_Mul")
    for made, output in ((cast, f"{name}_cast"), (mul, f"{name}_float")):
        made.outputs[0].name = output
        made.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
        made.outputs[0].shape = ir.Shape(weight.shape)
    graph.insert_before(node, [cast, mul])
    node.replace_input_with(1, mul.outputs[0])
