"""Which model to ship: the verdict over the trials of a study, and the figures it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from paredown._compress.quantize.mixed import takes_limits, with_limits
from paredown._compress.recipe import Recipe
from paredown.checking import check_fields
from paredown.errors import UsageError
from paredown.measurement import Quantity, Trial

DEFAULT_MAX_DROP = 1.0  # points
FLOAT = "float"  # the recipe name of the untouched model
ACCURACY = ("map50_95", "top1", "fidelity_map50_95", "fidelity_top1")  # the first one present judges

# A latency ratio counts as faster where its 95 % upper bound is below FASTER, and below what the float model
# gets when it is timed against itself, which is the noise. Ratios within SAME count as the same speed.
FASTER = 0.97
SAME = 0.03
SAME_SIZE = 0.10  # per-channel scales make a file a few per cent larger; that is no reason to lose accuracy
SAME_LOSS = 0.10  # of the allowed loss: who allows 1 point does not ask about 0.1 of them


@dataclass(frozen=True)
class Limits:
    """What the result must keep to. None: not asked for (a drop is then held to DEFAULT_MAX_DROP)."""

    max_drop: float | None = None  # points of the accuracy metric: 0.5 means 0.414 -> 0.409
    max_latency_s: float | None = None
    max_size_bytes: int | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("max_drop", "max_latency_s", "max_size_bytes"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise UsageError(f"{name} must not be negative", got=value)

    def on(self, recipe: Recipe) -> Recipe:
        """The recipe with these limits in the steps that choose by limits."""
        return with_limits(recipe, self.max_drop, self.max_latency_s, self.max_size_bytes)

    def taken_by(self, recipe: Recipe) -> bool:
        """Whether some step of the recipe chooses by limits, and by these."""
        return takes_limits(recipe, self.max_drop, self.max_latency_s, self.max_size_bytes)

    @property
    def drop(self) -> float:
        return DEFAULT_MAX_DROP if self.max_drop is None else self.max_drop


@dataclass(frozen=True)
class Verdict:
    """The recommendation. `best` is the float trial where no compressed model brings anything.

    `headline`: what to use, in a few words; `reasons`: the figures and limits behind it, one sentence each.
    `remarks`: one short phrase per recipe name, why it is or is not the best.
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
    baseline = next((t for t in trials if t.recipe == FLOAT and t.measurement is not None), None)
    if baseline is None:
        raise UsageError("the float model has not been measured in this study, so there is no verdict yet")
    others = [t for t in trials if t.recipe != FLOAT]
    remarks = {t.recipe: _against(t, baseline, limits) for t in others}
    within = [t for t in others if not remarks[t.recipe]]
    pool = [t for t in within if not _over(t, limits)]
    if not pool and not _keeps(baseline, limits):  # nothing meets the limits: the nearest that helps
        pool = within
    best, why = _choose(pool, baseline, limits) if pool else (baseline, "")
    for trial in within:
        over = _over(trial, limits)
        remarks[trial.recipe] = "best" if trial is best else over or _behind(trial, best, baseline)
    remarks[FLOAT] = "best" if best is baseline else _over(baseline, limits) or "reference"
    met = _gate_met(best, baseline, others, limits)
    headline, reasons = _words(best, baseline, others, limits, met, why)
    return Verdict(best, baseline, met, headline, reasons, remarks)


def accuracy_of(trial: Trial) -> Quantity | None:
    """The quantity that judges: mAP50-95, top-1, or their fidelity forms where there is no truth."""
    if trial.measurement is None:
        return None
    return next((q for name in ACCURACY if (q := trial.measurement.get(name)) is not None), None)


def points_lost(trial: Trial, baseline: Trial) -> float | None:
    """Points of the accuracy metric below the float model; negative where it gained."""
    mine, floats = accuracy_of(trial), accuracy_of(baseline)
    if mine is None or floats is None or mine.name != floats.name:
        return None
    return 100 * (floats.value - mine.value)


def _against(trial: Trial, baseline: Trial, limits: Limits) -> str:
    """Why the trial can never be the best; "" where it can."""
    if trial.measurement is None:
        return "failed"
    lost = points_lost(trial, baseline)
    if lost is None:
        return "no accuracy measured"
    if not lost <= limits.drop:  # also where it is nan
        return f"loses more than {limits.drop:g}"
    return _useless(trial, baseline, limits)


def _useless(trial: Trial, baseline: Trial, limits: Limits) -> str:
    """Why the trial brings nothing over the float model; "" where it is faster, or smaller at no cost."""
    ratio = _ratio(trial)
    if _is_faster(trial, baseline):
        return ""
    if _is_smaller(trial, baseline) and (
        limits.max_size_bytes is not None or ratio is None or ratio.value <= 1 + SAME
    ):
        return ""
    if ratio is not None and ratio.value > 1 + SAME:
        return "slower than float"
    return "not surely faster, not smaller"


def _is_faster(trial: Trial, baseline: Trial) -> bool:
    ratio, itself = _ratio(trial), _ratio(baseline)
    if ratio is None:
        return False
    noise = 1.0 if itself is None else _lower(itself)
    return (ratio.value if ratio.high is None else ratio.high) < min(FASTER, noise)


def _is_smaller(trial: Trial, baseline: Trial) -> bool:
    size, float_size = _value(trial, "size_bytes"), _value(baseline, "size_bytes")
    return size is not None and float_size is not None and size < (1 - SAME) * float_size


def _over(trial: Trial, limits: Limits) -> str:
    """Which of the asked limits on latency and size the trial breaks; "" where none."""
    latency, size = _value(trial, "latency_s"), _value(trial, "size_bytes")
    if limits.max_latency_s is not None and (latency is None or latency > limits.max_latency_s):
        return f"over {1000 * limits.max_latency_s:g} ms"
    if limits.max_size_bytes is not None and (size is None or size > limits.max_size_bytes):
        return f"over {limits.max_size_bytes / 1e6:g} MB"
    return ""


def _keeps(trial: Trial, limits: Limits) -> bool:
    return not _over(trial, limits)


def _choose(pool: Sequence[Trial], baseline: Trial, limits: Limits) -> tuple[Trial, str]:
    """The fastest; of those that may be as fast, the least loss; of those that lose as little, the smallest.

    A model may be as fast as the fastest where that one's ratio lies in its own confidence interval. Size
    comes last because a limit on it has been kept to already, and without one nobody asked to pay for it in
    accuracy. The text says what decided, and which smaller file was passed over.
    """
    fast = _as_fast(pool)
    least = min(_loss(t, baseline) for t in fast)
    near = [t for t in fast if _loss(t, baseline) <= least + SAME_LOSS * limits.drop]
    sizes = {id(t): s for t in near if (s := _value(t, "size_bytes")) is not None}
    edge = (1 + SAME_SIZE) * min(sizes.values(), default=0.0)
    small = [t for t in near if sizes.get(id(t), float("inf")) <= edge] or near
    best = min(small, key=lambda t: _loss(t, baseline))
    if len(fast) == 1:
        why = f"It is the fastest of the {len(pool)} that keep to the limits" if len(pool) > 1 else ""
    elif len(near) == 1:
        why = f"It loses least of the {len(fast)} that may be as fast"
    elif len(small) < len(near):
        why = f"Its file is the smallest of the {len(near)} that may be as fast and lose as little"
    else:
        why = f"It loses least of the {len(near)} that may be as fast and whose files are as small"
    return best, "; ".join(words for words in (why, _passed_over(best, fast, baseline)) if words)


def _as_fast(pool: Sequence[Trial]) -> list[Trial]:
    """Those that may be as fast as the fastest; all where no ratio was measured."""
    ratios = {id(t): r for t in pool if (r := _ratio(t)) is not None}
    least = min((r.value for r in ratios.values()), default=0.0)
    return [t for t in pool if id(t) in ratios and _lower(ratios[id(t)]) <= (1 + SAME) * least] or [*pool]


def _passed_over(best: Trial, fast: Sequence[Trial], baseline: Trial) -> str:
    """What the smallest file that is as fast would cost, in words; "" where it is the best."""
    size = _value(best, "size_bytes")
    sizes = [(s, t) for t in fast if (s := _value(t, "size_bytes")) is not None]
    if size is None or not sizes:
        return ""
    least, smallest = min(sizes, key=lambda pair: pair[0])
    if least * (1 + SAME_SIZE) >= size:
        return ""
    more = _loss(smallest, baseline) - _loss(best, baseline)
    return f"{smallest.label} is smaller, {least / 1e6:.1f} MB, and loses {more:.2f} points more"


def _loss(trial: Trial, baseline: Trial) -> float:
    """Points lost; a gain counts as no loss, for it is chance."""
    lost = points_lost(trial, baseline)
    return float("inf") if lost is None else max(lost, 0.0)


def _behind(trial: Trial, best: Trial, baseline: Trial) -> str:
    """Why a candidate within every limit is not the best: slower, or as fast but less accurate or larger."""
    mine, its = _ratio(trial), _ratio(best)
    if mine is not None and its is not None and mine.value > (1 + SAME) * its.value:
        return "not the fastest"
    return "as fast, loses more" if _loss(trial, baseline) > _loss(best, baseline) else "as fast, larger"


def _lower(ratio: Quantity) -> float:
    return ratio.value if ratio.low is None else min(ratio.low, ratio.value)


def _gate_met(best: Trial, baseline: Trial, others: Sequence[Trial], limits: Limits) -> bool:
    """Whether every limit that was asked for is met; --max-drop by at least one compressed model."""
    if not _keeps(best, limits):
        return False
    if limits.max_drop is None or not others:
        return True
    losses = [points_lost(t, baseline) for t in others]
    return any(lost is not None and lost <= limits.max_drop for lost in losses)


def _words(
    best: Trial, baseline: Trial, others: Sequence[Trial], limits: Limits, met: bool, why: str
) -> tuple[str, tuple[str, ...]]:
    asked = f"at most {limits.drop:g} points lost" + (" (the default)" if limits.max_drop is None else "")
    if limits.max_latency_s is not None:
        asked += f", at most {1000 * limits.max_latency_s:g} ms"
    if limits.max_size_bytes is not None:
        asked += f", at most {limits.max_size_bytes / 1e6:g} MB"
    kept = f"Limits: {asked}" if met else f"The limits are not met: {asked}"
    if best is not baseline:
        gain = f"It is {_gain(best, baseline)}: {figures(best, baseline)}"
        return f"Use {best.label}", tuple(part for part in (gain, why, kept) if part)
    headline = "Keep the float model"
    measured = [t for t in others if t.measurement is not None]
    if not measured:
        return headline, ("Every recipe failed" if others else "Nothing else was tried", kept)
    near = min(measured, key=lambda t: _badness(t, baseline, limits))
    nearest = f"The nearest, {near.label}, has {figures(near, baseline)}"
    return headline, ("No compressed model is better within the limits", nearest, kept)


def _gain(best: Trial, baseline: Trial) -> str:
    """What the best model brings: "faster and smaller", "smaller at the same speed", ..."""
    ratio = _ratio(best)
    smaller = "smaller" if _is_smaller(best, baseline) else ""
    if _is_faster(best, baseline):
        return f"faster and {smaller}" if smaller else "faster"
    return smaller if ratio is None or ratio.value > 1 + SAME else f"{smaller} at the same speed"


def _badness(trial: Trial, baseline: Trial, limits: Limits) -> tuple[float, float]:
    """Order of the candidates that were turned down: least over the allowed drop first, then the fastest."""
    lost, ratio = points_lost(trial, baseline), _ratio(trial)
    over = float("inf") if lost is None else max(lost - limits.drop, 0.0)
    return over, float("inf") if ratio is None else ratio.value


def figures(trial: Trial, baseline: Trial) -> str:
    """The figures against float: "mAP50-95 0.4104 (0.40 points lost), 31.2 ms (0.50 of float), ...";
    of the float model itself without the brackets."""
    parts = []
    accuracy, lost = accuracy_of(trial), points_lost(trial, baseline)
    if accuracy is not None and lost is not None:
        change = f"{lost:.2f} points lost" if lost >= 0 else f"{-lost:.2f} points gained"
        parts.append((f"{metric_title(accuracy.name)} {accuracy.value:.4f}", change))
    latency, ratio = _value(trial, "latency_s"), _ratio(trial)
    if latency is not None and ratio is not None:
        bounds = "" if ratio.low is None else f", 95 % CI {ratio.low:.2f}..{ratio.high:.2f}"
        parts.append((f"{1000 * latency:.1f} ms", f"{ratio.value:.2f} of float{bounds}"))
    size, float_size = _value(trial, "size_bytes"), _value(baseline, "size_bytes")
    if size is not None and float_size:
        parts.append((f"{size / 1e6:.1f} MB", f"{size / float_size:.2f} of float"))
    alone = trial.recipe == baseline.recipe
    return ", ".join(figure if alone else f"{figure} ({against})" for figure, against in parts)


def metric_title(name: str) -> str:
    """How an accuracy metric is written for people: "mAP50-95"; fidelity is always named so."""
    titles = {"map50_95": "mAP50-95", "top1": "top-1"}
    plain = name.removeprefix("fidelity_")
    title = titles.get(plain, plain)
    return f"fidelity {title}" if plain != name else title


def _ratio(trial: Trial) -> Quantity | None:
    return None if trial.measurement is None else trial.measurement.get("latency_ratio")


def _value(trial: Trial, name: str) -> float | None:
    return None if trial.measurement is None else trial.measurement.value(name)
