"""Writes a plan into the graph: weights and biases on their grids, Q and DQ behind every planned tensor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from paredown._compress.draft import QuantizedLayer
from paredown._compress.quantize.placement.plan import Plan
from paredown._compress.quantize.writing.qdq import (
    BIAS_LIMIT,
    drop_unused,
    quantize_bias,
    quantize_constants,
    quantize_head,
    quantize_tensor,
    quantize_weight,
)
from paredown.graph.walk import constant
from paredown.numerics.quant_params import Floats, QuantParams


def insert(
    graph: ir.Graph, plan: Plan, grids: dict[str, QuantParams], weights: dict[ir.Node, QuantParams]
) -> dict[str, QuantizedLayer]:
    """The layers whose weights are in integers now, by node name.

    Weights and biases are written first, then Q and DQ behind every planned tensor.
    """
    layers: dict[str, QuantizedLayer] = {}
    for node, grid in weights.items():
        source, made = node.inputs[0], str(node.outputs[0].name)
        assert source is not None
        # One behind a ReLU has no grid at all, nor where kernels write real numbers.
        head = grids[plan.group[made]] if made in plan.heads & plan.group.keys() else None
        if head is not None and head.axis is None:
            head = None
        feeding = grids[plan.group[str(source.name)]]
        layers[str(node.name)] = _insert_weight(graph, node, grid, feeding, head)
    for node, role in plan.roles.items():
        if node.op_type in ("Add", "Mul") and role == "kernel":
            quantize_constants(graph, node)
    values = {str(v.name): v for v in (*graph.inputs, *(o for n in graph for o in n.outputs))}
    parameters: dict[str, tuple[ir.Value, ir.Value]] = {}
    for tensor, group in plan.group.items():
        if tensor not in plan.heads or grids[group].axis is None:
            readers = plan.roles.keys() | plan.sums if plan.real else None
            shared = parameters.get(group)
            parameters[group] = quantize_tensor(graph, values[tensor], grids[group], shared, readers)
        else:
            quantize_head(graph, values[tensor], grids[group])
    drop_unused(graph)
    return layers


def _insert_weight(
    graph: ir.Graph, node: ir.Node, grid: QuantParams, feeding: QuantParams, head: QuantParams | None
) -> QuantizedLayer:
    """Weight and bias on their grids. With `head`, a grid for every output channel, the convolution itself
    answers in that grid's integers (output scale 1, zero point 0): its rows are divided by the channel's
    scale, which changes no stored integer, and the zero points ride in the bias."""
    weight = np.asarray(constant(node.inputs[1]), np.float32)
    integers = grid.quantize(weight)
    bias_value = node.inputs[2] if len(node.inputs) > 2 else None
    bias = None if bias_value is None else np.asarray(constant(bias_value), np.float32).reshape(-1)
    if head is not None:
        bias = (0.0 if bias is None else bias) / head.scale + head.zero_point
        weight = (weight / _column(head.scale, weight.ndim)).astype(np.float32)
        grid = replace(grid, scale=(grid.scale / head.scale).astype(np.float32))
    if bias is not None:
        roomy = _room_for_bias(grid, bias, feeding)
        if np.any(roomy.scale != grid.scale):
            grid, integers = roomy, roomy.quantize(weight)
        quantize_bias(graph, node, bias.astype(np.float32), grid.scale * feeding.scale)
    return replace(quantize_weight(graph, node, grid, integers, weight), head=head)


def _column(values: Floats, ndim: int) -> Floats:
    return values.reshape(-1, *[1] * (ndim - 1))


def _room_for_bias(grid: QuantParams, bias: Floats, feeding: QuantParams) -> QuantParams:
    """The weight grid, coarser in channels whose bias would not fit into int32 on it: nearly dead ones."""
    least = np.abs(bias) / (BIAS_LIMIT * feeding.scale)
    least = least if grid.axis is not None else least.max(initial=0.0)
    return replace(grid, scale=np.maximum(grid.scale, least).astype(np.float32))
