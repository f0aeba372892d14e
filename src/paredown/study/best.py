"""Which model to ship: the verdict over the trials of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from paredown.agreement import is_agreement
from paredown.analyze.against_float import (
    FLOAT,
    SAME,
    accuracy_of,
    baseline_of,
    bounds,
    compared,
    is_unjudged,
    points_lost,
    ratio_of,
    rounded,
    speed_of,
)
from paredown.errors import UsageError
from paredown.measurement import Trial
from paredown.quantities import QUANTITIES, in_unit
from paredown.study import words
from paredown.study.limits import Limits

SAME_SIZE = 0.10  # per-channel scales make a file a few per cent larger; that is no reason to lose accuracy
SAME_LOSS = 0.10  # of the allowed loss: who allows 1 point does not ask about 0.1 of them


@dataclass(frozen=True)
class Verdict:
    """The recommendation. `best` is the float trial where no compressed model brings anything.

    `headline`: what to use and what it brings, in one line; `reasons`: the figures and limits behind it, one
    sentence each. `remarks`: one short phrase per `Trial.key`, why it is or is not the best.
    """

    best: Trial
    baseline: Trial  # the float model
    gate_met: bool
    headline: str
    reasons: tuple[str, ...]
    remarks: Mapping[str, str] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """Headline and reasons in one paragraph."""
        return " ".join(f"{part}." for part in (self.headline, *self.reasons))


def choose_best(trials: Sequence[Trial], limits: Limits) -> Verdict:
    """The verdict. Raises UsageError where the float model was not measured: nothing can be judged then."""
    baseline = baseline_of(trials)
    if baseline is None:
        raise UsageError("the float model has not been measured in this study, so there is no verdict yet")
    others = [t for t in trials if t.key != baseline.key]
    remarks = {t.key: _against(t, baseline, limits) for t in others}
    within = [t for t in others if not remarks[t.key]]
    pool = [t for t in within if not _over(t, baseline, limits)]
    if not pool and _over(baseline, baseline, limits):  # nothing meets the limits: the nearest that helps
        pool = within
    best, why = _choose(pool, baseline, limits) if pool else (baseline, "")
    for trial in within:
        over = _over(trial, baseline, limits)
        remarks[trial.key] = "best" if trial is best else over or _behind(trial, best, baseline)
    remarks[baseline.key] = "best" if best is baseline else _over(baseline, baseline, limits) or "reference"
    met = _gate_met(best, baseline, others, limits)
    reasons = words.reasons(best, baseline, others, limits, met, why)
    if looked := _looked_faster(pool, best, baseline):
        reasons += (words.looked_faster(looked),)
    return Verdict(best, baseline, met, words.headline(best, baseline), reasons, remarks)


def _against(trial: Trial, baseline: Trial, limits: Limits) -> str:
    """Why the trial can never be the best; "" where it can."""
    if trial.measurement is None:
        return "failed"
    accuracy = accuracy_of(trial)
    if is_unjudged(trial):
        return "not judged: too slow to win"
    if accuracy is None or points_lost(trial, baseline) is None:
        return "no accuracy measured"
    allowed = limits.allowed(accuracy.name)
    if not _lost(trial, baseline) <= allowed:  # also where it is nan
        if is_agreement(accuracy.name):
            return f"agrees less than {100 - allowed:g} %"
        return f"loses more than {allowed:g}"
    return _useless(trial, baseline, limits)


def _useless(trial: Trial, baseline: Trial, limits: Limits) -> str:
    """Why the trial brings nothing over the float model; "" where it is faster, smaller at no cost, or takes
    less of what else was limited.

    Where its speed is not known it is no reason against it either, unless its rounds all say slower.
    """
    speed = speed_of(trial, baseline)
    if speed is not None and speed.found == "faster":
        return ""
    slower = speed is not None and (
        speed.found == "slower" or (not speed.known and bounds(speed.ratio)[0] > 1 + SAME)
    )
    smaller = words.is_less(trial, baseline, "size_bytes")
    if smaller and (limits.max_size_bytes is not None or not slower):
        return ""
    if any(words.is_less(trial, baseline, name) for name in limits.more):
        return ""
    if slower:
        return (
            "slower than float" if speed is not None and speed.known else "not known to be as fast as float"
        )
    return "not surely faster, not smaller"


def _over(trial: Trial, baseline: Trial, limits: Limits) -> str:
    """Which of the limits on quantities the trial breaks first; "" where none. Not measured is not kept."""
    for name, most in limits.at_most.items():
        found = compared(trial, baseline, name)
        if found is None or found.value > most:
            return f"over {in_unit(most, QUANTITIES[name].unit)}"
    return ""


def _choose(pool: Sequence[Trial], baseline: Trial, limits: Limits) -> tuple[Trial, str]:
    """The fastest; of those that may be as fast, the least loss; of those that lose as little, the smallest.

    A model may be as fast as the fastest where that one's ratio lies in its own confidence interval. One
    whose speed is not told apart from float's counts as no faster than float. Size comes last because a limit
    on it has been kept to already, and without one nobody asked to pay for it in accuracy. The text says what
    decided, and which smaller file was passed over.
    """
    fast = _as_fast(pool, baseline)
    accuracy = accuracy_of(baseline)
    allowed = limits.drop if accuracy is None else limits.allowed(accuracy.name)
    least = min(_loss(t, baseline) for t in fast)
    near = [t for t in fast if _loss(t, baseline) <= least + SAME_LOSS * allowed]
    sizes = {id(t): s for t in near if (s := _value(t, "size_bytes")) is not None}
    edge = (1 + SAME_SIZE) * min(sizes.values(), default=0.0)
    small = [t for t in near if sizes.get(id(t), float("inf")) <= edge] or near
    best = min(small, key=lambda t: _loss(t, baseline))
    why = words.decided(len(pool), len(fast), len(near), len(small), _any_known(pool, baseline))
    return best, "; ".join(text for text in (why, _passed_over(best, fast, baseline)) if text)


def _any_known(pool: Sequence[Trial], baseline: Trial) -> bool:
    """Whether speed may decide at all: some candidate is told apart from float."""
    return any((speed := speed_of(t, baseline)) is not None and speed.known for t in pool)


def _as_fast(pool: Sequence[Trial], baseline: Trial) -> list[Trial]:
    """Those that may be as fast as the fastest; all where nothing is known about any speed."""
    ratios = {id(t): _ratio_and_lower(t, baseline) for t in pool}
    least = min((ratio for ratio, _ in ratios.values()), default=1.0)
    return [t for t in pool if ratios[id(t)][1] <= (1 + SAME) * least] or [*pool]


def _ratio_and_lower(trial: Trial, baseline: Trial) -> tuple[float, float]:
    """The ratio that counts when candidates are compared, and what it may be at best: 1 where not known."""
    speed = speed_of(trial, baseline)
    if speed is None or not speed.fit:
        return 1.0, 1.0
    lower = min(bounds(speed.ratio)[0], speed.ratio.value)
    return (speed.ratio.value if speed.known else 1.0), lower


def _looked_faster(pool: Sequence[Trial], best: Trial, baseline: Trial) -> list[Trial]:
    """Those within the limits timed as faster than the best, when the machine was not fit for that."""
    its, speeds = speed_of(best, baseline), [(t, speed_of(t, baseline)) for t in pool if t is not best]
    if its is not None and not its.fit:
        return []
    least = (1 - SAME) * (1.0 if its is None else min(its.ratio.value, 1.0))
    return [t for t, s in speeds if s is not None and not s.fit and bounds(s.ratio)[1] < least]


def _passed_over(best: Trial, fast: Sequence[Trial], baseline: Trial) -> str:
    """What the smallest file that is as fast would cost, in words; "" where it is the best."""
    size = _value(best, "size_bytes")
    sizes = [(s, t) for t in fast if (s := _value(t, "size_bytes")) is not None]
    if size is None or not sizes:
        return ""
    least, smallest = min(sizes, key=lambda pair: pair[0])
    if least * (1 + SAME_SIZE) >= size:
        return ""
    more = rounded(_lost(smallest, baseline)) - rounded(_lost(best, baseline))
    return words.passed_over(smallest, least, more)


def _lost(trial: Trial, baseline: Trial) -> float:
    """Points lost as they are shown; infinite where not known."""
    lost = points_lost(trial, baseline)
    return float("inf") if lost is None else rounded(lost.value)


def _loss(trial: Trial, baseline: Trial) -> float:
    """Points lost; a gain counts as no loss, for it is chance."""
    return max(_lost(trial, baseline), 0.0)


def _behind(trial: Trial, best: Trial, baseline: Trial) -> str:
    """Why a candidate within every limit is not the best: slower, or as fast but less accurate or larger."""
    mine, its = (_ratio_and_lower(t, baseline)[0] for t in (trial, best))
    if ratio_of(trial) is not None and mine > (1 + SAME) * its:
        speed = speed_of(trial, baseline)
        return "not the fastest" if speed is not None and speed.known else "speed not told apart"
    return words.less_good(trial, baseline, _loss(trial, baseline) > _loss(best, baseline))


def _gate_met(best: Trial, baseline: Trial, others: Sequence[Trial], limits: Limits) -> bool:
    """Whether every limit that was asked for is met; that on the loss by at least one compressed model."""
    if _over(best, baseline, limits):
        return False
    accuracy = accuracy_of(baseline)
    if accuracy is None or limits.asked(accuracy.name) is None or not others:
        return True
    tried = [t for t in others if (t.recipe != FLOAT or t is best) and not is_unjudged(t)]
    return not tried or any(_lost(t, baseline) <= limits.allowed(accuracy.name) for t in tried)


def _value(trial: Trial, name: str) -> float | None:
    return None if trial.measurement is None else trial.measurement.value(name)
