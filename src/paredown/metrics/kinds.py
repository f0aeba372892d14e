"""What is known about a quantity by its name, be it a metric or not."""

from __future__ import annotations

from paredown.agreement import is_agreement
from paredown.metrics.table import METRICS
from paredown.quantities import QUANTITIES, How, QuantityKind

DROP = "_drop"  # behind a metric's name: points of it that are lost against float


def headlines() -> tuple[str, ...]:
    """The metrics that models are judged by, the ones against the truth first."""
    return tuple(sorted((m.name for m in METRICS.values() if m.headline), key=is_agreement))


def headline(task: str, has_truth: bool) -> str:
    """The name of the one metric that judges a model."""
    against = "truth" if has_truth and uses_truth(task) else "reference"
    return next(m.name for m in METRICS.values() if m.headline and (m.task, m.against) == (task, against))


def uses_truth(task: str) -> bool:
    """Whether models of the task can be held against a truth: not where every headline is against float."""
    judges = [m.against for m in METRICS.values() if m.headline and m.task == task]
    return not judges or "truth" in judges


def kind_of(name: str) -> QuantityKind:
    """The row of the quantity; of one that no table knows (an old study's) its name spelled out."""
    if name in QUANTITIES:
        return QUANTITIES[name]
    if name in METRICS:
        return METRICS[name].kind
    metric = METRICS.get(name.removesuffix(DROP))
    if metric is not None:
        return drop_of(metric.kind)
    words = name.removesuffix("_s").removesuffix("_bytes").removesuffix("_percent")
    return QuantityKind(name, words.replace("_", " "))


def drop_of(metric: QuantityKind) -> QuantityKind:
    """Points of the metric that are lost against float."""
    how: tuple[How, ...] = ("derived", "estimated", "simulated")
    return QuantityKind(f"{metric.name}{DROP}", f"{metric.title} lost", "points", "lower", how, metric.places)


def title_of(name: str) -> str:
    """The words shown for a quantity: "mAP50-95", "peak memory"."""
    return kind_of(name).title
