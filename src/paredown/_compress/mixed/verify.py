"""The limit is held on detections: the cheapest candidate is found that is judged to keep it.

Predicted damage orders the candidates; what it costs in points differs from model to model, so the limit is
found by halving the logarithm of the damage between a candidate that loses too much and one that does not.

Points lost on some hundred images are mostly chance. Damage is noise at the heads; what it costs grows with
its power or, where boxes and ranks tip over, with its amplitude: as d^p with p between 1/2 and 1. So all that
was judged tells of this curve; most of all a candidate on grids twice as coarse, where the loss is up to four
times as large. What a candidate is expected to lose is its own judgement y +- s and the curve through the
others, c d^p +- t, weighed by certainty:

    (y / s^2 + c d^p / t^2) / (1 / s^2 + 1 / t^2),      c = sum(d^p y / s^2) / w,      w = sum(d^2p / s^2),

    t^2 = (STRAY c d^p)^2 + d^2p / w

with the p of least squared error over all of them. Where the two contradict each other, its own judgement
alone counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from paredown._compress.mixed.candidate import Candidate
from paredown.protocols import Judge, Lost, TimeNodes

VERIFICATIONS = 5  # candidates judged at most; each halves the logarithm of the damage in question
MARGIN = 1.0  # standard errors of the judged drop that must fit under the limit beside what is expected
STRAY = 0.5  # how far a candidate lies from the curve by its own nature, as a part of it
CONTRADICTION = 2.0  # standard errors between judgement and curve, above which the curve does not count
POWERS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # p, the most careful first
COARSE = 4.0  # times the damage, where steps are twice as wide


@dataclass(frozen=True)
class Verified:
    """A candidate and what it was judged to lose. expected: points, in the light of all judged before."""

    candidate: Candidate
    damage: float
    lost: Lost
    expected: float

    def keeps(self, limit: float) -> bool:
        return self.expected + MARGIN * self.lost.noise <= limit


def cheapest_within(
    damages: Sequence[float],
    write: Callable[[int], Candidate],
    judge: Judge,
    limit: float,
    slope: Verified,
) -> tuple[Candidate, list[Verified]]:
    """The cheapest candidate that keeps the limit, and all that were judged, in order.

    damages: falling; the last one is taken unjudged where no other keeps the limit. write: makes a candidate.
    slope: what was judged before, on grids twice as coarse; it is no candidate itself.
    """
    bad, good, index = -1, len(damages) - 1, 0
    tried = [slope]
    while good - bad > 1 and len(tried) <= VERIFICATIONS:
        candidate = write(index)
        tried.append(verified(candidate, candidate.damage, judge, tried))
        if tried[-1].keeps(limit):
            good = index
        else:
            bad = index
        index = _between(damages, bad, good)
    if good - bad > 1 and not any(v.keeps(limit) for v in tried[1:]):  # the last resort but one
        candidate = write(good - 1)
        tried.append(verified(candidate, candidate.damage, judge, tried))
    made = next((v.candidate for v in tried[:0:-1] if v.keeps(limit)), None)
    return made or write(good), tried


def fastest(candidates: Sequence[Candidate], time_nodes: TimeNodes) -> Candidate:
    """The one that takes least time by the clock.

    Estimates order a path, but layers side by side share layouts and caches: no sum over layers knows of it.
    """
    times = time_nodes([c.model for c in candidates])
    return min(zip(candidates, times, strict=True), key=lambda pair: pair[1].latency_s)[0]


def verified(candidate: Candidate, damage: float, judge: Judge, others: Sequence[Verified]) -> Verified:
    """The candidate, judged. damage: its own, as far as known. others: those judged before."""
    lost = judge(candidate.model)
    return Verified(candidate, damage, lost, expected(damage, lost, [(v.damage, v.lost) for v in others]))


def expected(damage: float, lost: Lost, others: Sequence[tuple[float, Lost]]) -> float:
    """Points lost, from a candidate's own judgement and the curve through the others."""
    known = [(d, o.points, max(o.noise, 1e-6)) for d, o in others if d > 0 and o.noise == o.noise]
    if not known or damage == 0:
        return lost.points
    own = (damage, lost.points, max(lost.noise, 1e-6))
    power = min(POWERS, key=lambda p: _misfit([*known, own], p))
    height, weight = _curve(known, power)
    x = damage**power
    variance, trend = own[2] ** 2, (STRAY * height * x) ** 2 + x * x / weight
    if abs(lost.points - height * x) > CONTRADICTION * math.sqrt(variance + trend):
        return lost.points
    return float((lost.points / variance + height * x / trend) / (1 / variance + 1 / trend))


_Judged = Sequence[tuple[float, float, float]]
"""Damage, points lost and their standard error."""


def _curve(judged: _Judged, power: float) -> tuple[float, float]:
    """The c of c d^p through what was judged, at least 0, and its weight w."""
    weight = sum(d ** (2 * power) / (s * s) for d, _, s in judged)
    return max(0.0, sum(d**power * y / (s * s) for d, y, s in judged) / weight), weight


def _misfit(judged: _Judged, power: float) -> float:
    height, _ = _curve(judged, power)
    return float(sum(((y - height * d**power) / s) ** 2 for d, y, s in judged))


def _between(damages: Sequence[float], bad: int, good: int) -> int:
    """The index strictly between whose damage is nearest to the middle of the two, in logarithms."""
    if good - bad < 2:
        return good
    worst = damages[max(bad, 0)]
    middle = (_log(worst) + _log(max(damages[good], worst / 64))) / 2
    return min(range(bad + 1, good), key=lambda i: abs(_log(damages[i]) - middle))


def _log(damage: float) -> float:
    return math.log(max(damage, 1e-12))
