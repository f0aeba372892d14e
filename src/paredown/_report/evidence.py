"""What a trial's measurement holds for each part of the report: the one place that knows names of quantities
and curves. Everything here gives None or an empty tuple where the trial has no such evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from paredown._report.format import TIMES, shown
from paredown._report.story import Story
from paredown.analyze import against_float
from paredown.analyze.pareto import pareto_front
from paredown.measurement import Quantity, Trial

Role = Literal["plain", "float", "stock", "recommended"]


@dataclass(frozen=True)
class Row:
    """A trial as the report shows it. `role` decides its colour and mark everywhere.

    baseline: the float model, to whose latency all are rescaled: `get("latency_s")` compares with the other
    rows', `timed("latency_s")` is what the clock read.
    """

    trial: Trial
    role: Role
    verdict: str
    baseline: Trial | None = None

    @property
    def label(self) -> str:
        return self.trial.label

    @property
    def is_float(self) -> bool:
        """Whether this is the float model that all are compared with."""
        return self.trial.recipe == "float" if self.baseline is None else self.trial.key == self.baseline.key

    def get(self, name: str) -> Quantity | None:
        return against_float.compared(self.trial, self.baseline, name)

    def timed(self, name: str) -> Quantity | None:
        return None if self.trial.measurement is None else self.trial.measurement.get(name)

    def curve(self, name: str) -> tuple[float, ...]:
        return () if self.trial.measurement is None else tuple(self.trial.measurement.curves.get(name, ()))


def rows(story: Story) -> tuple[Row, ...]:
    """Every trial with its role, in the order they were run."""
    baseline = against_float.baseline_of(story.trials)
    return tuple(Row(t, _role(t, story, baseline), _verdict(t, story), baseline) for t in story.trials)


def _role(trial: Trial, story: Story, baseline: Trial | None) -> Role:
    if trial.key == story.best:
        return "recommended"
    if Row(trial, "plain", "", baseline).is_float:
        return "float"
    return "stock" if trial.recipe in story.stock else "plain"


def _verdict(trial: Trial, story: Story) -> str:
    if trial.error is not None:
        return "failed"
    said = "" if story.verdict is None else story.verdict.remarks.get(trial.key, "")
    if said:
        return said
    return "recommended" if trial.key == story.best else ""


def measured(all_rows: tuple[Row, ...]) -> tuple[Row, ...]:
    return tuple(r for r in all_rows if r.trial.measurement is not None)


def float_row(all_rows: tuple[Row, ...]) -> Row | None:
    return next((r for r in all_rows if r.is_float), None)


def latency_title(all_rows: tuple[Row, ...]) -> str:
    """What the milliseconds of several models are: "latency, ms (ratio × float's 62.1 ms)"."""
    row = float_row(all_rows)
    floats = None if row is None else row.get("latency_s")
    if floats is None:
        return "latency, ms, each as timed"
    return f"latency, ms (ratio {TIMES} float's {shown(floats)})"


def leading(all_rows: tuple[Row, ...], metric: str) -> tuple[Row, ...]:
    """The models that every plot draws: without those of the search that another beats in speed and accuracy.

    A search tries dozens of recipes, and a plot of dozens shows nothing.
    """
    found = [
        (r, x.value, y.value)
        for r in all_rows
        if (x := r.get("latency_s")) is not None and (y := r.get(metric)) is not None
    ]
    front = pareto_front([(x, y) for _, x, y in found], ("lower", "higher"))
    kept = {id(found[i][0]) for i in front}
    return tuple(r for r in all_rows if r.trial.origin == "named" or r.role == "recommended" or id(r) in kept)


def points_lost(row: Row) -> Quantity | None:
    """Points lost against float (`against_float.points_lost`); None for float itself."""
    return None if row.is_float else against_float.points_lost(row.trial, row.baseline)


def unit_note(quantities: list[Quantity]) -> str:
    """How these numbers were obtained: "measured", "measured or derived from that", "estimated, measured"."""
    found = {q.how for q in quantities}
    plain = ", ".join(sorted(found - {"derived"}))
    return plain if "derived" not in found else f"{plain} or derived from that" if plain else "derived"
