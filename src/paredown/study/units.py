"""The units of a trial, as any process calls them: `trial.py` with plain values going in and coming out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from paredown._compress.kept import Kept
from paredown._compress.recipe import Compressed, Recipe
from paredown._measure.environment import environment
from paredown.detections import Prediction
from paredown.hosts import open_host
from paredown.measurement import Doubt, Readings, Trial
from paredown.model import Model
from paredown.study import trial
from paredown.study.environments import differences
from paredown.study.trial import Judged
from paredown.study.unfinished import Unfinished
from paredown.study.waits import telling_waits
from paredown.study.work import Work

_KEPT: dict[str, Kept] = {}  # of this process: what was found out on the images of its last part


def make(part: str, work: Work, recipe: Recipe, folder: Path) -> Compressed:
    """What the recipe makes. part: whose calibration a process keeps for its next recipe."""
    if part not in _KEPT:
        _KEPT.clear()
        _KEPT[part] = Kept()
    return trial.make(replace(work.sized_for(recipe), kept=_KEPT[part]), recipe, folder)


def judge(
    work: Work,
    reference: list[Prediction] | None,
    recipe: Recipe,
    model: Model,
    facts: Mapping[str, object],
) -> Judged:
    """What the model says. facts: of the machine that times; where this is another, that is a doubt."""
    sized = work.sized_for(recipe)
    judged = trial.judge(sized, model, reference)
    if not sized.bench.target.is_this_machine:
        return judged  # the board answers, or the bench says so
    here = environment(open_host(), sized.bench.usual.used_threads(sized.bench.threads))
    if not (differing := differences(facts, here)):
        return judged
    doubt = Doubt("target", f"accuracy was computed on another machine than latency: {'; '.join(differing)}")
    return replace(judged, readings=replace(judged.readings, doubts=(*judged.readings.doubts, doubt)))


def time(
    work: Work, recipe: Recipe, made: Unfinished, model: Model, file: Path, baseline: Path, note: Path
) -> Trial:
    """The finished trial: the model beside the float model, and what was judged of it. file, baseline: where
    the two stand. note: what says that it waits for another run, while it does."""
    sized = work.sized_for(recipe)
    timed = sized.bench.time(model, file, baseline, telling_waits(note))
    judged = made.readings or Readings()
    return replace(
        sized.trial(made.recipe, made.label),
        model_file=made.model_file,
        measurement=sized.bench.measurement(model, judged, timed),
        log=made.log,
        seconds={**made.seconds, **judged.seconds, **timed.seconds},
    )
