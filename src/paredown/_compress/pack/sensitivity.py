"""What a layer's noise counts: how much the model's answer suffers from it, measured one layer at a time.

A layer's sensitivity s is the damage at the heads (quantize/sensitivity/noise.py) when its weights alone sit
in their cells, over the noise that is relative to their variance,

    s = damage / (mean (q - w)^2 / var w)

in medians of all layers. Damage grows with the noise, so cells of one width tell for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.pack.codebook import lattice
from paredown._compress.quantize.placement.plan import place
from paredown._compress.quantize.sensitivity.guard import heads_of
from paredown._compress.quantize.sensitivity.weights import damages
from paredown._compress.recipe import Context
from paredown.graph.walk import to_ir, weight_of
from paredown.model import Model

IMAGES = 8
LEAST = 0.01  # of the median: layers that seem to matter less may matter on other images


def sensitivities(
    network: Model,
    weights: Mapping[ir.Node, NDArray[Any]],
    widths: Mapping[ir.Node, float],
    k: int,
    context: Context,
) -> dict[ir.Node, float]:
    """The sensitivity of every layer with a float weight. widths: of the cells with which it is measured."""
    errors = {
        node: (lattice(w, k, widths[node]).values - w).astype(np.float32)
        for node, w in weights.items()
        if weight_of(node) is not None
    }
    if not errors:
        return {}
    noise = {n: float(np.mean(e**2) / max(np.var(weights[n]), 1e-30)) for n, e in errors.items()}
    graph = to_ir(network).graph
    heads = heads_of(place(graph, context.policy), graph)
    damage = damages(network, {n: e for n, e in errors.items() if noise[n] > 0}, heads, IMAGES, context)
    alone = {node: found / noise[node] for node, found in damage.items()}
    median = float(np.median(list(alone.values()))) if alone else 0.0
    return {n: max(s / median, LEAST) for n, s in alone.items()} if median > 0 else {}
