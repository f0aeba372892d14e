"""Zeros for the weights of least magnitude: at once, on a gradual schedule, or with surgery while learning.

    mask = |W| > threshold,  W <- W * mask

Zeros make a file smaller once it is packed (pack/pdz.py); stock runtimes on CPUs multiply with them as with
any other number, so nothing gets faster, and the log says so.

Source: Han et al. 2015, "Learning both Weights and Connections", arXiv 1506.02626, section 3.
Differs from the source: the share of zeros is given and the threshold follows; nothing is said by labels.
"""

from __future__ import annotations

from importlib import import_module

import numpy as np
import onnx_ir as ir

from paredown._compress.draft import Draft
from paredown._compress.prune.masks import SparseLayer, Weights, masks_at_once
from paredown._compress.prune.pattern import layer_shares, why_not
from paredown._compress.prune.settings import Sparse
from paredown._compress.quantize.placement.body import body_of
from paredown._compress.quantize.placement.keep_float import is_kept
from paredown._compress.recipe import Context
from paredown.graph.walk import (
    constant,
    consumers,
    data_inputs,
    is_depthwise,
    output_axis,
    shape_of,
    upstream,
    weight_of,
)
from paredown.measurement import StepRecord

FEW = 0.02  # of all weights: the first layer, a head and depthwise layers are spared up to here
NOT_FASTER = (
    "zeros make the packed file (.pdz) smaller; ONNX Runtime multiplies with them as with other numbers, "
    "so expect no gain in latency"
)


def apply(step: Sparse, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """Puts zeros among the weights; a record for every layer."""
    step.check()
    layers, spared = _choose(step, draft.graph, context)
    if not layers:
        why = "no layer with float weights that may be pruned: put this step in front of quantizing ones"
        return (StepRecord(step.name, "", "skipped", why), *spared)
    learned: tuple[StepRecord, ...] = ()
    if step.learning:
        surgery = import_module("paredown._compress.prune.surgery")  # needs torch, the rest does without
        learned = surgery.learn(step, draft.model, layers, context)
    else:
        masks = masks_at_once(step, layers)
        for layer in layers:
            _set(layer.weight, layer.numbers * masks[str(layer.weight.name)])
    log = [StepRecord(step.name, "", "note", NOT_FASTER), *learned, *spared]
    return (*log, *(_record(step, layer) for layer in layers))


def _choose(step: Sparse, graph: ir.Graph, context: Context) -> tuple[list[SparseLayer], list[StepRecord]]:
    """The layers that get zeros, and why the others do not."""
    nodes: dict[ir.Value, ir.Node] = {}  # two layers may share one weight
    for node in graph:
        weight = weight_of(node)
        if weight is not None and weight.dtype == ir.DataType.FLOAT:
            nodes.setdefault(weight, node)
    if not nodes:
        return [], []
    body, total = body_of(graph), sum(int(np.prod(shape_of(weight))) for weight in nodes)
    chosen: dict[ir.Node, Weights] = {}
    spared = []
    for weight, node in nodes.items():
        array = np.asarray(constant(weight), np.float32)
        asked = next((str(n.name) for n in consumers(weight) if is_kept(n.name, context)), "")
        why = "kept as asked" if asked else _why_spared(step, node, array, body, total)
        if why:
            action = "float" if asked else "skipped"
            spared.append(StepRecord(step.name, asked or str(node.name), action, why, {"op": node.op_type}))
        else:
            chosen[node] = array
    shares = dict.fromkeys(chosen, step.share)
    if step.threshold == "global":
        shares = layer_shares(chosen, step.share)
    return [SparseLayer(node, shares[node]) for node in chosen], spared


def _why_spared(step: Sparse, node: ir.Node, weight: Weights, body: set[ir.Node], total: int) -> str:
    if node not in body:
        return "decode tail: no learned weights"
    if weight.ndim < 2:
        return "a vector, not a matrix"
    if weight.size < FEW * total:
        part = f"with {weight.size / total:.1%} of all weights there is little to gain"
        if is_depthwise(node):
            return f"depthwise: {part}"
        if not any(weight_of(n) is not None for n in upstream(_makers(node))):
            return f"first layer: {part}"
        if not any(reader in body for value in node.outputs for reader in consumers(value)):
            return f"head: {part}"
    shape = np.moveaxis(weight, output_axis(node), 0).shape
    return why_not(shape, step.share, step.pattern, step.of)


def _makers(node: ir.Node) -> list[ir.Node]:
    return [p for v in data_inputs(node) if (p := v.producer()) is not None]


def _record(step: Sparse, layer: SparseLayer) -> StepRecord:
    zero = float(np.mean(layer.numbers == 0))
    data = {"op": layer.node.op_type, "sparsity": round(zero, 4), "weights": layer.numbers.size}
    return StepRecord(step.name, str(layer.node.name), "changed", f"{zero:.0%} of its weights are zero", data)


def _set(value: ir.Value, array: Weights) -> None:
    value.const_value = ir.tensor(array.astype(np.float32), name=value.name)
