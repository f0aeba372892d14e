"""Second-order rounding: each weight is rounded so that it makes up for the rounding errors before it.

With x the patches that a layer reads in the network quantized so far, t what the float network answers there,
and w one row of real weights, w is first moved to where it answers best,

    w <- w + mean( (t - w x) x^T ) (H + ridge)^-1,        H = mean( x x^T ),

so that a layer makes up for what those in front of it lost. With q the integers, the squared error added by
rounding is (q - w) H (q - w)^T. With H = M M^T, M upper triangular, this is a sum of squares,

    sum_j ( M_jj (q_j - w_j) + sum_{i<j} (q_i - w_i) M_ij )^2,

and the j-th term is least, given the integers before, for

    q_j = round( w_j - sum_{i<j} (q_i - w_i) M_ij / M_jj ).

Source: Frantar et al. 2022, "GPTQ", arXiv 2210.17323, eq. 2 and 3, in the form of Babai's nearest plane (Chen
et al. 2025, arXiv 2507.18553), which needs no inverse of H; on the mismatched problem of Zhang et al. 2025,
"Qronos", arXiv 2505.11695.
Differs from the source: H is centred, because a bias can undo any mean error exactly, b += mean(t - q x), and
does so here (Nagel et al. 2019, arXiv 1906.04721, section 4.2); values come in the order of falling H_jj; a
row is kept where it is better on patches that it was not made from; the ridge keeps w
near the float weights.

Shapes: G groups, O rows, K values in a patch, n sampled patches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from paredown._compress.draft import Draft
from paredown._compress.layerwise.im2col import Rows
from paredown._compress.layerwise.reconstruction import LayerSamples, layer_samples, layers_of
from paredown._compress.quantize.writing.qdq import replace_constant, shift_bias
from paredown._compress.recipe import IN_INTEGERS, Context, Stage, Step
from paredown.graph.run import give_back
from paredown.graph.walk import constant
from paredown.measurement import StepRecord
from paredown.numerics.quant_params import QuantParams

BLOCK = 64  # columns rounded between two matrix products
DAMPING = 0.1  # of the mean of H's diagonal, added to it: a sample is not the population
RIDGE = 1.0  # of the same, for moving w; both varied by benchmarks/constants.py
# of the way to the grid's next integer: learning starts no further off, or its first steps undo the rounding
INSIDE = 0.25
FINE = 7  # bits, from which scores are left to the nearest integer, see `_round_layer`
HELD_OUT = 8  # the last eighth of the patches judges: those of other images, where there are many


@dataclass(frozen=True)
class SecondOrder(Step):
    """gptq: rounds the weights behind w8a8, w4a8 or w2a8 again, with regard to what the layers read."""

    kind: ClassVar[str] = "gptq"
    summary: ClassVar[str] = "second-order rounding of quantized weights (Frantar 2022)"
    requires: ClassVar[frozenset[Stage]] = IN_INTEGERS
    comes_behind: ClassVar[str] = "w8a8 or w4a8"


def apply(step: SecondOrder, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """Puts other integers into weights and biases; a record for every layer."""
    layers, skipped = layers_of(draft, step.name)
    made = (_round_layer(step, samples, draft) for samples in layer_samples(draft, layers, context))
    return (*skipped, *made)


def _round_layer(step: SecondOrder, samples: LayerSamples, draft: Draft) -> StepRecord:
    """Rounds one layer's integers again where that lowers its error on the patches that judge.

    Not of scores, in many bits: the patches show hardly an object, and what makes up for errors where there
    is none, far below what a sigmoid hears, moves the scores of all objects by one sign.
    """
    give_back()  # layers differ in size by hundreds: what one leaves is no room for the next
    layer, stored = samples.layer, samples.layer.weight.inputs[0]
    found = draft.layers[str(layer.node.name)]
    assert stored is not None
    before = np.asarray(constant(stored))
    wanted, old = layer.rows(found.unrounded), layer.rows(before)
    new, shift, errors = old.copy(), np.zeros(old.shape[:2]), np.zeros(2)
    for g in range(layer.groups):
        answer, free = samples.wanted[:, g], layer.bias is not None
        kept = samples.rare[g] & (layer.bits >= FINE)
        new[g], shift[g], left = round_group(
            wanted[g], old[g], _centred(samples, g), answer, layer.grid, free, kept
        )
        errors += left
    replace_constant(stored, layer.shaped(new).astype(before.dtype))
    unrounded = layer.shaped(layer.grid.beside(new, wanted, INSIDE))
    draft.layers[str(layer.node.name)] = replace(found, unrounded=unrounded)
    if layer.bias is not None:
        shift_bias(layer.bias, shift.reshape(-1))
    remaining = float(errors[1] / errors[0]) if errors[0] > 0 else 1.0
    op, why = layer.node.op_type, "weights rounded again, mean error into the bias"
    data = {"op": op, "error_left": round(remaining, 4), "changed": round(float(np.mean(new != old)), 4)}
    return StepRecord(step.name, str(layer.node.name), "changed", why, data)


def _centred(samples: LayerSamples, g: int) -> Rows:
    """What a group of the layer's channels reads, without the zero point."""
    x = samples.read[:, g].astype(np.float32)
    x -= samples.layer.zero
    return x


def round_group(
    w: Rows,
    old: Rows,
    x: Rows,
    t: Rows,
    grid: QuantParams,
    free_bias: bool,
    kept: NDArray[np.bool_] | None = None,
) -> tuple[Rows, NDArray[np.float64], NDArray[np.float64]]:
    """Integers, (O, K), that answer x with t; what the bias shifts by, (O,), 0 where it is not free.

    w: real weights in steps. old: the integers so far, kept row by row where they are no worse. x: (n, K),
    changed in place. t: (n, O). kept: (O,), rows that stay as they are, bias and all. Also the squared errors
    of the old and of what is returned, (2,).
    """
    means = (x.mean(axis=0), t.mean(axis=0)) if free_bias else (np.float32(0), np.float32(0))
    x -= means[0]
    t = t - means[1]
    learned = len(x) - len(x) // HELD_OUT
    judges = (x[learned:].copy(), t[learned:]) if learned < len(x) else (x, t)
    h, missed = _statistics(w, x[:learned], t[:learned])
    del x
    rounded = _fit(w, h, missed, grid)
    cost = np.stack([np.square(judges[0] @ q.T - judges[1]).mean(axis=0) for q in (old, rounded)])
    better = cost[1] < cost[0] if kept is None else (cost[1] < cost[0]) & ~kept
    new = np.where(better[:, None], rounded, old)
    shift = means[1] - new @ means[0] if free_bias else np.zeros(len(w))
    if kept is not None:
        shift = np.where(kept, 0.0, shift)
    return (
        new,
        np.asarray(shift, np.float64),
        np.array([cost[0].sum(), np.where(better, cost[1], cost[0]).sum()]),
    )


def _statistics(w: Rows, x: Rows, t: Rows) -> tuple[Rows, Rows]:
    """The means over patches of x x^T, (K, K), and of what w misses times x, (O, K). x: (n, K). t: (n, O)."""
    h, missed = x.T @ x, (t - x @ w.T).T @ x
    h /= np.float32(len(x))
    missed /= np.float32(len(x))
    return h, missed


def _fit(w: Rows, h: Rows, missed: Rows, grid: QuantParams) -> Rows:
    """Integers q, (O, K), with x q^T near t: from w, which answers t or nearly so.

    The ridge stands on h's own diagonal for as long as it is needed.
    """
    diagonal = np.diag(h).copy()
    np.fill_diagonal(h, diagonal + np.float32(RIDGE * max(float(diagonal.mean()), 1e-12)))
    moved = w + np.linalg.solve(h, missed.T).T
    np.fill_diagonal(h, diagonal)
    return round_rows(np.asarray(moved, np.float32), h, grid)


def round_rows(w: Rows, h: Rows, grid: QuantParams) -> Rows:
    """Integers q, (O, K), of the grid that keep (q - w) h (q - w)^T small. w: (O, K) in steps. h: (K, K)."""
    order = np.argsort(-np.diag(h), kind="stable")
    q = np.empty_like(w)
    q[:, order] = _nearest_plane(w[:, order], _relative_factor(h[np.ix_(order, order)]), grid)
    return q


def _relative_factor(h: Rows) -> Rows:
    """M_ij / M_jj of M, upper triangular, with M M^T = h + damping. h: changed in place.

    It is a Cholesky factor of the reversed matrix, reversed back. Matrices of K x K are few here: of a wide
    layer they are most of what it takes.
    """
    diagonal = np.diag(h)
    np.fill_diagonal(h, diagonal + np.float32(DAMPING * max(float(diagonal.mean()), 1e-12)))
    m = np.asarray(np.linalg.cholesky(h[::-1, ::-1])[::-1, ::-1])
    m /= np.diag(m).copy()
    return m


def _nearest_plane(w: Rows, relative: Rows, grid: QuantParams) -> Rows:
    q, e = np.empty_like(w), np.empty_like(w)
    for start in range(0, w.shape[1], BLOCK):
        stop = min(start + BLOCK, w.shape[1])
        target = w[:, start:stop] - e[:, :start] @ relative[:start, start:stop]
        for j in range(start, stop):
            inside = e[:, start:j] @ relative[start:j, j]
            q[:, j] = grid.nearest(np.asarray(target[:, j - start] - inside, np.float32))
            e[:, j] = q[:, j] - w[:, j]
    return q
