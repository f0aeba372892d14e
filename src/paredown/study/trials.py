"""The loop of a study: the float model first, then every recipe; each trial is on disk before the next."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from time import monotonic

from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Compressed, Recipe, require_packages
from paredown.analyze.against_float import FLOAT, baseline_of
from paredown.detections import Prediction
from paredown.errors import (
    MEMORY_HINT,
    OutOfMemory,
    ParedownError,
    StorageError,
    first_line,
    ran_out_of_memory,
)
from paredown.measurement import Trial
from paredown.model import Model
from paredown.study.evidence import save_evidence
from paredown.study.pairs import Pair, label_of
from paredown.study.predictions import load_predictions, predictions_path, save_predictions
from paredown.study.resume import kept_before, made_before
from paredown.study.store import Store
from paredown.study.trial import Judged, Untimed, always_timed, judge, make, time
from paredown.study.words import figures
from paredown.study.work import Work


def choose_recipes(names: Sequence[str]) -> dict[str, Recipe]:
    """Recipes by the label that the table shows. A recipe named twice is kept once.

    Raises: UsageError for a name that is no recipe, MissingDependency for a package that one needs.
    """
    recipes = [parse_recipe(name) for name in names]
    for recipe in recipes:
        require_packages(recipe)
    return {label_of(recipe): recipe for recipe in recipes if recipe.steps}  # float is always measured


def run_trials(
    todo: Sequence[Pair],
    store: Store,
    reference: list[Prediction],
    deadline: float | None,
    found: Collection[str] = (),
) -> tuple[str, ...]:
    """Fills the store; returns the labels that the deadline (of `time.monotonic`) left untried.

    found: the labels among them that a search proposed once.

    A recipe that fails is a trial with its error, and the others go on. Raises StorageError where the disk
    does not take a trial: then nothing more can be kept.
    """
    todo = [pair for pair in todo if _missing(pair, store)]
    started = monotonic()
    for done, pair in enumerate(todo[0].work.progress(todo, "recipes", len(todo)) if todo else ()):
        if deadline is not None and monotonic() > deadline:
            return tuple(p.label for p in todo[done:])
        work, label = pair.work, pair.label
        work.say(f"[{done + 1}/{len(todo)}] {label}")
        trial = attempt(work, store, label, pair.recipe, reference)
        trial = replace(trial, origin="search") if label in found else trial
        store.append(trial)
        work.say(f"    {result_line(trial, store)}; {pace(monotonic() - started, done + 1, len(todo))}")
    return ()


def result_line(trial: Trial, store: Store) -> str:
    """The figures of a trial beside the float model's, or the first line of what stopped it."""
    if trial.error is not None:
        return f"failed: {trial.error.splitlines()[0]}"
    baseline = baseline_of(store.trials())
    return figures(trial, trial if baseline is None else baseline)


def pace(elapsed_s: float, done: int, total: int) -> str:
    """How long the recipes took so far and, as long as those on average, how long the rest will take."""
    left = "" if done == total else f", about {minutes(elapsed_s / done * (total - done))} left"
    return f"{minutes(elapsed_s)} elapsed{left}"


def minutes(seconds: float) -> str:
    """ "45 s", "2:31 min", "1:05 h" """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"


def _missing(pair: Pair, store: Store) -> bool:
    if kept_before(pair, store) is None:
        return True
    pair.work.say(f"{pair.label}: measured before, kept")
    return False


def float_trial(work: Work, store: Store) -> list[Prediction]:
    """What the float model says about the judged images, asked now or before."""
    path, task = predictions_path(store.directory, FLOAT), work.bench.card.task
    done = store.finished(work.key(FLOAT))
    kept = load_predictions(path, len(work.images.judged), task) if done else None
    if kept is not None:
        work.say("float model: measured before, kept")
        return kept
    work.say("float model")
    judged = judge(work, work.model, None)
    trial = _measured(work, store, work.trial(FLOAT, FLOAT), work.model, judged)
    store.append(trial)
    work.say(f"    {figures(trial, trial)}")
    return judged.predictions


def attempt(
    work: Work,
    store: Store,
    label: str,
    recipe: Recipe,
    reference: list[Prediction],
    untimed: Untimed = always_timed,
) -> Trial:
    """One recipe from start to end; it is not on the disk yet."""
    trial = work.trial(recipe.name, label)
    try:
        work = work.sized_for(recipe)
        trial = work.trial(recipe.name, label)
        made = _made_before(work, store, label, recipe) or make(work, recipe, store.directory / "learning")
        judged = judge(work, made.model, reference)
        trial = replace(trial, log=made.log, seconds={"compress": made.seconds})
        return _measured(work, store, trial, made.model, judged, untimed)
    except StorageError:
        raise
    except Exception as e:  # also a defect in one recipe must not cost the user what the others found
        error = what_stopped(e)
    return replace(trial, log=(), seconds={}, error=error)


def _measured(
    work: Work, store: Store, trial: Trial, model: Model, judged: Judged, untimed: Untimed = always_timed
) -> Trial:
    """The trial with its model and predictions on the disk, and with its measurement once it was timed."""
    file = store.directory / store.save_model(model.data, trial.label)
    path = predictions_path(store.directory, trial.label)
    save_predictions(path, judged.predictions, work.bench.card.task)
    save_evidence(store.directory, trial.label, judged.evidence)
    baseline = file if trial.label == FLOAT else store.directory / "models" / f"{FLOAT}.onnx"
    timed = time(work, model, file, baseline, judged, untimed)
    return replace(
        trial,
        model_file=f"models/{file.name}",
        measurement=work.bench.measurement(model, judged.readings, timed),
        seconds={**trial.seconds, **judged.readings.seconds, **timed.seconds},
    )


def _made_before(work: Work, store: Store, label: str, recipe: Recipe) -> Compressed | None:
    """What the recipe made on another machine or runtime, where it would make the same model here."""
    before = made_before(store, work.key(recipe.name), work.bench.environment())
    if before is None:
        return None
    trial, model = before
    work.say(f"{label}: made before, measured again")
    return Compressed(
        model, trial.source_sha256, recipe, trial.log, float(trial.seconds.get("compress", 0.0))
    )


def what_stopped(error: Exception) -> str:
    """The error of a trial in words."""
    if ran_out_of_memory(error) and not isinstance(error, OutOfMemory):
        return str(OutOfMemory("out of memory", got=first_line(error), hint=MEMORY_HINT))
    if isinstance(error, ParedownError):
        return str(error)
    return f"a defect in paredown: {type(error).__name__}: {error}"
