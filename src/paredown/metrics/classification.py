"""Metrics of classifiers: top-1, top-5, agreement with the float model, confidence.

Each gives (R,): one value per weighting of the images.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paredown.metrics.tally import ClassTally


def top1(t: ClassTally) -> NDArray[np.float64]:
    """(R,) share of images whose wanted class is the first one."""
    return t.mean(t.outcomes.rank < 1)


def top5(t: ClassTally) -> NDArray[np.float64]:
    """(R,) share of images whose wanted class is among the first five."""
    return t.mean(t.outcomes.rank < 5)


def mean_confidence(t: ClassTally) -> NDArray[np.float64]:
    """(R,) mean probability of the model's own first class."""
    return t.mean(t.outcomes.confidence)


def confidence_shift(t: ClassTally) -> NDArray[np.float64]:
    """(R,) mean change of the probability of the float model's first class."""
    return t.mean(t.outcomes.shift)
