"""Grids of which only a few integers are used, chosen for the weights: non-uniform quantization.

The values of a weight are dense around zero and thin far from it; so are the levels here. All rows of a
weight share them, each row has its scale:

    min over a, c of  sum_r sum_j (w_rj - a_r c(q_rj))^2

by alternating least squares: every weight takes the nearest level, then a_r = <w_r, c> / <c, c> over a row,
then c_i = sum a w / sum a^2 over the weights on level i. It starts from levels as dense as the weights and
from even ones, and keeps the better end. The levels end as integers, so that integer kernels multiply with
them.

Source: Lloyd 1982, "Least Squares Quantization in PCM"; Han et al. 2016, arXiv 1510.00149, section 3.
Differs from the source: a scale for every row; the level nearest to zero is zero, which padding and pruned
weights need; levels are integers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.numerics.quant_params import (
    LIMIT_STEPS,
    MIN_SCALE,
    Floats,
    QuantParams,
    symmetric,
    weight_limits,
)

REACH = 63  # the largest level: 7 bits, which no kernel saturates on (targets/), and fine enough
ROUNDS = 30  # of alternation, which settles sooner
SETTLED = 1e-3  # of the error: a round that wins less is the last


@dataclass(frozen=True)
class Levels(QuantParams):
    """The grid of the integers `levels`, (k,), rising, zero among them."""

    levels: NDArray[np.int32] = field(kw_only=True)

    @property
    def bits(self) -> int:
        """That the index of one of its levels takes."""
        return (len(self.levels) - 1).bit_length()

    @property
    def apart(self) -> float:
        return float(np.median(np.diff(self.levels)))

    def nearest(self, steps: Floats, zero: NDArray[np.int32] | int = 0) -> NDArray[np.int32]:
        """The nearest levels."""
        return self.levels[nearest(self.levels, steps)]

    def around(self, steps: Floats) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The levels below and above; one twice for those beyond an end."""
        above, last = np.searchsorted(self.levels, steps, side="right"), len(self.levels) - 1
        return self.levels[(above - 1).clip(0, last)], self.levels[above.clip(0, last)]

    def beside(self, integers: Floats, steps: Floats, share: float) -> Floats:
        """`steps` where they lie within that share of the way to the next level, else that far from it."""
        at = nearest(self.levels, integers)
        gaps = np.diff(self.levels, prepend=self.levels[0] - 1, append=self.levels[-1] + 1) * share
        return np.asarray(np.clip(steps, integers - gaps[at], integers + gaps[at + 1]))


def of(levels: NDArray[Any]) -> Levels:
    """These integers themselves, (k,), rising: steps of 1, zero at 0."""
    low, high = int(levels[0]), int(levels[-1])
    return Levels(np.ones((), np.float32), np.zeros((), np.int32), low, high, levels=levels.astype(np.int32))


def nearest(levels: NDArray[Any], values: Floats) -> NDArray[np.int64]:
    """For every value the index of the nearest level. levels: (k,), rising."""
    real = levels.astype(np.float64)
    middles = (real[1:] + real[:-1]) / 2
    return np.searchsorted(middles, values)


def fitted(w: Floats, axis: int | None, bits: int) -> Levels:
    """The 2^bits levels and the scales, one or one for each channel along `axis`, of least squared error."""
    rows = w.reshape(1, -1) if axis is None else np.moveaxis(w, axis, 0).reshape(w.shape[axis], -1)
    rows = rows.astype(np.float64)
    spread = np.sqrt(np.square(rows).mean(axis=1, keepdims=True)) + MIN_SCALE
    even = symmetric(weight_limits(rows, 0, bits, LIMIT_STEPS), bits, 0)
    starts = (
        (spread, _dense(rows / spread, 2**bits)),
        (even.scale.astype(np.float64)[:, None], np.arange(even.low - 1, even.high + 1, dtype=np.float64)),
    )
    scale, levels, _ = min((_settle(rows, *start) for start in starts), key=itemgetter(2))
    unit = float(np.abs(levels).max()) / REACH or 1.0
    rounded = np.unique(np.rint(levels / unit))
    scale, _, _ = _round(rows, scale * unit, rounded)
    scales = np.maximum(scale.reshape(() if axis is None else -1), MIN_SCALE).astype(np.float32)
    return replace(of(rounded), scale=scales, zero_point=np.zeros_like(scales, np.int32), axis=axis)


def _settle(rows: Floats, scale: Floats, levels: Floats) -> tuple[Floats, Floats, float]:
    """Scales, levels and squared error when rounds win next to nothing any more."""
    before = np.inf
    for _ in range(ROUNDS):
        scale, levels, error = _round(rows, scale, levels)
        if error >= before * (1 - SETTLED):
            break
        before = error
    return scale, levels, error


def _dense(relative: Floats, count: int) -> Floats:
    """Levels as dense as the cube root of the weights' density (Panter & Dite 1951), one of them zero."""
    density, edges = np.histogram(relative, 512)
    reached = np.cumsum(np.cbrt(density))
    return _with_zero(np.interp((np.arange(count) + 0.5) / count, reached / reached[-1], edges[1:]))


def _round(rows: Floats, scale: Floats, levels: Floats) -> tuple[Floats, Floats, float]:
    """Scales and levels one round on, and the squared error before."""
    index = nearest(levels, rows / scale)
    taken = levels[index]
    error = float(np.square(rows - taken * scale).sum())
    square = np.square(taken).sum(axis=1, keepdims=True)
    scale = np.where(square > 0, (rows * taken).sum(axis=1, keepdims=True) / np.maximum(square, 1e-30), scale)
    flat, weight = index.reshape(-1), np.broadcast_to(scale, rows.shape).reshape(-1)
    count = np.bincount(flat, np.square(weight), len(levels))
    sums = np.bincount(flat, weight * rows.reshape(-1), len(levels))
    moved = np.where(count > 0, sums / np.maximum(count, 1e-30), levels)
    return np.maximum(scale, MIN_SCALE), _with_zero(moved), error


def _with_zero(levels: Floats) -> Floats:
    """Rising levels, the one nearest to zero moved there."""
    levels = np.sort(levels)
    levels[np.abs(levels).argmin()] = 0.0
    return levels
