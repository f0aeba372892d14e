"""Stored integers that are learned: what runs in their place, and where learning starts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from paredown.graph.learnable import Learnable, along
from paredown.graph.torch_ops import torch
from paredown.graph.torch_ops.call import Call, Function
from paredown.graph.torch_ops.rounding import fake_quantize, signs
from paredown.graph.walk import constant
from paredown.numerics.levels import Levels
from paredown.numerics.quant_params import Signs

NEARLY_HALF = 0.499  # of a step: still rounds to the same integer
FIRMLY = (
    0.25  # of a step: where rounding chose another integer than the nearest, the first steps must not undo it
)
SLIGHT = 0.01  # of a step: barely on its side of zero


def on_grid(item: Learnable) -> Function:
    """What stands for the DequantizeLinear of learned integers: rounds the parameter onto its grid."""
    stored = item.stored
    assert stored is not None
    if stored.fine:
        return lambda call, x, scale, zero=None: x
    grid = stored.grid
    if isinstance(grid, Signs):
        return signs
    levels = torch.from_numpy(grid.levels.astype(np.float32)) if isinstance(grid, Levels) else None

    def run(
        call: Call, x: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor | None = None
    ) -> torch.Tensor:
        narrow = {**call.attributes, "low": grid.low, "high": grid.high, "levels": levels}
        return fake_quantize(
            Call(call.name, call.op, narrow, call.opset, call.outputs, call.batch), x, scale, zero
        )

    return run


def on_table(call: Call, table: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The nearest values of the table; gradients go to x as if there were none, and to the table."""
    rising, _ = torch.sort(table)
    middles = (rising.detach()[1:] + rising.detach()[:-1]) / 2
    index = torch.bucketize(x.detach(), middles)
    return rising.index_select(0, index.reshape(-1)).reshape(x.shape) + (x - x.detach())


def start_of(item: Learnable, unrounded: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    if item.kind == "scale":
        return np.asarray(np.log(item.start))
    if item.shared is not None:
        return unrounded.get(str(item.shared.gather.name), item.start).astype(np.float32)
    stored = item.stored
    if stored is None or stored.fine or (steps := unrounded.get(str(stored.dequantize.name))) is None:
        return item.start.copy()
    node = stored.dequantize
    scale = along(node, np.asarray(constant(node.inputs[1]), np.float32), item.start.shape)
    integers = item.start / scale
    if isinstance(stored.grid, Signs):  # as far from zero as the weight was, on the side its stored sign says
        return (np.where(steps * integers > 0, steps, integers * SLIGHT) * scale).astype(np.float32)
    if isinstance(stored.grid, Levels):  # as it was, where the levels on either side are farther than its own
        kept = stored.grid.nearest(steps) == np.rint(integers)
        return (np.where(kept, steps, integers) * scale).astype(np.float32)
    apart = steps - integers
    inside = np.where(np.abs(apart) < 0.5, apart, FIRMLY * np.sign(apart))
    return np.asarray((integers + np.clip(inside, -NEARLY_HALF, NEARLY_HALF)) * scale, np.float32)
