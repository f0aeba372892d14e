"""The words of a verdict: headline, reasons and short phrases, each with the figures of `against_float`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from paredown.agreement import is_agreement
from paredown.analyze.against_float import (
    SAME,
    Speed,
    accuracy_of,
    bounds,
    points_lost,
    ratio_of,
    rounded,
    speed_of,
)
from paredown.measurement import Quantity, Trial
from paredown.metrics import headlines, title_of
from paredown.quantities import QUANTITIES, UNITS, in_unit
from paredown.study.limits import Limits, in_points

TIMES = "\u00d7"


def headline(best: Trial, baseline: Trial) -> str:
    """ "Use int8: 2.0x faster, 3.6x smaller, 0.40 points lost" """
    if best is baseline:
        return "Keep the float model"
    parts = [
        speed_phrase(speed_of(best, baseline)),
        _size_phrase(best, baseline),
        lost_phrase(best, baseline),
    ]
    said = ", ".join(part for part in parts if part)
    return f"Use {best.label}: {said}" if said else f"Use {best.label}"


def reasons(
    best: Trial, baseline: Trial, others: Sequence[Trial], limits: Limits, met: bool, why: str
) -> tuple[str, ...]:
    """The figures of the best model, what decided, and the limits; of the nearest one where float is kept."""
    accuracy = accuracy_of(baseline)
    said = ", ".join(asked(headlines()[0] if accuracy is None else accuracy.name, limits))
    kept = f"Limits: {said}" if met else f"The limits are not met: {said}"
    if best is not baseline:
        parts = [*_figures(best, baseline, limits), why, kept]
        return tuple(part for part in parts if part)
    measured = [t for t in others if t.measurement is not None]
    if not measured:
        return ("Every recipe failed" if others else "Nothing else was tried", kept)
    near = min(measured, key=lambda t: _badness(t, baseline, limits))
    nearest = f"The nearest is {near.label}"
    found = _figures(near, baseline, limits)
    return ("No compressed model is better within the limits", nearest, *(f for f in found if f), kept)


def _figures(trial: Trial, baseline: Trial, limits: Limits) -> list[str]:
    """One sentence each; "" for what was not measured."""
    own = (_accuracy(trial, baseline), _gain(trial), _latency(trial, baseline), _size(trial, baseline))
    return [*own, *_limited(trial, baseline, limits)]


def _gain(trial: Trial) -> str:
    """What a gain over float says of the float model; "" where there is none beyond chance."""
    doubts = () if trial.measurement is None else trial.measurement.doubts
    if not any(d.kind == "gain" for d in doubts):
        return ""
    return (
        "That is a gain by more than chance, which compression does not bring: the float model is probably "
        "read or fed wrongly, or nothing takes out its doubles (`paredown inspect MODEL --data DATA --out "
        "DIR` draws what it finds)"
    )


def figures(trial: Trial, baseline: Trial) -> str:
    """In one line: "mAP50-95 0.4104 (0.40 points lost), 31.2 ms beside float's 62.4 ms (0.50 of float), 3.5
    MB (0.27 of float)"; of the float model itself without the comparisons."""
    alone = trial.key == baseline.key
    parts = []
    accuracy, size = accuracy_of(trial), _value(trial, "size_bytes")
    if accuracy is not None and is_agreement(accuracy.name):
        parts.append("" if alone else lost_phrase(trial, baseline))
    elif accuracy is not None:
        change = "" if alone else f" ({lost_phrase(trial, baseline)})"
        parts.append(f"{metric_title(accuracy.name)} {accuracy.value:.4f}{change}")
    latency, beside, ratio = _value(trial, "latency_s"), _value(trial, "float_latency_s"), ratio_of(trial)
    if latency is not None:
        compared = "" if beside is None or alone else f" beside float's {in_unit(beside, 's', '.1f')}"
        times = "" if ratio is None or alone else f" ({ratio.value:.2f} of float{_interval(ratio)})"
        parts.append(f"{in_unit(latency, 's', '.1f')}{compared}{times}")
    if size is not None:
        floats = _value(baseline, "size_bytes")
        parts.append(
            in_unit(size, "bytes", ".1f")
            + ("" if alone or not floats else f" ({size / floats:.2f} of float)")
        )
    return ", ".join(part for part in parts if part)


def speed_phrase(speed: Speed | None) -> str:
    """ "2.0x faster", "about as fast"; "" where the model was not timed."""
    if speed is None:
        return ""
    ratio = speed.ratio.value
    if not speed.fit:
        return "no claim about speed (the machine was not fit to time on)"
    if speed.found == "not told apart":
        return "speed not told apart from float"
    if speed.found == "about as fast" or ratio <= 0:
        return "about as fast"
    return f"{max(ratio, 1 / ratio):.1f}{TIMES} {speed.found}"


def lost_phrase(trial: Trial, baseline: Trial) -> str:
    """ "0.40 points lost"; "94.20 % agreement with the float model" where there is no truth."""
    accuracy, lost = accuracy_of(trial), points_lost(trial, baseline)
    if accuracy is None or lost is None:
        return ""
    if is_agreement(accuracy.name):
        return f"{rounded(100 * accuracy.value):.2f} % agreement with the float model"
    return points_phrase(lost.value)


def points_phrase(points: float) -> str:
    """ "0.40 points lost" or "0.12 points gained" """
    shown = rounded(points)
    return f"{abs(shown):.2f} points {'lost' if shown >= 0 else 'gained'}"


def decided(pool: int, fast: int, near: int, small: int, speed_known: bool) -> str:
    """What decided, by how many were left at each stage: of the pool, as fast, losing as little, as small."""
    if pool == 1:
        return ""
    if fast == 1:
        return f"It is the fastest of the {pool} that keep to the limits"
    may = "may be as fast" if speed_known else "keep to the limits"
    if near == 1:
        return f"It loses least of the {fast} that {may}"
    if small < near:
        return f"Its file is the smallest of the {near} that {may} and lose as little"
    return f"It loses least of the {near} that {may} and whose files are as small"


def passed_over(smaller: Trial, size_bytes: float, more: float) -> str:
    """The smallest file of those as fast, and what it would cost."""
    accuracy = accuracy_of(smaller)
    agreement = accuracy is not None and is_agreement(accuracy.name)
    cost = f"agrees {more:.2f} % less" if agreement else f"loses {more:.2f} points more"
    return f"{smaller.label} is smaller, {in_unit(size_bytes, 'bytes', '.1f')}, and {cost}"


def looked_faster(trials: Sequence[Trial]) -> str:
    """What was timed faster than the best while no timing could be believed."""
    said = ", ".join(f"{t.label} ({r.value:.2f} of float)" for t in trials if (r := ratio_of(t)) is not None)
    return f"Timed as faster, but while the machine was not fit for that: {said}; worth timing again"


def less_good(trial: Trial, baseline: Trial, loses_more: bool) -> str:
    """Why a candidate that may be as fast is not the best; of its speed only what is known."""
    accuracy, speed = accuracy_of(trial), speed_of(trial, baseline)
    agreement = accuracy is not None and is_agreement(accuracy.name)
    why = "larger" if not loses_more else "agrees less" if agreement else "loses more"
    why += " than the best"
    return f"as fast, {why}" if speed is not None and speed.known else why


def is_less(trial: Trial, baseline: Trial, name: str) -> bool:
    """Whether the quantity is smaller than float's by more than what counts as the same."""
    mine, floats = _value(trial, name), _value(baseline, name)
    return mine is not None and floats is not None and mine < (1 - SAME) * floats


def metric_title(name: str) -> str:
    """How an accuracy metric is written for people: "mAP50-95"; against float's answers it is agreement."""
    if is_agreement(name):
        return "agreement"
    return title_of(name)


def _size_phrase(best: Trial, baseline: Trial) -> str:
    size, float_size = _value(best, "size_bytes"), _value(baseline, "size_bytes")
    if not size or not float_size:
        return ""
    times = f"{max(size / float_size, float_size / size):.1f}"
    return "" if times == "1.0" else f"{times}{TIMES} {'smaller' if size <= float_size else 'larger'}"


def _accuracy(trial: Trial, baseline: Trial) -> str:
    """ "mAP50-95 0.4104, float 0.4144: 0.40 points lost, 95 % CI 0.12..0.71" """
    accuracy, floats, lost = accuracy_of(trial), accuracy_of(baseline), points_lost(trial, baseline)
    if accuracy is None or floats is None or lost is None:
        return ""
    said = lost_phrase(trial, baseline)
    if is_agreement(accuracy.name):
        shown = accuracy if accuracy.low is None else _percent(accuracy)
        return f"{_upper(said)}{_interval(shown)} (there is no truth)"
    before = f"{metric_title(accuracy.name)} {accuracy.value:.4f}, float {floats.value:.4f}"
    return f"{before}: {said}{_interval(_as_said(lost))}"


def _as_said(lost: Quantity) -> Quantity:
    """The points lost; where the words say "gained", the points gained, so that the interval fits."""
    if rounded(lost.value) >= 0 or lost.low is None or lost.high is None:
        return lost
    return replace(lost, value=-lost.value, low=-lost.high, high=-lost.low)


def _latency(trial: Trial, baseline: Trial) -> str:
    """The two latencies of the same rounds, their ratio, and what it says."""
    speed, latency = speed_of(trial, baseline), _value(trial, "latency_s")
    if speed is None or latency is None:
        return ""
    beside = _value(trial, "float_latency_s")
    ms = in_unit(latency, "s", ".1f")
    ms += "" if beside is None else f" beside {in_unit(beside, 's', '.1f')} of float in the same rounds"
    ratio = f"{speed.ratio.value:.2f} of float round by round{_interval(speed.ratio)}"
    if not speed.fit:
        return f"{ms}, {ratio}, but the machine was not fit to time on, so the speed is no reason"
    if not speed.known:
        return f"{ms}, {ratio}: not told apart, so the speed is no reason"
    return f"{ms}, {ratio}: {speed.found}"


def _size(trial: Trial, baseline: Trial) -> str:
    size, float_size = _value(trial, "size_bytes"), _value(baseline, "size_bytes")
    if size is None or not float_size:
        return ""
    return f"File of {in_unit(size, 'bytes', '.1f')}, {size / float_size:.2f} of float"


def asked(name: str, limits: Limits) -> tuple[str, ...]:
    """The limits in words, the one on what may be lost first. name: of the metric that judges."""
    allowed, default = limits.allowed(name), "" if limits.asked(name) is not None else " (the default)"
    if is_agreement(name):
        parts = [f"at least {100 - allowed:g} % agreement with the float model{default}"]
        if limits.max_drop is not None:  # a study from before this was refused
            parts[0] += f", not {in_points(limits.max_drop)}, which cannot be counted without truth"
    else:
        parts = [f"at most {in_points(allowed)} lost{default}"]
    parts += [_at_most(name, most) for name, most in limits.at_most.items()]
    return tuple(parts)


def _at_most(name: str, most: float) -> str:
    """ "at most 33 ms"; with the quantity's name where the unit does not say it."""
    kind = QUANTITIES[name]
    of = "" if name in ("latency_s", "size_bytes") else f" of {kind.title}"
    return f"at most {in_unit(most, kind.unit)}{of}"


def _limited(trial: Trial, baseline: Trial, limits: Limits) -> list[str]:
    """The other quantities that a limit was asked for: "Energy 0.412 J, 0.50 of float"."""
    said = []
    for name in limits.more:
        kind, value, floats = QUANTITIES[name], _value(trial, name), _value(baseline, name)
        if value is not None:
            beside = f", {value / floats:.2f} of float" if floats else ""
            shown = in_unit(value, kind.unit, f".{UNITS[kind.unit].decimals}f")
            said.append(f"{_upper(kind.title)} {shown}{beside}")
    return said


def _badness(trial: Trial, baseline: Trial, limits: Limits) -> tuple[float, float]:
    """Order of the candidates that were turned down: least over the allowed loss first, then the fastest."""
    lost, ratio, accuracy = points_lost(trial, baseline), ratio_of(trial), accuracy_of(trial)
    if lost is None or accuracy is None or lost.value != lost.value:
        over = float("inf")
    else:
        over = max(rounded(lost.value) - limits.allowed(accuracy.name), 0.0)
    return over, float("inf") if ratio is None else ratio.value


def _percent(quantity: Quantity) -> Quantity:
    low, high = (None if end is None else 100 * end for end in (quantity.low, quantity.high))
    return Quantity(quantity.name, 100 * quantity.value, "%", quantity.better, low=low, high=high)


def _interval(quantity: Quantity) -> str:
    """ ", 95 % CI 0.45..0.53"; "" where none was computed."""
    if quantity.low is None or quantity.high is None:
        return ""
    low, high = bounds(quantity)
    return f", 95 % CI {low:z.2f}..{high:z.2f}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _value(trial: Trial, name: str) -> float | None:
    return None if trial.measurement is None else trial.measurement.value(name)
