"""What a recipe left float and why: step records, grouped by reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from paredown.measurement import StepRecord


@dataclass(frozen=True)
class Reason:
    """Places that share one action and one reason, in the order of the log."""

    action: str
    why: str
    places: tuple[str, ...]


def by_reason(log: Iterable[StepRecord], actions: tuple[str, ...] = ("float", "skipped")) -> list[Reason]:
    """The reasons for these actions, the one with most places first."""
    groups: dict[tuple[str, str], list[str]] = {}
    for record in log:
        if record.action in actions:
            groups.setdefault((record.action, record.why), []).append(record.where)
    reasons = [Reason(action, why, tuple(w for w in places if w)) for (action, why), places in groups.items()]
    return sorted(reasons, key=lambda r: -len(r.places))


def tally(log: Iterable[StepRecord]) -> dict[str, int]:
    """How many places each action touched; records about the whole graph are not places."""
    counts: dict[str, int] = {}
    for record in log:
        if record.where:
            counts[record.action] = counts.get(record.action, 0) + 1
    return counts
