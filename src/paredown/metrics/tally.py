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

        Detections of classes that have no truth at all are left out, as AP leaves them out. Equal scores
        stand or fall together. nan where there is no truth; 0 and no confidence where nothing is found.
        """
        m = self.matches
        judged = np.flatnonzero(~m.ignored[0, 0] & m.known[m.class_])
        score, image, hit = m.score[judged], m.image[judged], m.hit[0, 0, judged]
        n_truths = self.count_truths(m.counted[0])
        last = np.flatnonzero(np.append(score[1:] < score[:-1], True)) if len(score) else judged
        run = np.searchsorted(last, np.arange(len(score)))  # of equal scores, that each belongs to
        ends = np.unique(run[hit])  # F1 rises at hits only
        if len(ends) == 0:
            nothing = np.where(n_truths == 0, np.nan, 0.0)
            return np.stack([nothing, nothing, nothing, np.full(len(self.weights), np.nan)], axis=1)
        group = np.searchsorted(ends, run)  # the first of `ends` that counts it
        kept = self._cumulative(image, group, len(ends))
        correct = self._cumulative(image[hit], group[hit], len(ends))
        f1 = ratio(2 * correct, kept + n_truths[:, None])
        row, best = np.arange(len(f1)), np.argmax(f1, axis=1)
        right, shown, highest = correct[row, best], kept[row, best], f1[row, best]
        found = np.stack(
            [np.nan_to_num(ratio(right, shown)), ratio(right, n_truths), highest, score[last[ends[best]]]],
            axis=1,
        )
        return np.where((n_truths == 0)[:, None], np.nan, found)

    def _cumulative(
        self, image: NDArray[np.int64], group: NDArray[np.intp], n_groups: int
    ) -> NDArray[np.float64]:
        """(R, n_groups) weight of all things up to and with each group. image, group: (D,) of each thing."""
        added = np.zeros((self.weights.shape[1], n_groups + 1))  # the last column: behind all groups
        np.add.at(added, (image, group), 1.0)
        summed: NDArray[np.float64] = np.cumsum(self._real @ added[:, :n_groups], axis=1)
        return summed

    @cached_property
    def _real(self) -> NDArray[np.float64]:
        return self.weights.astype(np.float64)  # exact, and products of float matrices are fast

    def count_truths(self, which: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(R,) how many of the chosen truths there are. which: (G,)."""
        return self._sum(self.matches.truth_image[which])

    def mean_over_truths(self, values: NDArray[np.float64], which: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(R,) mean of `values` (G,) over the chosen truths; nan where there is none."""
        image = self.matches.truth_image[which]
        return ratio(self._sum(image, values[which]), self._sum(image))

    def share_of_detections(self, part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(R,) how many of the detections `whole` (D,) are also `part` (D,); nan where there is none."""
        image = self.matches.image
        return ratio(self._sum(image[whole & part]), self._sum(image[whole]))

    def _sum(
        self, image: NDArray[np.int64], values: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """(R,) weighted sum over things of `image` (D,) of their values (D,), or their number."""
        return self._real @ np.bincount(image, values, minlength=self.weights.shape[1]).astype(np.float64)


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
