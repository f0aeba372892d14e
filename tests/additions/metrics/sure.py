"""A metric as anyone may add one: how many objects are found with a score of a half."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paredown.metrics.tally import DetectionTally


def found_surely(t: DetectionTally) -> NDArray[np.float64]:
    """(R,) the share of objects that a detection of at least 0.5 finds, at IoU 0.5."""
    return t.mean_over_truths((t.matches.found_score >= 0.5).astype(np.float64), t.matches.counted[0])
