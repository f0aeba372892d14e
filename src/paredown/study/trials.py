"""The loop of a study: the float model first, then every recipe; each trial is on disk before the next."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from paredown._compress.compress import compress
from paredown._compress.presets import PRESETS, parse_recipe
from paredown._compress.recipe import Compressed, Recipe, require_packages
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
from paredown.protocols import Judge, Progress, silent
from paredown.study.again import made_before
from paredown.study.bench import Bench, Tensors, Untimed, always_timed
from paredown.study.choosing import choosing_images, judge_on, learning_images
from paredown.study.crops import crops
from paredown.study.fingerprints import digest, images_digest, truth_digest
from paredown.study.images import Images
from paredown.study.options import Options
from paredown.study.predictions import load_predictions, predictions_path, save_predictions
from paredown.study.private import Hide
from paredown.study.store import Store
from paredown.study.verdict import FLOAT
from paredown.study.words import figures

Say = Callable[[str], None]


@dataclass(frozen=True)
class Work:
    """One study, ready to start. `model`: the float baseline as loaded; `prepared`: recipes start from it.

    hide: what takes the paths of this machine out of a text that is written (`private.py`).
    """

    model: Model
    prepared: Model
    images: Images
    bench: Bench
    options: Options
    progress: Progress = silent
    say: Say = lambda text: None
    hide: Hide = str

    def settings(self) -> dict[str, object]:
        """What decides the meaning of a number. A directory holds trials of one such setting only."""
        options, card, where = self.options, self.bench.card, self.bench.target
        further = self.images.further
        return {
            "model_sha256": self.model.sha256,
            "card": digest((repr((card.family, card.preprocess, card.classes, card.iou, card.decode)),)),
            "judged_on": images_digest(self.images.judged),
            "truth": truth_digest(self.images.judged),
            "calibrated_on": images_digest(self.images.calibration),
            "learned_from": None if further is None else images_digest(further),
            "target": where.name,
            "profile": digest((repr(where.device),)) if where.own_file else None,
            "threads": options.threads,
            "keep_float": list(options.keep_float),
            "seed": options.seed,
        }


def choose_recipes(names: Sequence[str]) -> dict[str, Recipe]:
    """Recipes by the label that the table shows. A recipe named twice is kept once.

    Raises: UsageError for a name that is no recipe, MissingDependency for a package that one needs.
    """
    recipes = [parse_recipe(name) for name in names]
    for recipe in recipes:
        require_packages(recipe)
    return {label_of(recipe): recipe for recipe in recipes if recipe.steps}  # float is always measured


def label_of(recipe: Recipe) -> str:
    """What the table shows: the preset's name where it has one."""
    presets = {parse_recipe(preset).name: preset for preset in PRESETS}
    return presets.get(recipe.name, recipe.name)


def run_trials(
    work: Work,
    recipes: dict[str, Recipe],
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
    todo = [(label, r) for label, r in recipes.items() if _missing(work, store, label, r)]
    started = time.monotonic()
    for done, (label, recipe) in enumerate(work.progress(todo, "recipes", len(todo))):
        if deadline is not None and time.monotonic() > deadline:
            return tuple(label for label, _ in todo[done:])
        work.say(f"[{done + 1}/{len(todo)}] {label}")
        trial = attempt(work, store, label, recipe, reference)
        trial = replace(trial, origin="search") if label in found else trial
        store.append(trial)
        work.say(f"    {result_line(trial, store)}; {pace(time.monotonic() - started, done + 1, len(todo))}")
    return ()


def result_line(trial: Trial, store: Store) -> str:
    """The figures of a trial beside the float model's, or the first line of what stopped it."""
    if trial.error is not None:
        return f"failed: {trial.error.splitlines()[0]}"
    return figures(trial, next(t for t in store.trials() if t.recipe == FLOAT))


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


def _missing(work: Work, store: Store, label: str, recipe: Recipe) -> bool:
    if store.finished(recipe.name, work.model.sha256, work.bench.target.name, work.options.seed) is None:
        return True
    work.say(f"{label}: measured before, kept")
    return False


def float_trial(work: Work, store: Store) -> list[Prediction]:
    """What the float model says about the judged images, asked now or before."""
    path = predictions_path(store.directory, FLOAT)
    done = store.finished(FLOAT, work.model.sha256, work.bench.target.name, work.options.seed)
    kept = load_predictions(path, len(work.images.judged), work.bench.card.task) if done else None
    if kept is not None:
        work.say("float model: measured before, kept")
        return kept
    work.say("float model")
    predicted = work.bench.ask_reference(work.model, work.progress)
    save_predictions(path, predicted.predictions, work.bench.card.task)
    file = store.directory / store.save_model(work.model.data, FLOAT)
    measured, seconds = work.bench.measure(
        work.model, file, file, predicted, predicted.predictions, work.progress
    )
    trial = _trial(work, FLOAT, FLOAT, file, measurement=measured, seconds=seconds)
    store.append(trial)
    work.say(f"    {figures(trial, trial)}")
    return predicted.predictions


def attempt(
    work: Work,
    store: Store,
    label: str,
    recipe: Recipe,
    reference: list[Prediction],
    untimed: Untimed = always_timed,
) -> Trial:
    """One recipe from start to end; it is not on the disk yet."""
    try:
        return _compress_and_measure(work, store, label, recipe, reference, untimed)
    except StorageError:
        raise
    except Exception as e:  # also a defect in one recipe must not cost the user what the others found
        error = _what_stopped(e)
    return _trial(work, recipe.name, label, None, error=error)


def _what_stopped(error: Exception) -> str:
    """The error of a trial in words."""
    if ran_out_of_memory(error) and not isinstance(error, OutOfMemory):
        return str(OutOfMemory("out of memory", got=first_line(error), hint=MEMORY_HINT))
    if isinstance(error, ParedownError):
        return str(error)
    return f"a defect in paredown: {type(error).__name__}: {error}"


def _compress_and_measure(
    work: Work, store: Store, label: str, recipe: Recipe, reference: list[Prediction], untimed: Untimed
) -> Trial:
    made = _made(work, store, label, recipe)
    predicted = work.bench.predict(made.model, work.progress)
    file = store.directory / store.save_model(made.model.data, label)
    path = predictions_path(store.directory, label)
    save_predictions(path, predicted.predictions, work.bench.card.task)
    baseline = store.directory / "models" / f"{FLOAT}.onnx"
    measured, seconds = work.bench.measure(
        made.model, file, baseline, predicted, reference, work.progress, untimed=untimed
    )
    return _trial(
        work,
        recipe.name,
        label,
        file,
        measurement=measured,
        log=made.log,
        seconds={"compress": made.seconds, **seconds},
    )


def _made(work: Work, store: Store, label: str, recipe: Recipe) -> Compressed:
    """What the recipe makes: made now, or on another machine or runtime where that is the same model."""
    images, card = work.images, work.bench.card
    key = (recipe.name, work.model.sha256, work.bench.target.name, work.options.seed)
    before = made_before(store, key, work.bench.environment())
    if before is not None:
        trial, model = before
        work.say(f"{label}: made before, measured again")
        return Compressed(
            model, trial.source_sha256, recipe, trial.log, float(trial.seconds.get("compress", 0.0))
        )
    return compress(
        work.prepared,
        recipe,
        lambda: Tensors(images.calibration, card),
        work.bench.target.device,
        work.bench.target.policy,
        threads=work.options.threads,
        keep_float=work.options.keep_float,
        seed=work.options.seed,
        progress=work.progress,
        judge=_judge(work),
        time_nodes=work.bench.target.time_nodes(work.options.threads),
        lessons=lambda: Tensors(learning_images(images.given, images.calibration, images.judged), card),
        further=None if images.further is None else partial(crops, images.further, card, work.options.seed),
        folder=store.directory / "learning",
    )


def _judge(work: Work) -> Judge:
    """What a recipe that chooses judges its candidates by: never the images of the verdict."""

    images, bench = work.images, work.bench
    return judge_on(
        lambda: choosing_images(images.given, images.calibration, images.judged),
        work.prepared,
        bench.card,
        bench.target,
        bench.threads,
        work.progress,
    )


def _trial(work: Work, recipe: str, label: str, file: Path | None, **more: object) -> Trial:
    fields: dict[str, object] = {"measurement": None, **more}
    return Trial(
        recipe=recipe,
        label=label,
        source_sha256=work.model.sha256,
        model_file=None if file is None else f"models/{file.name}",
        target=work.bench.target.name,
        seed=work.options.seed,
        **fields,  # type: ignore[arg-type]
    )
