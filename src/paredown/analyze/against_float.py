"""A trial beside the float model. Table, plots, verdict, gate and bundle all take their figures from here, so
none of them can say another thing than the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from paredown.agreement import is_agreement
from paredown.measurement import Quantity, Trial
from paredown.metrics import headlines
from paredown.quantities import in_unit

FLOAT = "float"  # the recipe name of the untouched model
UNJUDGED = "unjudged"  # the kind of doubt of a model that was timed and not judged
# A ratio counts as faster where its 95 % upper bound is below FASTER; ratios within SAME are the same speed.
FASTER = 0.97
SAME = 0.03
DECIMALS = 2  # of points and per cents of agreement: they are compared with a limit as they are shown


@dataclass(frozen=True)
class Speed:
    """What the rounds say about the speed of a model beside float. fit: the machine was fit to time on."""

    ratio: Quantity
    found: Literal["faster", "slower", "about as fast", "not told apart"]
    fit: bool

    @property
    def known(self) -> bool:
        """Whether the speed may be a reason for anything."""
        return self.found != "not told apart"


def baseline_of(trials: Iterable[Trial]) -> Trial | None:
    """The float model in the target's usual runtime, which every study measures first; the float models of
    other runtimes are trials like any other. None before it was measured."""
    return next((t for t in trials if t.recipe == FLOAT and t.measurement is not None), None)


def is_unjudged(trial: Trial) -> bool:
    """Whether it was timed and then left, as its speed ruled it out."""
    return trial.measurement is not None and any(d.kind == UNJUDGED for d in trial.measurement.doubts)


def accuracy_of(trial: Trial) -> Quantity | None:
    """The quantity that judges: mAP50-95, top-1, or the agreement with float where there is no truth."""
    if trial.measurement is None:
        return None
    return next((q for name in headlines() if (q := trial.measurement.get(name)) is not None), None)


def points_lost(trial: Trial, baseline: Trial | None) -> Quantity | None:
    """Points below the float model; negative where it gained. None where the two do not compare.

    With truth: points of accuracy, by the paired estimate over the same images where one was kept. Without:
    the points that are missing to full agreement.
    """
    mine = accuracy_of(trial)
    if mine is None or trial.measurement is None:
        return None
    if is_agreement(mine.name):
        low, high = (None if end is None else 100 * (1 - end) for end in (mine.high, mine.low))
        missing = 100 * (1 - mine.value)
        return Quantity(f"{mine.name}_missing", missing, "points", "lower", mine.how, low=low, high=high)
    paired = trial.measurement.get(f"{mine.name}_drop")
    if paired is not None:
        return paired
    floats = None if baseline is None else accuracy_of(baseline)
    if floats is None or floats.name != mine.name:
        return None
    lost = 100 * (floats.value - mine.value)
    return Quantity(f"{mine.name}_drop", lost, "points", "lower", derived_how(mine, floats))


def rounded(points: float) -> float:
    """Points as they are shown, and compared with a limit."""
    return round(points, DECIMALS) + 0.0  # no minus zero


def speed_of(trial: Trial, baseline: Trial) -> Speed | None:
    """What is known about the trial's speed; None where it was not timed beside the float model.

    Not told apart: the ratio's interval holds 1, or what float gets beside itself, or the machine was unfit.
    """
    ratio = ratio_of(trial)
    if ratio is None or trial.measurement is None or ratio.value != ratio.value:
        return None
    fit = not any(d.unfit for d in trial.measurement.doubts)
    low, high = bounds(ratio)
    least, most = bounds(ratio_of(baseline))
    if not fit or (low <= max(most, 1.0) and high >= min(least, 1.0)):
        return Speed(ratio, "not told apart", fit)
    if high < 1.0:
        return Speed(ratio, "faster" if high < FASTER else "about as fast", fit)
    return Speed(ratio, "slower" if ratio.value > 1 + SAME else "about as fast", fit)


def ratio_of(trial: Trial) -> Quantity | None:
    """Its latency over that of the float model in the same rounds."""
    return None if trial.measurement is None else trial.measurement.get("latency_ratio")


def bounds(ratio: Quantity | None) -> tuple[float, float]:
    """The ends of an interval: 1 where there is no ratio, the value itself where it has no interval."""
    if ratio is None:
        return 1.0, 1.0
    return ratio.value if ratio.low is None else ratio.low, ratio.value if ratio.high is None else ratio.high


def rescaled_latency(trial: Trial, baseline: Trial | None) -> Quantity | None:
    """The latency that compares with other trials': its ratio times the float trial's own latency.

    Trials are timed at different moments, and a machine is not always as fast: only the ratio holds. The
    float trial's own latency is as measured, and so is one that has no ratio.
    """
    if trial.measurement is None:
        return None
    own, ratio = trial.measurement.get("latency_s"), trial.measurement.get("latency_ratio")
    floats = (
        None if baseline is None or baseline.measurement is None else baseline.measurement.get("latency_s")
    )
    if own is None or ratio is None or baseline is None or floats is None or _is(trial, baseline):
        return own
    low, high = (None if end is None else end * floats.value for end in (ratio.low, ratio.high))
    value = ratio.value * floats.value
    how = derived_how(ratio, floats)
    ci = f"ratio x {1e3 * floats.value:.1f} ms of the float model" + (f"; {ratio.ci}" if ratio.ci else "")
    return Quantity.listed("latency_s", value, how=how, low=low, high=high, ci=ci)


def compared(trial: Trial, baseline: Trial | None, name: str) -> Quantity | None:
    """A quantity as trials compare by it: latency rescaled, float's ratio 1, the others as measured."""
    if name == "latency_s":
        return rescaled_latency(trial, baseline)
    if name == "accuracy_per_mb":
        return accuracy_per_megabyte(trial)
    found = None if trial.measurement is None else trial.measurement.get(name)
    if name == "latency_ratio" and found is not None and baseline is not None and _is(trial, baseline):
        ci = f"beside itself {in_unit(found.value, found.unit, '.2f')}"
        return replace(found, value=1.0, low=None, high=None, samples=(), ci=ci)
    return found


def accuracy_per_megabyte(trial: Trial) -> Quantity | None:
    """Points of accuracy for each megabyte of the file; None without truth, or without either."""
    accuracy = accuracy_of(trial)
    size = None if trial.measurement is None else trial.measurement.get("size_bytes")
    if accuracy is None or size is None or is_agreement(accuracy.name) or size.value <= 0:
        return None
    megabytes = size.value / 1e6
    low, high = (None if end is None else 100 * end / megabytes for end in (accuracy.low, accuracy.high))
    value, how = 100 * accuracy.value / megabytes, derived_how(accuracy, size)
    return Quantity.listed("accuracy_per_mb", value, how=how, low=low, high=high, ci=accuracy.ci)


def _is(trial: Trial, baseline: Trial) -> bool:
    return trial is baseline or trial.key == baseline.key


def derived_how(*of: Quantity) -> Literal["derived", "estimated", "simulated"]:
    """How a number computed from these was obtained: as the least sure of them."""
    found = {q.how for q in of}
    return "simulated" if "simulated" in found else "estimated" if "estimated" in found else "derived"
