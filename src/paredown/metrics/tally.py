"""Evidence (what matched what) and tallies (evidence counted under R weightings of the N images).

What many metrics need is counted once and kept: a tally is made for one question and thrown away.
"""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from paredown.metrics.average_precision import average_precision
from paredown.metrics.matching import Matches
from paredown.metrics.outcomes import Outcomes


class Evidence(Protocol):
    """What the answers to N images come to, of whatever task: `Matches`, `Outcomes`."""

    @property
    def n_images(self) -> int: ...

    @property
    def n_counts(self) -> int:
        """How many things are counted for one weighting: how much work that is."""


class DetectionTally:
    """Matches counted under `weights` (R, N)."""

    def __init__(self, matches: Matches, weights: NDArray[np.int64]) -> None:
        self.matches, self.weights = matches, weights
        self._ap: dict[int, NDArray[np.float64]] = {}

    def ap(self, area: int = 0) -> NDArray[np.float64]:
        """(R, T, C) average precision in one area range; nan where a class has no truth."""
        if area not in self._ap:
            self._ap[area] = average_precision(self.matches, self.weights, area)
        return self._ap[area]

    @cached_property
    def best_f1(self) -> NDArray[np.float64]:
        """(R, 4) precision, recall, F1 and confidence where F1 is highest, at IoU 0.5, all classes together.

        Detections of classes that have no truth at all are left out, as AP leaves them out.
        """
        m = self.matches
        judged = np.flatnonzero(~m.ignored[0, 0] & m.known[m.class_])
        score, image, hit = m.score[judged], m.image[judged], m.hit[0, 0, judged]
        ends = np.flatnonzero(np.append(score[1:] < score[:-1], True)) if len(score) else judged
        n_truths = self.count_truths(m.counted[0])
        return np.array(
            [
                self._best_f1(w, image, hit, score, ends, n)
                for w, n in zip(self.weights, n_truths, strict=True)
            ]
        )

    @staticmethod
    def _best_f1(
        weights: NDArray[np.int64],
        image: NDArray[np.int64],
        hit: NDArray[np.bool_],
        score: NDArray[np.float64],
        ends: NDArray[np.int64],
        n_truths: int,
    ) -> tuple[float, float, float, float]:
        """One row of `best_f1`. ends: the last detection of each run of equal scores."""
        if n_truths == 0:
            return (np.nan,) * 4
        if len(ends) == 0:
            return (0.0, 0.0, 0.0, np.nan)
        counts = weights[image]
        kept, correct = np.cumsum(counts)[ends], np.cumsum(counts * hit)[ends]
        f1 = 2 * correct / (kept + n_truths)
        i = int(f1.argmax())
        precision = correct[i] / kept[i] if kept[i] else 0.0
        return float(precision), float(correct[i] / n_truths), float(f1[i]), float(score[ends[i]])

    def count_truths(self, which: NDArray[np.bool_]) -> NDArray[np.int64]:
        """(R,) how many of the chosen truths there are. which: (G,)."""
        count: NDArray[np.int64] = self.weights[:, self.matches.truth_image[which]].sum(axis=1)
        return count

    def mean_over_truths(self, values: NDArray[np.float64], which: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(R,) mean of `values` (G,) over the chosen truths; nan where there is none."""
        weights = self.weights[:, self.matches.truth_image[which]]
        return ratio(weights @ values[which], weights.sum(axis=1))

    def share_of_detections(self, part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(R,) how many of the detections `whole` (D,) are also `part` (D,); nan where there is none."""
        weights = self.weights[:, self.matches.image[whole]]
        return ratio(weights[:, part[whole]].sum(axis=1), weights.sum(axis=1))


class ClassTally:
    """Outcomes of a classifier counted under `weights` (R, N)."""

    def __init__(self, outcomes: Outcomes, weights: NDArray[np.int64]) -> None:
        self.outcomes, self.weights = outcomes, weights

    def mean(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """(R,) mean over images of `values` (N,)."""
        return ratio(self.weights @ values.astype(np.float64), self.weights.sum(axis=1))


def ratio(part: NDArray[np.generic], whole: NDArray[np.generic]) -> NDArray[np.float64]:
    """part / whole, nan where the whole is zero."""
    quotient = np.full(part.shape, np.nan)
    np.divide(part, whole, out=quotient, where=whole != 0)
    return quotient
