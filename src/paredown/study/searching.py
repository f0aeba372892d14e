"""The search of a study: what it measured so far goes in, the recipes that a search proposes are tried."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from paredown._compress.recipe import Recipe
from paredown.agreement import is_agreement, least_agreement
from paredown.analyze.against_float import FLOAT, accuracy_of, compared, points_lost
from paredown.detections import Prediction
from paredown.errors import UsageError
from paredown.measurement import Quantity, Trial
from paredown.search.propose import Tried, propose, require_optuna
from paredown.search.space import space_for
from paredown.study.limits import DEFAULT_MAX_DROP, Limits
from paredown.study.options import Options
from paredown.study.pairs import label_of
from paredown.study.store import Store
from paredown.study.trial import Untimed
from paredown.study.trials import attempt, result_line
from paredown.study.work import Work

HOPELESS = 5.0  # times the allowed loss: a model that lost more is not timed


def check_search(options: Options) -> None:
    """Nothing, or the error of a search that has no end or no Optuna: said before any work."""
    if options.search is None:
        return
    require_optuna()
    if options.search == 0 and options.budget_s is None:
        raise UsageError(
            "the search has no end",
            hint="say how long, --budget 30m, or how many recipes it may propose, --search 20",
        )


def run_search(
    work: Work,
    store: Store,
    reference: list[Prediction],
    limits: Limits,
    named: Iterable[Recipe],
    deadline: float | None,
) -> tuple[str, ...]:
    """Fills the store until the number asked for or the deadline (of `time.monotonic`); returns its notes.

    `named`: the recipes that were asked for by name. What the search proposed earlier counts.
    """
    space = space_for(work.bench.target.policy, named)
    asked = work.options.search or math.inf
    done = sum(t.origin == "search" for t in store.trials())
    while done < asked and (deadline is None or time.monotonic() <= deadline):
        trials = [t for t in store.trials() if t.runtime == work.bench.target.runtime]
        baseline = next(t for t in trials if t.recipe == FLOAT)
        recipe = propose(space, [tried(t, baseline, limits) for t in trials], work.options.seed)
        if recipe is None:
            return (*_notes(done), "the search has tried every recipe of its space")
        done += 1
        label = label_of(recipe)
        work.say(f"[search {done}] {label}")
        trial = attempt(work, store, label, recipe, reference, hopeless(baseline, limits))
        store.append(replace(trial, origin="search"))
        work.say(f"    {result_line(trial, store)}")
    return _notes(done)


def tried(trial: Trial, baseline: Trial, limits: Limits) -> Tried:
    """What the search learns from a trial. costs: points lost, size over the float model's, latency ratio.

    The ratio is left out where the target cannot be timed here; that of a single model that was not timed is
    the float model's. Points, and times by which latency and size are over their limits, are added up.
    """
    found, accuracy = points_lost(trial, baseline), accuracy_of(trial)
    lost = 0.0 if trial.recipe == FLOAT else None if found is None else found.value
    measured, floats = trial.measurement, baseline.measurement
    if measured is None or floats is None or lost is None or not math.isfinite(lost):
        return Tried(trial.recipe)
    size, whole = (m.value("size_bytes") or 1.0 for m in (measured, floats))  # every trial has one
    costs = [lost, size / whole]
    if floats.value("latency_ratio") is not None:
        costs.append(measured.value("latency_ratio") or 1.0)
    over = 0.0 if accuracy is None else max(lost - limits.allowed(accuracy.name), 0.0)
    for name, most in limits.at_most.items():
        quantity = compared(trial, baseline, name)
        if most and quantity is not None:
            over += max(quantity.value / most - 1, 0.0)
    return Tried(trial.recipe, tuple(costs), over)


def hopeless(baseline: Trial, limits: Limits) -> Untimed:
    """What says of a model that it lost too much to be worth timing."""
    floats = accuracy_of(baseline)
    most = 0.0 if floats is None else HOPELESS * _usual(floats.name, limits)

    def why(quantities: Sequence[Quantity]) -> str:
        mine = next((q for q in quantities if floats is not None and q.name == floats.name), None)
        if mine is None or floats is None:
            return ""
        lost = 100 * (floats.value - mine.value)
        if lost <= most:
            return ""
        if is_agreement(mine.name):
            return f"it agrees with the float model to {100 * mine.value:.0f} % only"
        return f"it loses {lost:.1f} points"

    return why


def _usual(metric: str, limits: Limits) -> float:
    """The loss allowed, or that of the default where less was allowed."""
    default = 100 - least_agreement(metric, DEFAULT_MAX_DROP) if is_agreement(metric) else DEFAULT_MAX_DROP
    return max(limits.allowed(metric), default)


def _notes(done: int) -> tuple[str, ...]:
    if not done:
        return ("no time was left for the search; the same command with more goes on",)
    why = "the best of many looks a little better on the images that chose it than on others"
    return (f"the search proposed {done} of the recipes; {why}",)
