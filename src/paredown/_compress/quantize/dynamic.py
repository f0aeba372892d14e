"""Dynamic quantization: int8 weights, activations put on a grid measured from each tensor at run time.

No calibration is needed. Each Conv, MatMul or plain Gemm becomes DynamicQuantizeLinear -> ConvInteger /
MatMulInteger -> Cast -> Mul(scales) -> Add(bias), the form of ONNX's own dynamic quantization. Weights are
per channel; the decode tail stays float.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from paredown._compress.draft import Draft
from paredown._compress.quantize.kernels import require_kernels
from paredown._compress.quantize.placement.body import body_of
from paredown._compress.quantize.placement.keep_float import KEPT, is_kept
from paredown._compress.quantize.placement.plan import unreadable
from paredown._compress.quantize.writing.qdq import add_constant, drop_unused
from paredown._compress.recipe import Context, Stage, Step
from paredown.errors import UsageError
from paredown.graph.walk import attribute, constant, data_inputs, output_axis, shape_of, weight_of
from paredown.measurement import StepRecord
from paredown.numerics.quant_params import symmetric, weight_limits
from paredown.policy import Policy, possible_instead


@dataclass(frozen=True)
class Dynamic(Step):
    """dynamic: int8 weights per channel, uint8 activations on a grid found at every run."""

    kind: ClassVar[str] = "dynamic"
    summary: ClassVar[str] = "dynamic INT8: no calibration, activation ranges found at every run"
    integers: ClassVar[bool] = True

    def check_policy(self, policy: Policy) -> None:
        super().check_policy(policy)
        if not policy.dynamic:
            raise UsageError(
                f"{policy.name} has no products of integers whose range is found at every run",
                got=self.name,
                hint=possible_instead(policy),
            )

    def provides(self, stage: Stage) -> Stage:
        return "dynamic"


_INTEGER = {"Conv": "ConvInteger", "MatMul": "MatMulInteger", "Gemm": "MatMulInteger"}


def apply(step: Dynamic, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """Writes integer products; a record for every layer."""
    require_kernels(context, step.name, per_channel=True)
    graph = draft.graph
    body = body_of(graph)
    measured: dict[ir.Value, ir.Node] = {}
    log = []
    for node in [n for n in graph if weight_of(n) is not None]:
        why = _why_not(node, node in body, context)
        if not why:
            _rewrite(graph, node, measured, context.policy.weight_bits)
        action = "float" if why else "quantized"
        log.append(
            StepRecord(step.name, str(node.name), action, why or "product in integers", {"op": node.op_type})
        )
    drop_unused(graph)
    return tuple(log)


def _why_not(node: ir.Node, in_body: bool, context: Context) -> str:
    if is_kept(node.name, context):
        return KEPT
    if not in_body:
        return "decode tail: no convolution depends on it"
    if why := unreadable(node):
        return why
    if any(v is not None and v.const_value is None for v in node.inputs[2:]):
        return "its bias is computed"
    if node.op_type == "Gemm" and not _is_plain(node):
        return "ONNX has no integer form of a Gemm with factors or a transposed input"
    return "" if node.op_type in _INTEGER else f"ONNX has no integer form of {node.op_type}"


def _is_plain(gemm: ir.Node) -> bool:
    """Whether it is a MatMul with a bias: the simplifier joins those of transformers to Gemm."""
    factors = [attribute(gemm, name, 1.0) for name in ("alpha", "beta")]
    return factors == [1.0, 1.0] and not attribute(gemm, "transA", 0)


def _rewrite(graph: ir.Graph, node: ir.Node, measured: dict[ir.Value, ir.Node], bits: int) -> None:
    name, source = str(node.name), data_inputs(node)[0]
    weight = np.asarray(constant(weight_of(node)), np.float32)
    axis = output_axis(node)
    if node.op_type == "Gemm":
        weight, axis = (weight.T if attribute(node, "transB", 0) else weight), 1
    grid = symmetric(weight_limits(weight, axis, bits), bits, axis)
    if source not in measured:
        dynamic = _node("DynamicQuantizeLinear", [source], f"{source.name}_dynamic", outputs=3)
        graph.insert_before(node, dynamic)
        measured[source] = dynamic
    q, scale, zero = measured[source].outputs
    stored = add_constant(graph, f"{name}_weight_q", grid.quantize(weight).astype(np.int8))
    settings = list(node.attributes.values()) if node.op_type == "Conv" else []
    product = _node(_INTEGER[node.op_type], [q, stored, zero], f"{name}_int32", settings)
    real = _node("Cast", [product.outputs[0]], f"{name}_cast", [ir.AttrInt64("to", ir.DataType.FLOAT)])
    rank = len(shape_of(node.outputs[0]))
    channels = [1] * rank
    channels[1 if node.op_type == "Conv" else -1] = -1
    weight_scale = add_constant(graph, f"{name}_weight_scale", grid.scale.reshape(channels))
    scales = _node("Mul", [scale, weight_scale], f"{name}_scales")
    last = _node("Mul", [real.outputs[0], scales.outputs[0]], f"{name}_scaled")
    made = [product, real, scales, last]
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        bias = np.asarray(constant(node.inputs[2]), np.float32)
        bias = bias.reshape(channels) if node.op_type == "Conv" else bias
        last = _node(
            "Add",
            [last.outputs[0], add_constant(graph, f"{name}_bias", bias)],
            f"{name}_biased",
        )
        made.append(last)
    graph.insert_before(node, made)
    _replace(graph, node, last.outputs[0])


def _replace(graph: ir.Graph, node: ir.Node, value: ir.Value) -> None:
    old = node.outputs[0]
    value.shape, value.type = old.shape, old.type
    for use in list(old.uses()):
        use.node.replace_input_with(use.idx, value)
    if old.is_graph_output():
        graph.outputs[list(graph.outputs).index(old)] = value
        old.name, value.name = f"{old.name}_before", old.name
    graph.remove(node, safe=True)


def _node(
    op: str, inputs: list[ir.Value], output: str, attributes: list[ir.Attr] | None = None, outputs: int = 1
) -> ir.Node:
    node = ir.Node("", op, inputs, attributes or [], num_outputs=outputs, name=f"{output}_{op}")
    for index, value in enumerate(node.outputs):
        value.name = output if outputs == 1 else f"{output}_{index}"
    return node
