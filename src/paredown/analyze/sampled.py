"""Evidence counted once as it is and once over bootstrap resamples: every metric with its interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.metrics.metric import Metric
from paredown.metrics.tally import Evidence
from paredown.statistics.confidence_interval import (
    RESAMPLES,
    Difference,
    Interval,
    interval,
    paired_difference,
    resample_weights,
)

# Larger data sets get fewer resamples: so much work is some seconds, so many weights are 160 MB.
_MOST_COUNTS = 10_000_000_000
_MOST_WEIGHTS = 20_000_000
_FEWEST = 50


@dataclass(frozen=True)
class Sampled:
    """A model's evidence under both weightings. The same images and seed give the same resamples."""

    evidence: Evidence
    once: Any  # the task's tally, as `Metric.compute` takes it
    resampled: Any

    def value(self, metric: Metric) -> float:
        return float(metric.compute(self.once)[0])

    def interval(self, metric: Metric, value: float | None = None) -> Interval:
        """The interval around `value`, by default the metric's own."""
        middle = self.value(metric) if value is None else value
        return interval(middle, metric.compute(self.resampled), metric.limits)


def sampled(evidence: Evidence, tally: Callable[[Any, NDArray[np.int64]], Any], seed: int = 0) -> Sampled:
    """The evidence with RESAMPLES resamples of its images, or fewer where there is very much to count.

    tally: the task's, of evidence and weights (R, N).
    """
    most = min(_MOST_COUNTS // max(1, evidence.n_counts), _MOST_WEIGHTS // max(1, evidence.n_images))
    resamples = max(_FEWEST, min(RESAMPLES, most))
    return Sampled(
        evidence,
        tally(evidence, np.ones((1, evidence.n_images), np.int64)),
        tally(evidence, resample_weights(evidence.n_images, resamples, seed)),
    )


def difference(a: Sampled, b: Sampled, metric: Metric) -> Difference:
    """b - a on the same images, with the interval and p-value of the paired bootstrap."""
    spread_a, spread_b = metric.compute(a.resampled), metric.compute(b.resampled)
    resamples = min(len(spread_a), len(spread_b))
    return paired_difference(a.value(metric), b.value(metric), spread_a[:resamples], spread_b[:resamples])
