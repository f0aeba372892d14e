"""The limit is held on detections: candidates are written and judged until the cheapest is found that keeps it.

Predicted damage orders the candidates; what it costs in points differs from model to model, so the limit is
found by halving the logarithm of the damage between a candidate that loses too much and one that does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from paredown.compress.quantize.candidate import Candidate
from paredown.protocols import Judge, Lost

VERIFICATIONS = 6  # candidates judged at most; each halves the logarithm of the damage in question
MARGIN = 1.0  # standard errors of the judged drop that must still fit under the limit


@dataclass(frozen=True)
class Verified:
    """A candidate and what it was judged to lose."""

    candidate: Candidate
    lost: Lost

    def keeps(self, limit: float) -> bool:
        return self.lost.points + MARGIN * self.lost.noise <= limit


def cheapest_within(
    damages: Sequence[float], write: Callable[[int], Candidate], judge: Judge, limit: float
) -> tuple[int, list[Verified]]:
    """Index of the cheapest candidate that keeps the limit, and all that were judged, in order.

    damages: falling, the last that of the float network, which needs no judging. write: makes a candidate.
    """
    bad, good = -1, len(damages) - 1
    tried: list[Verified] = []
    index = 0
    while good - bad > 1 and len(tried) < VERIFICATIONS:
        candidate = write(index)
        tried.append(Verified(candidate, judge(candidate.model)))
        if tried[-1].keeps(limit):
            good = index
        else:
            bad = index
        index = _between(damages, bad, good)
    return good, tried


def _between(damages: Sequence[float], bad: int, good: int) -> int:
    """The index strictly between whose damage is nearest to the middle of the two, in logarithms."""
    if good - bad < 2:
        return good
    least = damages[bad] / 64 if bad >= 0 else 0.0
    middle = (_log(damages[max(bad, 0)]) + _log(max(damages[good], least))) / 2
    return min(range(bad + 1, good), key=lambda i: abs(_log(damages[i]) - middle))


def _log(damage: float) -> float:
    return math.log(max(damage, 1e-12))
