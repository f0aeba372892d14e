"""Second-order rounding: each weight is rounded so that it makes up for the rounding errors before it.

With w one row of real weights, q the integers and H the covariance of the patches the layer reads, the
layer's expected squared error is (q - w) H (q - w)^T. With H = M M^T, M upper triangular, this is a sum of
squares,

    sum_j ( M_jj (q_j - w_j) + sum_{i<j} (q_i - w_i) M_ij )^2,

and the j-th term is least, given the integers before, for

    q_j = round( w_j - sum_{i<j} (q_i - w_i) M_ij / M_jj ).

Source: Frantar et al. 2022, "GPTQ", arXiv 2210.17323, eq. 2 and 3, in the form of Babai's nearest plane (Chen
et al. 2025, arXiv 2507.18553), which needs no inverse of H.
Differs from the source: H is centred, because a bias can undo any mean error exactly, b += (w - q) mean(x),
and does so here (Nagel et al. 2019, arXiv 1906.04721, section 4.2); values come in the order of falling H_jj.

Shapes: G groups, O rows, K values in a patch, n sampled patches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from paredown.compress.quantize.patches import Layer, Patches, Rows, layer_of, places, reader_of, sample
from paredown.compress.quantize.write import FLOAT, LIMITS, SIGNS, UNROUNDED, replace_constant, shift_bias
from paredown.compress.recipe import Context, Step
from paredown.graph.walk import constant
from paredown.measurement import StepRecord

BLOCK = 64  # columns rounded between two matrix products
DAMPING = 0.1  # of the mean of H's diagonal, added to it: a sample of patches is not the population


@dataclass(frozen=True)
class SecondOrder(Step):
    """gptq: rounds the weights behind w8a8, w4a8 or w2a8 again, with regard to what the layers read."""

    kind: ClassVar[str] = "gptq"
    summary: ClassVar[str] = "second-order rounding of quantized weights (Frantar 2022)"


def apply(step: SecondOrder, model: ir.Model, context: Context) -> tuple[ir.Model, tuple[StepRecord, ...]]:
    """The same graph with other integers in its weights and biases, and a record for every layer."""
    weights = [node for node in model.graph if UNROUNDED in node.meta]
    if not weights:
        why = "no weight to round again: put this step behind w8a8 or w4a8"
        return model, (StepRecord(step.name, "", "skipped", why),)
    found = {dq: "its weights are signs" if SIGNS in dq.meta else layer_of(dq) for dq in weights}
    layers = [layer for layer in found.values() if isinstance(layer, Layer)]
    patches = sample(
        model.meta[FLOAT],
        layers,
        places(layers, context.seed),
        context.images(),
        threads=context.threads,
        progress=context.progress,
    )
    log = [_skipped(step, dq, why) for dq, why in found.items() if isinstance(why, str)]
    for layer in layers:
        log.append(_round_layer(step, layer, patches.pop(0)))
    return model, tuple(log)


def _skipped(step: SecondOrder, dq: ir.Node, why: str) -> StepRecord:
    node = reader_of(dq)
    return StepRecord(step.name, str(node.name), "skipped", why, {"op": node.op_type})


def _round_layer(step: SecondOrder, layer: Layer, patches: Patches) -> StepRecord:
    """Rounds one layer's integers again where that lowers its error on the patches."""
    node, stored = layer.node, layer.weight.inputs[0]
    before = np.asarray(constant(stored))
    low, high = layer.weight.meta[LIMITS]
    wanted, old = layer.rows(layer.weight.meta[UNROUNDED]), layer.rows(before)
    new, mean = old.copy(), np.zeros((layer.groups, wanted.shape[2]), np.float32)
    bias = node.inputs[2].producer() if len(node.inputs) > 2 and node.inputs[2] is not None else None
    errors = np.zeros(2)
    for g in range(layer.groups):
        x = patches[:, g].astype(np.float32) - layer.zero
        if bias is not None:
            mean[g] = x.mean(axis=0)
            x -= mean[g]
        h = np.asarray(x.T @ x / len(x), np.float32)
        rounded = round_rows(wanted[g], h, low, high)
        cost = np.stack([_cost(old[g] - wanted[g], h), _cost(rounded - wanted[g], h)])
        new[g] = np.where((cost[1] < cost[0])[:, None], rounded, old[g])
        errors += [cost[0].sum(), cost.min(axis=0).sum()]
    assert stored is not None
    replace_constant(stored, layer.shaped(new).astype(before.dtype))
    if bias is not None:
        shift = np.einsum("gok,gk->go", wanted - new, mean).reshape(-1)
        shift_bias(bias, shift)
    kept = float(errors[1] / errors[0]) if errors[0] > 0 else 1.0
    data = {"op": node.op_type, "error_left": round(kept, 4), "changed": round(float(np.mean(new != old)), 4)}
    return StepRecord(
        step.name, str(node.name), "changed", "weights rounded again, mean error into the bias", data
    )


def round_rows(w: Rows, h: Rows, low: int, high: int) -> Rows:
    """Integers q, (O, K), in low..high that keep (q - w) h (q - w)^T small. w: (O, K) in steps. h: (K, K)."""
    order = np.argsort(-np.diag(h), kind="stable")
    q = np.empty_like(w)
    q[:, order] = _nearest_plane(w[:, order], _upper_factor(h[np.ix_(order, order)]), low, high)
    return q


def _upper_factor(h: Rows) -> Rows:
    """M, upper triangular, with M M^T = h + damping. Cholesky of the reversed matrix, reversed back."""
    damped = h.astype(np.float64)
    diagonal = np.diag(damped)
    np.fill_diagonal(damped, diagonal + DAMPING * max(float(diagonal.mean()), 1e-12))
    return np.linalg.cholesky(damped[::-1, ::-1])[::-1, ::-1].astype(np.float32)


def _nearest_plane(w: Rows, m: Rows, low: int, high: int) -> Rows:
    relative = m / np.diag(m)  # column j holds M_ij / M_jj
    q, e = np.empty_like(w), np.empty_like(w)
    for start in range(0, w.shape[1], BLOCK):
        stop = min(start + BLOCK, w.shape[1])
        target = w[:, start:stop] - e[:, :start] @ relative[:start, start:stop]
        for j in range(start, stop):
            inside = e[:, start:j] @ relative[start:j, j]
            q[:, j] = np.clip(np.rint(target[:, j - start] - inside), low, high)
            e[:, j] = q[:, j] - w[:, j]
    return q


def _cost(e: Rows, h: Rows) -> Rows:
    """e h e^T of every row, (O,)."""
    return np.asarray(np.einsum("ok,ok->o", e @ h, e))
