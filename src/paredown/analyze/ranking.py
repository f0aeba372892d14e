"""Which candidate for which priorities: values brought to one scale, weighted, and every weighting tried.

Letters: n candidates, k respects (accuracy, latency, size ...), w a weighting: k shares that sum to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paredown.errors import DataError
from paredown.quantities import Better

WEIGHTINGS = 20_000


@dataclass(frozen=True)
class Ranking:
    """order: indices, the best first. scores: (n,) weighted, 0 worst to 1 best in every respect.

    shares: (n,) the part of all weightings in which each candidate is the best: 1 wins whatever matters.
    """

    order: tuple[int, ...]
    scores: tuple[float, ...]
    shares: tuple[float, ...]


def normalised(points: Sequence[Sequence[float]], better: Sequence[Better]) -> NDArray[np.float64]:
    """(n, k) the points between 0, the worst of them, and 1, the best; a respect in which all agree is 1.

    Raises: DataError where a value is missing or a respect has no better end.
    """
    values = np.asarray(points, np.float64)
    if values.ndim != 2 or values.shape[1] != len(better) or not len(values):
        raise DataError(
            "each candidate needs a value in each respect", got=values.shape, expected=len(better)
        )
    if "neither" in better:
        raise DataError("a respect in which neither end is better ranks nothing", got=tuple(better))
    if np.isnan(values).any():
        raise DataError("a candidate that lacks a value cannot be ranked", got="nan")
    signed = values * np.array([1.0 if b == "higher" else -1.0 for b in better])
    low, high = signed.min(axis=0), signed.max(axis=0)
    same = high == low
    scaled: NDArray[np.float64] = np.where(same, 1.0, (signed - low) / np.where(same, 1.0, high - low))
    return scaled


def rank(
    points: Sequence[Sequence[float]],
    better: Sequence[Better],
    weights: Sequence[float] | None = None,
    seed: int = 0,
) -> Ranking:
    """The ranking under `weights` (k,), by default equal ones, and how much it depends on them.

    The shares come from WEIGHTINGS draws, uniform over the simplex of weightings; a tie is shared.

    Source of the shares: R. Lahdelma et al., SMAA - Stochastic multiobjective acceptability analysis, 1998
    (the first rank acceptability index).

    Raises: DataError where a value is missing or the weights are not positive shares.
    """
    scaled = normalised(points, better)
    k = scaled.shape[1]
    w = np.full(k, 1.0) if weights is None else np.asarray(weights, np.float64)
    if w.shape != (k,) or not (w >= 0).all() or not w.sum() > 0:
        raise DataError("weights must be shares, one for each respect", got=tuple(w), expected=f"{k} of them")
    scores = scaled @ (w / w.sum())
    drawn = np.random.default_rng(seed).dirichlet(np.ones(k), WEIGHTINGS)  # (W, k)
    by_weighting = drawn @ scaled.T  # (W, n)
    best = by_weighting >= by_weighting.max(axis=1, keepdims=True) - 1e-12
    shares = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    order = np.argsort(-scores, kind="stable")
    return Ranking(
        tuple(int(i) for i in order), tuple(float(s) for s in scores), tuple(float(s) for s in shares)
    )
