"""The Story of a study, read from its directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from paredown._compress.presets import STOCK
from paredown._report.story import Elsewhere, Story
from paredown.analyze.against_float import FLOAT, baseline_of
from paredown.errors import UnknownName
from paredown.measurement import Trial
from paredown.report_data.endurance import read_endurance
from paredown.report_data.facts import read_facts
from paredown.report_data.node_times import read_layers
from paredown.report_data.pictures import read_picture
from paredown.study.best import Verdict, choose_best
from paredown.study.choices import read_choices
from paredown.study.environments import unmatched
from paredown.study.evidence import read_kept
from paredown.study.limits import Limits
from paredown.study.options import Asked
from paredown.study.store import read_apart, read_study, read_trials
from paredown.study.trial_log import read_log


def read_story(
    directory: Path,
    layers_for: str = "",
    *,
    fps: float | None = None,
    weights: Mapping[str, float] | None = None,
) -> Story:
    """The story of a study, also of one that goes on. layers_for: label of the model whose layers are drawn.

    fps: the frame rate that a model must keep up with. weights: objective -> share in the ranking.

    Raises: UsageError where it has not begun yet; UnknownName for a label that no model of it has.
    """
    facts = read_facts(directory)
    trials = sorted(read_trials(directory), key=lambda t: t.recipe != FLOAT)
    study = read_study(directory)
    asked = Asked.parse({k: v for k, v in study.items() if k in ("asked", "limits", "options")})
    verdict = _verdict(trials, asked.limits)
    measured = None if verdict is None else verdict.best.measurement
    best = "" if verdict is None else verdict.best.key
    shown = _layered(trials, layers_for or facts.pictures_of, best, asked_for=bool(layers_for))
    layers, node_times = read_layers(directory, trials, shown, facts.float_layers, facts.node_times)
    left_out = read_choices(directory) if asked.options.runtimes else ()
    known = {*(t.label for t in trials), *(c.label for c in left_out)}
    others = read_apart(directory)
    others = others if asked.options.keep_other else unmatched(others, trials)
    return Story(
        title=facts.title,
        model=facts.model,
        dataset=replace(facts.dataset, digest=str(study.get("settings", {}).get("judged_on", ""))),
        limits=asked.limits,
        verdict=verdict,
        trials=tuple(trials),
        metric=facts.metric,
        command=facts.command,
        environment={} if measured is None else measured.environment,
        classes=facts.classes,
        stock=tuple(t.recipe for t in trials if any(t.recipe.startswith(kind) for kind in STOCK)),
        pictures=tuple(read_picture(directory, i, p) for i, p in enumerate(facts.pictures)),
        pictures_of=facts.pictures_of,
        layers=layers,
        layers_for=layers_for,
        node_times=node_times,
        left_out=left_out,
        doubts=read_log(directory).notes,
        elsewhere=tuple(Elsewhere(a.trials, a.differs) for a in others),
        made_on=facts.made_on,
        endurance=read_endurance(directory),
        directory=directory,
        finished=facts.finished,
        to_come=tuple(p for p in facts.planned if p not in known),
        kept=read_kept(directory, trials),
        fps=asked.options.fps if fps is None else fps,
        weights=weights or {},
    )


def _layered(trials: Sequence[Trial], label: str, otherwise: str, *, asked_for: bool) -> str:
    """The key of the trial whose layers are read first."""
    made = {name: t.key for t in trials if t.model_file is not None for name in (t.key, t.label)}
    if asked_for and label not in made:
        raise UnknownName("model of this study", label, set(made) - {FLOAT})
    return made.get(label, otherwise)


def _verdict(trials: Sequence[Trial], limits: Limits) -> Verdict | None:
    """The verdict over the trials so far; None before the float model was measured."""
    return None if baseline_of(trials) is None else choose_best(trials, limits)
