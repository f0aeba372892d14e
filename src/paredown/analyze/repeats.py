"""Trials that differ in their seed only: mean and spread of what they lose, and which recipes differ.

A seed changes what is drawn for calibration and how a step learns, so the spread over seeds is that of the
method, beside the interval over images, which is that of the data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from paredown.analyze.against_float import FLOAT, accuracy_of
from paredown.measurement import Trial
from paredown.statistics.over_trials import PairedTests, Spread, holm, paired_tests, spread


@dataclass(frozen=True)
class Repeat:
    """One recipe of a model in one place over its seeds. model: its label in the study. values: of the metric
    that judges, by seed.

    tests: beside the recipe of the same model and place with the best mean, on the seeds that both have; None
    for that one and the float model, which no seed changes. corrected: the p-value of the paired t-test by
    Holm's method for all tests; nan where the seeds are too few.
    """

    model: str
    label: str
    values: Mapping[int, float]
    spread: Spread
    tests: PairedTests | None = None
    corrected: float = float("nan")


Place = tuple[str, str, str, str]  # label of the model, target, runtime, host
Group = tuple[Place, str, object]  # recipe and input size in a place


def repeats(trials: Mapping[str, Sequence[Trial]]) -> tuple[Repeat, ...]:
    """Every recipe that was tried with more than one seed, in the order given; empty where none was.

    trials: of all seeds, by what tells their models apart (two may be of one file).
    """
    grouped: dict[Group, dict[int, Trial]] = {}
    for model, of_model in trials.items():
        for trial in of_model:
            if accuracy_of(trial) is not None:
                grouped.setdefault(_group(model, trial), {})[trial.seed] = trial
    several = {g: _values(seeds) for g, seeds in grouped.items() if len(seeds) > 1}
    made = {g: values for g, values in several.items() if g[1] != FLOAT}
    tests = [_tests(made, group) for group in several]
    p_values = holm([float("nan") if t is None else t.t_test for t in tests])
    return tuple(
        Repeat(group[0][0], _label(grouped[group]), values, spread(list(values.values())), test, p)
        for (group, values), test, p in zip(several.items(), tests, p_values, strict=True)
    )


def _group(model: str, trial: Trial) -> Group:
    """What trials share that differ in their seed only."""
    return (model, trial.target, trial.runtime, trial.host), trial.recipe, trial.size


def _label(seeds: Mapping[int, Trial]) -> str:
    """The shortest of their labels: that of the first seed as a rule."""
    return min((t.label for t in seeds.values()), key=len)


def _values(seeds: Mapping[int, Trial]) -> dict[int, float]:
    return {seed: q.value for seed, t in seeds.items() if (q := accuracy_of(t)) is not None}


def _tests(made: Mapping[Group, Mapping[int, float]], group: Group) -> PairedTests | None:
    """The group beside the best of its place."""
    of_place = {g: v for g, v in made.items() if g[0] == group[0]}
    if group not in of_place:
        return None
    best = max(of_place, key=lambda g: fmean(of_place[g].values()))
    a, b = of_place[best], of_place[group]
    shared = [seed for seed in a if seed in b]
    if group == best or not shared:
        return None
    return paired_tests([a[s] for s in shared], [b[s] for s in shared])
