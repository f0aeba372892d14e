"""Which candidate for which priorities: the trials of one or several models, their front, their ranking.

A candidate is a trial that was measured and judged. What is compared are its objectives: the metric that
judges, latency, file size and, where it was measured, energy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from paredown.analyze.against_float import accuracy_of, compared, points_lost, rounded
from paredown.analyze.pareto import pareto_front
from paredown.analyze.ranking import Ranking, normalised, rank
from paredown.errors import DataError, UnknownName
from paredown.measurement import Quantity, Trial
from paredown.metrics import kind_of
from paredown.quantities import Better

ACCURACY = "accuracy"  # stands for the metric that judges, whatever its name is
OBJECTIVES = (ACCURACY, "latency_s", "size_bytes", "energy_j")
SPELLED = {"accuracy": ACCURACY, "latency": "latency_s", "size": "size_bytes", "energy": "energy_j"}
# Of its own float model's accuracy: one that kept less has fallen apart, and would press all others together
# on a scale from worst to best.
COLLAPSED = 0.75


@dataclass(frozen=True)
class Candidate:
    """A trial that may be chosen. name: unique among all, with the model's in front where there are several.

    baseline: the float model of the same model.
    """

    name: str
    trial: Trial
    baseline: Trial | None

    def get(self, objective: str) -> Quantity | None:
        """The quantity as trials compare by it (`against_float.compared`)."""
        if objective == ACCURACY:
            return accuracy_of(self.trial)
        return compared(self.trial, self.baseline, objective)

    @property
    def is_float(self) -> bool:
        """Whether this is the float model that all of its model are compared with."""
        return self.baseline is not None and self.trial.key == self.baseline.key

    @property
    def lost(self) -> float:
        """Points lost against its own float model, as they are shown; 0 for that itself."""
        lost = None if self.is_float else points_lost(self.trial, self.baseline)
        return 0.0 if lost is None else rounded(lost.value)

    @property
    def kept(self) -> float:
        """The part of its own float model's accuracy that it kept; 1 where that is not known."""
        mine = accuracy_of(self.trial)
        floats = None if self.baseline is None else accuracy_of(self.baseline)
        if mine is None or floats is None or mine.name != floats.name or floats.value <= 0:
            return 1.0
        return mine.value / floats.value


@dataclass(frozen=True)
class Selection:
    """The candidates that have a value in every objective, what is best about each, and who was left out.

    scaled: (n, k) by candidate and objective, 0 the worst and 1 the best. front: indices of those that none
    betters in everything. weights: (k,) shares of the ranking. left_out: why, by name.
    """

    objectives: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    front: tuple[int, ...] = ()
    scaled: tuple[tuple[float, ...], ...] = ()
    ranking: Ranking = field(default_factory=lambda: Ranking((), (), ()))
    weights: tuple[float, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def ranked(self) -> tuple[Candidate, ...]:
        """The best first."""
        return tuple(self.candidates[i] for i in self.ranking.order)


def candidates(
    of_models: Mapping[str, tuple[Sequence[Trial], Trial | None]], *, several: bool | None = None
) -> tuple[Candidate, ...]:
    """Every judged trial: model -> its trials and its float model. Names carry the model where there are
    several, here or, as `several` says, beside these."""
    several = len(of_models) > 1 if several is None else several
    return tuple(
        Candidate(f"{model} {t.label}" if several else t.label, t, baseline)
        for model, (trials, baseline) in of_models.items()
        for t in trials
        if accuracy_of(t) is not None
    )


def select(given: Sequence[Candidate], weights: Mapping[str, float] | None = None) -> Selection:
    """Front and ranking of the candidates.

    An objective counts where every float model has a value in it. weights: objective -> share, by default
    equal ones; what is not named counts nothing.

    Raises: UnknownName for a weight of no objective, DataError where weights are no positive shares.
    """
    objectives = _counted(given)
    shares = _shares(objectives, weights)
    left_out, kept = dict[str, str](), list[Candidate]()
    for candidate in given:
        why = _unfit(candidate, objectives)
        if why:
            left_out[candidate.name] = why
        else:
            kept.append(candidate)
    if not kept or not objectives:
        return Selection(objectives, tuple(kept), left_out=left_out, weights=shares)
    points = [[_value(c, name) for name in objectives] for c in kept]
    better = [better_of(name) for name in objectives]
    scaled = normalised(points, better)
    return Selection(
        objectives=objectives,
        candidates=tuple(kept),
        front=pareto_front(points, better),
        scaled=tuple(tuple(float(v) for v in line) for line in scaled),
        ranking=rank(points, better, shares),
        weights=shares,
        left_out=left_out,
    )


def better_of(objective: str) -> Better:
    """Which end of an objective is the good one."""
    return "higher" if objective == ACCURACY else kind_of(objective).better


def _counted(given: Sequence[Candidate]) -> tuple[str, ...]:
    """The objectives that every float model has a value in; of all where there is no float model."""
    floats = [c for c in given if c.is_float] or [*given]
    return tuple(name for name in OBJECTIVES if floats and all(c.get(name) is not None for c in floats))


def _shares(objectives: Iterable[str], weights: Mapping[str, float] | None) -> tuple[float, ...]:
    objectives = tuple(objectives)
    if weights is None:
        return tuple(1 / len(objectives) for _ in objectives)
    for name in weights:
        if name not in objectives:
            spelled = {word for word, objective in SPELLED.items() if objective in objectives}
            raise UnknownName("objective of this study", name, spelled)
    given = [float(weights.get(name, 0.0)) for name in objectives]
    if min(given, default=0.0) < 0 or not sum(given) > 0:
        raise DataError("weights must be shares of zero or more, one of them more", got=dict(weights))
    return tuple(w / sum(given) for w in given)


def _unfit(candidate: Candidate, objectives: Sequence[str]) -> str:
    """Why it cannot be ranked; "" where it can."""
    lacking = [name for name in objectives if candidate.get(name) is None]
    if lacking:
        return f"it has no {' and no '.join(title(name) for name in lacking)}"
    if candidate.kept < COLLAPSED:
        return f"it kept {100 * candidate.kept:.0f} % of its float model's accuracy"
    return ""


def title(objective: str) -> str:
    """ "latency", "file size"; "accuracy" where it stands for whatever judges."""
    return ACCURACY if objective == ACCURACY else kind_of(objective).title


def _value(candidate: Candidate, objective: str) -> float:
    found = candidate.get(objective)
    return float("nan") if found is None else found.value
