"""Is one way of feeding a model better than another on the same labelled images? Beyond chance, or not."""

from __future__ import annotations

from functools import lru_cache

from paredown.statistics.confidence_interval import Interval, interval, resample_weights
from paredown.tasks.card_evidence import LEVEL, CardEvidence

RESAMPLES = 300


def interval_of(found: CardEvidence, seed: int = 0) -> Interval:
    """The value with its 95 % interval, by resampling images."""
    weights = resample_weights(found.n_images, RESAMPLES, seed)
    return interval(found.value, found.resampled(weights), (0.0, 1.0))


def gap_of(a: CardEvidence, b: CardEvidence, seed: int = 0) -> Interval:
    """a - b on the same images with its 95 % interval, by resampling images."""
    weights = resample_weights(a.n_images, RESAMPLES, seed)
    return interval(a.value - b.value, a.resampled(weights) - b.resampled(weights))


@lru_cache(maxsize=128)
def p_value(a: CardEvidence, b: CardEvidence, seed: int = 0) -> float:
    """Two-sided, of a being no better than b."""
    return a.p_value(b, seed)


def better(a: CardEvidence, b: CardEvidence) -> bool:
    """Whether a is better than b by more than chance."""
    return a.score > b.score and p_value(a, b) <= LEVEL
