"""Evidence (what matched what) and tallies (evidence counted under R weightings of the N images).

What many metrics need is counted once and kept: a tally is made for one question and thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.detections import ClassScores, Detections, Prediction
from paredown.errors import DataError
from paredown.metrics.average_precision import average_precision
from paredown.metrics.matching import Matches, match, match_reference
from paredown.metrics.outcomes import Outcomes, outcomes
from paredown.sample import Labels, Truth

Evidence = Matches | Outcomes


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


Tally = DetectionTally | ClassTally


def tally(evidence: Evidence, weights: NDArray[np.int64]) -> Tally:
    """The evidence counted under `weights` (R, N)."""
    if isinstance(evidence, Matches):
        return DetectionTally(evidence, weights)
    return ClassTally(evidence, weights)


def against_truth(predictions: Sequence[Prediction], truths: Sequence[Truth], card: Card) -> Evidence:
    """The evidence of a model's answers held against what is true."""
    if card.task == "detect":
        labels = [t for t in truths if isinstance(t, Labels)]
        if len(labels) != len(truths):
            raise DataError("a detector needs true boxes for each image it is judged on", got=_kinds(truths))
        return match(_detections(predictions), labels, len(card.classes), card.conf, card.max_detections)
    right = [t for t in truths if isinstance(t, int)]
    if len(right) != len(truths):
        raise DataError("a classifier needs a true class for each image it is judged on", got=_kinds(truths))
    return outcomes(_class_scores(predictions), right)


def against_reference(
    predictions: Sequence[Prediction], reference: Sequence[Prediction], card: Card
) -> Evidence:
    """The evidence of a model's answers held against the float model's answers to the same images."""
    if card.task == "detect":
        return match_reference(
            _detections(predictions),
            _detections(reference),
            len(card.classes),
            card.conf,
            card.max_detections,
        )
    wanted = _class_scores(reference)
    return outcomes(_class_scores(predictions), [int(r.scores.argmax()) for r in wanted], wanted)


def ratio(part: NDArray[np.generic], whole: NDArray[np.generic]) -> NDArray[np.float64]:
    """part / whole, nan where the whole is zero."""
    quotient = np.full(part.shape, np.nan)
    np.divide(part, whole, out=quotient, where=whole != 0)
    return quotient


def _detections(predictions: Sequence[Prediction]) -> list[Detections]:
    found = [p for p in predictions if isinstance(p, Detections)]
    if len(found) != len(predictions):
        raise DataError("the card says the model is a detector, its answers are class scores")
    return found


def _class_scores(predictions: Sequence[Prediction]) -> list[ClassScores]:
    found = [p for p in predictions if isinstance(p, ClassScores)]
    if len(found) != len(predictions):
        raise DataError("the card says the model is a classifier, its answers are boxes")
    return found


def _kinds(truths: Sequence[Truth]) -> str:
    return ", ".join(sorted({type(t).__name__ for t in truths}))
