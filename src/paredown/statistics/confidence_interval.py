"""Confidence intervals by resampling images, or rounds, with replacement.

Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile interval).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % confidence interval and the method that gave it. nan bounds: not enough data."""

    value: float
    low: float
    high: float
    method: str


@dataclass(frozen=True)
class Difference(Interval):
    """Of two models on the same images. p_value: two-sided, of there being no difference."""

    p_value: float


def resample_weights(n: int, resamples: int = RESAMPLES, seed: int = 0) -> NDArray[np.int64]:
    """(resamples, n) how often each of n things is drawn when n are drawn with replacement."""
    if n == 0:
        return np.zeros((resamples, 0), np.int64)
    drawn: NDArray[np.int64] = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    return drawn


def interval(
    value: float, resampled: NDArray[np.float64], limits: tuple[float, float] = (-np.inf, np.inf)
) -> Interval:
    """The percentile interval of `resampled` (R,), moved so that the resamples' mean is `value`.

    The move takes out the bootstrap's bias (Efron and Tibshirani, chapter 10): AP of a resample, which holds
    some images twice, is 1 to 2 points too high. `limits`: what the value can be at all.
    """
    known = np.clip(_centred(value, resampled), *limits)
    low, high = _quantiles(known, value)
    return Interval(value, low, high, f"bootstrap over images, {len(known)} resamples")


def paired_difference(
    a: float, b: float, resampled_a: NDArray[np.float64], resampled_b: NDArray[np.float64]
) -> Difference:
    """b - a with its interval. The resamples of both must come from the same weights."""
    gaps = _centred(b - a, resampled_b - resampled_a)
    low, high = _quantiles(gaps, b - a)
    tail = min(int((gaps <= 0).sum()), int((gaps >= 0).sum()))
    p_value = min(1.0, 2 * (tail + 1) / (len(gaps) + 1))
    return Difference(b - a, low, high, f"paired bootstrap over images, {len(gaps)} resamples", p_value)


def images_needed(found: Interval, n: int) -> int | None:
    """How many images would tell such a difference from none; None where the `n` at hand did, or none would.

    Intervals shrink with the square root of the number of images.
    """
    half = (found.high - found.low) / 2
    if found.value == 0 or not found.low <= 0 <= found.high:  # nan bounds as well: nothing is known
        return None
    return max(n + 1, math.ceil(n * (half / found.value) ** 2))


def median_of_rounds(rounds: Sequence[Sequence[float]]) -> Interval:
    """The median over the rounds of each round's median, with its interval over the rounds."""
    return _median(np.array([np.median(r) for r in rounds]))


def ratio_of_rounds(
    candidate: Sequence[Sequence[float]], baseline: Sequence[Sequence[float]]
) -> tuple[Interval, tuple[float, ...]]:
    """Candidate / baseline as the median of per-round ratios of medians, and those ratios.

    Round i of both ran one right after the other, so what slowed the machine slowed both and drops out.
    """
    ratios = np.array([np.median(c) / np.median(b) for c, b in zip(candidate, baseline, strict=True)])
    return _median(ratios), tuple(float(r) for r in ratios)


def _median(values: NDArray[np.float64]) -> Interval:
    """The median of one value per round; the interval is that of the same median over resampled rounds."""
    draws = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    middle = float(np.median(values))
    low, high = _quantiles(np.median(values[draws], axis=1), middle)
    return Interval(middle, low, high, f"bootstrap over {len(values)} rounds, {RESAMPLES} resamples")


def _centred(value: float, resampled: NDArray[np.float64]) -> NDArray[np.float64]:
    """The resamples that are numbers, moved so that their mean is `value`."""
    known = resampled[~np.isnan(resampled)]
    return known - known.mean() + value if len(known) else known


def _quantiles(values: NDArray[np.float64], value: float) -> tuple[float, float]:
    """The interval's ends. It is widened to hold `value`, which very few, skewed resamples may miss."""
    if len(values) == 0 or np.isnan(value):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return min(float(low), value), max(float(high), value)
