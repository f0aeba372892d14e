"""Trials that differ in their seed only: mean and spread of what they lose, and which recipes differ.

A seed changes what is drawn for calibration and how a step learns, so the spread over seeds is that of the
method, beside the interval over images, which is that of the data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paredown.analyze.against_float import accuracy_of
from paredown.measurement import Trial
from paredown.statistics.over_trials import PairedTests, Spread, holm, paired_tests, spread


@dataclass(frozen=True)
class Repeat:
    """One recipe in one place over its seeds. values: of the metric that judges, by seed.

    tests: beside the reference on the seeds that both have; None for the reference. corrected: the p-value of
    the paired t-test by Holm's method for all recipes; nan where the seeds are too few.
    """

    label: str
    values: Mapping[int, float]
    spread: Spread
    tests: PairedTests | None = None
    corrected: float = float("nan")


def repeats(trials: Sequence[Trial], reference: Trial | None) -> tuple[Repeat, ...]:
    """Every recipe that was tried with more than one seed, in the order given; empty where none was.

    reference: of the recipe that the others are tested against, as a rule the recommended.
    """
    grouped: dict[Group, dict[int, Trial]] = {}
    for trial in trials:
        if accuracy_of(trial) is not None:
            grouped.setdefault(_group(trial), {})[trial.seed] = trial
    several = {g: _values(seeds) for g, seeds in grouped.items() if len(seeds) > 1}
    mine = None if reference is None else _group(reference)
    against = several.get(mine) if mine is not None else None
    tests = {
        g: None if against is None or g == mine else _tests(against, values) for g, values in several.items()
    }
    p_values = holm([float("nan") if t is None else t.t_test for t in tests.values()])
    return tuple(
        Repeat(_label(grouped[g]), values, spread(list(values.values())), tests[g], p)
        for (g, values), p in zip(several.items(), p_values, strict=True)
    )


Group = tuple[str, str, str, str, object, str]


def _group(trial: Trial) -> Group:
    """What trials share that differ in their seed only."""
    return trial.model, trial.recipe, trial.target, trial.runtime, trial.size, trial.host


def _label(seeds: Mapping[int, Trial]) -> str:
    """The shortest of their labels: that of the first seed as a rule."""
    return min((t.label for t in seeds.values()), key=len)


def _values(seeds: Mapping[int, Trial]) -> dict[int, float]:
    return {seed: q.value for seed, t in seeds.items() if (q := accuracy_of(t)) is not None}


def _tests(a: Mapping[int, float], b: Mapping[int, float]) -> PairedTests | None:
    shared = [seed for seed in a if seed in b]
    return paired_tests([a[s] for s in shared], [b[s] for s in shared]) if shared else None
