"""What images with truth say about one card of a model: how it is fed and read.

Source: M. D. Smucker, J. Allan, B. Carterette, A comparison of statistical significance tests for
information retrieval evaluation, CIKM 2007, section 2.4 (paired randomisation: the two answers to an image
change places).

Letters: N images, R weightings of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from paredown.metrics.matching import Matches
from paredown.metrics.pooled import joined, pooled_ap50
from paredown.statistics.paired import sign_flip_test

LEVEL = 0.01  # of each comparison; there are a handful of them
FLIPS = 1000


class CardEvidence(Protocol):
    """Evidence of a task for one card. The same images, in the same order, stand behind what is compared."""

    def __hash__(self) -> int: ...

    @property
    def n_images(self) -> int: ...

    @property
    def value(self) -> float:
        """What the card is judged by, 0..1; 0 where there is nothing to count."""

    @property
    def score(self) -> tuple[float, float]:
        """What cards are put in order by: the value, then what tells cards of one value apart."""

    def resampled(self, weights: NDArray[np.int64]) -> NDArray[np.float64]:
        """(R,) the value under `weights` (R, N)."""

    def p_value(self, other: Any, seed: int) -> float:
        """Two-sided, of being no better than the other; 1 where what is measured points both ways."""

    def aside(self, other: Any) -> str:
        """How the other does by the second part of the score, in words; "" where there is none."""


@dataclass(frozen=True, eq=False)
class PooledBoxes:
    """The evidence of a detector: all classes pooled, judged by AP at IoU 0.5."""

    matches: Matches

    @property
    def n_images(self) -> int:
        return self.matches.n_images

    @property
    def value(self) -> float:
        return float(self.resampled(np.ones((1, self.n_images), np.int64))[0])

    @property
    def score(self) -> tuple[float, float]:
        return self.value, 0.0

    def resampled(self, weights: NDArray[np.int64]) -> NDArray[np.float64]:
        """(R,) AP50."""
        return pooled_ap50(self.matches, weights)

    def p_value(self, other: PooledBoxes, seed: int) -> float:
        """Of both AP50 being equal: the answers change places image by image at random."""
        n = self.n_images
        if n == 0:
            return 1.0
        stay = np.random.default_rng(seed).integers(0, 2, (FLIPS, n))
        stay[0] = 1  # as it was seen
        both = joined(self.matches, other.matches)
        first = pooled_ap50(both, np.concatenate([stay, 1 - stay], axis=1))
        second = pooled_ap50(both, np.concatenate([1 - stay, stay], axis=1))
        gaps = abs(first - second)
        return float((gaps >= gaps[0] * (1 - 1e-9)).mean())

    def aside(self, other: PooledBoxes) -> str:
        return ""


@dataclass(frozen=True, eq=False)
class RightAnswers:
    """The evidence of a task that is right or wrong about an image.

    Judged by how often it is right; where that does not differ, by the mean log probability of the truth,
    by which a saturated net loses: it is wrong with certainty.
    """

    right: NDArray[np.float64]  # (N,) 0 or 1
    log_probability: NDArray[np.float64]  # (N,) of the truth

    @property
    def n_images(self) -> int:
        return len(self.right)

    @property
    def value(self) -> float:
        return float(self.right.mean()) if len(self.right) else 0.0

    @property
    def score(self) -> tuple[float, float]:
        return self.value, float(self.log_probability.mean()) if len(self.right) else 0.0

    def resampled(self, weights: NDArray[np.int64]) -> NDArray[np.float64]:
        """(R,) share of right answers."""
        share: NDArray[np.float64] = weights @ self.right / max(1, self.n_images)
        return share

    def p_value(self, other: RightAnswers, seed: int) -> float:
        """Of how often both are right, or of the log probability where that agrees."""
        if self.n_images == 0:
            return 1.0
        often = sign_flip_test(self.right - other.right, seed)
        probability = self.log_probability - other.log_probability
        if often <= LEVEL or self.value < other.value or probability.mean() < 0:
            return often if self.value > other.value else 1.0
        return min(often, sign_flip_test(probability, seed))

    def aside(self, other: RightAnswers) -> str:
        if not self.n_images:
            return ""
        return f"mean log probability of the truth {other.score[1]:.2f} against {self.score[1]:.2f}"
