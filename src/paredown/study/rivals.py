"""Whether a model can still win, or add to the front of speed and accuracy, before its accuracy is known.

No recipe makes a model better than float beyond chance. So what is clearly slower than a rival that keeps to
every limit and loses next to nothing can neither be the fastest within the limits nor lie on the front.
"""

from __future__ import annotations

from collections.abc import Sequence

from paredown.analyze.against_float import (
    SAME,
    accuracy_of,
    bounds,
    compared,
    points_lost,
    ratio_of,
    rounded,
)
from paredown.analyze.pareto import pareto_front
from paredown.measurement import Quantity, Trial
from paredown.study.best import SAME_LOSS
from paredown.study.limits import Limits
from paredown.study.words import TIMES, lost_phrase

CLEARLY = 1.10  # times as slow: a few short rounds do not tell less
MOST_TIMED = 8  # models that are timed at length in the end


def outrun(ratio: Quantity, label: str, trials: Sequence[Trial], baseline: Trial, limits: Limits) -> str:
    """Why a model that takes `ratio` of float's time need not be judged; "" where it should be.

    label: its own, which is no rival. trials: all so far.
    """
    slow = bounds(ratio)[0]
    for rival in sorted((t for t in trials if t.label != label), key=_value):
        its = ratio_of(rival)
        if its is None or not _within(rival, baseline, limits):
            continue
        if slow <= CLEARLY * bounds(its)[1]:
            return ""
        if _lost(rival, baseline) <= SAME_LOSS * _allowed(rival, limits):
            times = ratio.value / its.value
            lost = lost_phrase(rival, baseline)
            said = f"{rival.label}, {lost}" if lost and rival.key != baseline.key else rival.label
            return f"{times:.1f}{TIMES} the time of {said}: it cannot win, and no accuracy is left to gain"
    return ""


def finalists(trials: Sequence[Trial], baseline: Trial, limits: Limits) -> tuple[Trial, ...]:
    """Those worth timing at length: what may be the fastest within the limits, then the front."""
    timed = [t for t in trials if ratio_of(t) is not None and accuracy_of(t) is not None]
    within = [t for t in timed if t.key != baseline.key and _within(t, baseline, limits)]
    least = min((bounds(ratio_of(t))[1] for t in within), default=0.0)
    close = [t for t in within if bounds(ratio_of(t))[0] <= (1 + SAME) * least]
    points = [(_value(t), _lost(t, baseline)) for t in timed]
    front = [timed[i] for i in pareto_front(points, ("lower", "lower"))]
    found = {t.key: t for t in (*sorted(close, key=_value), *sorted(front, key=_value))}
    found.pop(baseline.key, None)
    return tuple(found.values())[:MOST_TIMED]


def _within(trial: Trial, baseline: Trial, limits: Limits) -> bool:
    """Whether it was judged and keeps to every limit."""
    if accuracy_of(trial) is None or not rounded(_lost(trial, baseline)) <= _allowed(trial, limits):
        return False
    found = ((compared(trial, baseline, name), most) for name, most in limits.at_most.items())
    return all(q is not None and q.value <= most for q, most in found)


def _lost(trial: Trial, baseline: Trial) -> float:
    """Points; a gain counts as no loss, for it is chance."""
    if trial.key == baseline.key:
        return 0.0
    lost = points_lost(trial, baseline)
    return float("inf") if lost is None else max(lost.value, 0.0)


def _allowed(trial: Trial, limits: Limits) -> float:
    accuracy = accuracy_of(trial)
    return limits.drop if accuracy is None else limits.allowed(accuracy.name)


def _value(trial: Trial) -> float:
    ratio = ratio_of(trial)
    return float("inf") if ratio is None else ratio.value
