"""How a classifier's answers compare with the classes wanted, image by image: what its metrics count.

Letters: N images, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paredown.detections import ClassScores
from paredown.errors import DataError


@dataclass(frozen=True)
class Outcomes:
    """How a classifier's answer to each image compares with the wanted class.

    rank: (N,) of the wanted class, 0 = first. confidence: (N,) probability of the model's own first class.
    shift: (N,) probability of the wanted class minus the reference's own (0 where there is no reference).
    """

    rank: NDArray[np.int64]
    confidence: NDArray[np.float64]
    shift: NDArray[np.float64]

    @property
    def n_images(self) -> int:
        return len(self.rank)

    @property
    def n_counts(self) -> int:
        return len(self.rank)


def outcomes(
    predictions: Sequence[ClassScores], wanted: Sequence[int], reference: Sequence[ClassScores] | None = None
) -> Outcomes:
    """The outcomes of one model. wanted: a class index for each image."""
    if len(predictions) != len(wanted):
        raise DataError(
            "there must be one prediction for each image", got=len(predictions), expected=len(wanted)
        )
    p = [probabilities(s) for s in predictions]
    pairs = list(zip(p, wanted, strict=True))
    own = np.array([q[w] for q, w in pairs], np.float64)
    before = (
        own
        if reference is None
        else np.array([probabilities(r)[w] for r, w in zip(reference, wanted, strict=True)], np.float64)
    )
    return Outcomes(
        rank=np.array([_rank(s.scores, w) for s, w in zip(predictions, wanted, strict=True)], np.int64),
        confidence=np.array([q.max() for q in p], np.float64),
        shift=own - before,
    )


def probabilities(answer: ClassScores) -> NDArray[np.float64]:
    """(C,) scores that sum to 1: as they are where they already do, else their softmax."""
    s = answer.scores.astype(np.float64)
    if (s >= 0).all() and abs(
        s.sum() - 1
    ) < 0.02:  # 8-bit softmax outputs miss 1 by up to a few steps of 1/256
        return s
    e = np.exp(s - s.max())
    normal: NDArray[np.float64] = e / e.sum()
    return normal


def _rank(scores: NDArray[np.float32], wanted: int) -> int:
    """How many classes come before the wanted one; of equal scores the lower index is first, as in argmax.

    A score that is not a number ranks the wanted class last: such an answer must not look right.
    """
    if np.isnan(scores).any():
        return len(scores)
    s = scores[wanted]
    return int((scores > s).sum() + (scores[:wanted] == s).sum())
