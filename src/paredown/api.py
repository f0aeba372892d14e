"""The verbs. Each takes nouns and returns the next noun; it changes nothing it was given.

model = load("yolov8n.onnx", "coco_calib/")
small = compress(model, "int8", "coco_calib/")
print(measure(small.model, "coco_eval/", baseline=model).value("map50_95"))

Where a model or images are taken, their path will do. `progress`: None shows bars in a terminal or notebook
and nothing elsewhere; `paredown.protocols.silent` shows nothing. An argument of a wrong type is a UsageError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from paredown._compress.compress import compress as apply_recipe
from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Compressed, Context, Recipe
from paredown._compress.size import at_recipe_size
from paredown._measure.feeding.reading import check_card
from paredown._measure.lost_answer import lost_answer
from paredown._report import write_pages, write_report
from paredown._report.several.page import write_index_pages
from paredown.checking import checked
from paredown.deploy import BUNDLE, write_bundle
from paredown.errors import UnknownName, UsageError
from paredown.families.cards import read_card
from paredown.files import check_directory, check_named
from paredown.graph.inspect import Inspection
from paredown.graph.inspect import inspect as inspect_graph
from paredown.graph.precision import require_unquantized
from paredown.graph.prepare import frozen_sizes
from paredown.graph.single import as_float
from paredown.inputs import ImagesLike, ModelLike, as_dataset, as_model
from paredown.job import Outcome, asked_in, judge, run
from paredown.loading import card_of, choose, load, load_unread, prepared_of, read_dataset, shown
from paredown.measurement import StepRecord
from paredown.measuring import Compared, compare, measure
from paredown.model import Model
from paredown.protocols import Progress
from paredown.report_data import read_stories, read_story
from paredown.report_data.facts import read_facts
from paredown.study.bench import WHAT, FedImages
from paredown.study.choosing import choosing_images, judge_on, learning_images
from paredown.study.crops import crops
from paredown.study.images import check_learns
from paredown.study.index import is_index
from paredown.study.limits import Limits
from paredown.study.options import CALIBRATION_IMAGES
from paredown.study.store import model_of
from paredown.targets import Target
from paredown.targets import target as find_target
from paredown.tasks import headline

__all__ = [
    "CALIBRATION_IMAGES",
    "WHAT",
    "Compared",
    "Outcome",
    "bundle",
    "choose",
    "compare",
    "compress",
    "inspect",
    "load",
    "measure",
    "read_dataset",
    "report",
    "run",
    "target",
]


@checked
def target(name: str = "local", runtime: str = "") -> Target:
    """The device of that name, or of a device's file; runtime: "" is its usual one. Raises UnknownName."""
    return find_target(name, runtime=runtime)


@checked
def inspect(model: ModelLike) -> Inspection:
    """What the model's graph is made of: operations, MACs, weights, peak activation memory, risks."""
    found = as_model(model)
    return inspect_graph(prepared_of(found), found)


@checked
def compress(
    model: ModelLike,
    recipe: str | Recipe,
    images: ImagesLike,
    *,
    target: str = "local",
    runtime: str = "",
    threads: int = 0,
    keep_float: Sequence[str] = (),
    seed: int = 0,
    limits: Limits | None = None,
    choose_on: ImagesLike | None = None,
    learn_from: ImagesLike | None = None,
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> Compressed:
    """The model after one recipe, calibrated on `images`. A `Model` must carry a card (see `load`).

    runtime: what opens the result, "" is the target's usual one; integers go where that computes in them.
    limits: for steps that choose by them. choose_on: more images; a step that chooses judges its candidates
    on them (where there are few or none, on those of `images` as well), a step that learns learns from both.
    learn_from: images of anything, from whose crops a step that learns learns as well (`study/crops.py`).
    folder: where a step that learns keeps what it needs to go on after a stop.
    """
    progress, where = shown(progress), find_target(target, runtime=runtime)
    wanted = parse_recipe(recipe) if isinstance(recipe, str) else recipe
    if learn_from is not None:
        check_learns([wanted])
    images = as_dataset(images, progress)
    if wanted.steps:
        require_unquantized(as_model(model))
    model, unread = (model, "") if isinstance(model, Model) else load_unread(model, images, progress=progress)
    model = as_float(model) if wanted.steps else model
    card, prepared = card_of(model), prepared_of(model)
    check_card(card, find_target("local").compile(model.data, threads=threads), images)
    fixed = frozen_sizes(model, prepared)
    prepared = at_recipe_size(prepared.with_card(card), wanted)
    card = card_of(prepared)
    more = images if choose_on is None else as_dataset(choose_on, progress)
    unlabelled = None if learn_from is None else as_dataset(learn_from, progress)
    if limits is not None:
        limits.check(headline(card.task, more.has_truth))
    context = Context(
        prepared,
        lambda: FedImages(images, card, prepared.inputs),
        where.device,
        where.policy,
        threads=threads,
        keep_float=tuple(keep_float),
        seed=seed,
        progress=progress,
        judge=judge_on(lambda: choosing_images(more, images), prepared, card, where, threads, progress),
        time_nodes=where.time_nodes(threads),
        unlabelled=lambda: FedImages(learning_images(more, images), card, prepared.inputs),
        learn_from=None if unlabelled is None else partial(crops, unlabelled, card, prepared.inputs, seed),
        folder=None if folder is None else Path(folder),
    )
    made = apply_recipe(wanted if limits is None else limits.on(wanted), context)
    left = (
        lost_answer(prepared, made.model, images, card, find_target("local"), threads) if wanted.steps else ""
    )
    notes = tuple(StepRecord("prepare", "", "note", text) for text in (unread, fixed) if text)
    ends = (StepRecord("check", "", "note", left),) if left else ()
    return replace(made, log=(*notes, *made.log, *ends))


@checked
def report(
    study: str | Path,
    out: str | Path | None = None,
    *,
    layers: str = "",
    fps: float | None = None,
    weights: Mapping[str, float] | None = None,
    force: bool = False,
) -> Path:
    """The report of a study directory, written again from what stands there, also while the study goes on.

    Of a study of several models: the page over all, and that of each part. out: by default report.html in
    the directory, with summary.md and trials.csv beside it. layers: label of
    the model whose layers are drawn and listed, by default the recommended one. fps: the frame rate that a
    model must keep up with. weights: of "accuracy", "latency_s", "size_bytes", "energy_j" in the ranking.
    Raises UsageError where a file stands at `out`, unless `force`.
    """
    directory = Path(study)
    if out is not None:
        check_named(Path(out), force=force)
    if is_index(directory):
        return _report_over_parts(directory, out, layers, fps, weights)
    story = read_story(directory, layers, fps=fps, weights=weights)
    return write_pages(story, directory) if out is None else write_report(story, Path(out), force=force)


def _report_over_parts(
    directory: Path,
    out: str | Path | None,
    layers: str,
    fps: float | None,
    weights: Mapping[str, float] | None,
) -> Path:
    """The page over all parts, and the parts' own, which it leads to."""
    if out is not None or layers:
        raise UsageError(
            "a study of several models has a page for each beside that over all: they stay in its directory",
            got="--out" if out is not None else "--layers",
            hint=f"`paredown report` of one part takes both: {directory / 'models'}/...",
        )
    stories = read_stories(directory, fps=fps, weights=weights)
    for label, story in stories.parts.items():
        write_pages(story, next(directory / e.folder for e in stories.index.entries if e.label == label))
    return write_index_pages(stories, directory)


@checked
def bundle(study: str | Path, out: str | Path, recipe: str | None = None, *, force: bool = False) -> Path:
    """The directory to ship: of the best model of a study, or of the one with that recipe or label. Raises
    UsageError where `out` holds something that is no bundle, unless `force`."""
    directory = Path(study)
    check_directory(Path(out), BUNDLE, force=force)
    trials, verdict = judge(directory)
    shippable = {name: t for t in trials if t.model_file is not None for name in (t.key, t.label)}
    if recipe is not None and recipe not in shippable:
        raise UnknownName("trial of this study", recipe, {t.label for t in shippable.values()})
    trial = verdict.best if recipe is None else shippable[recipe]
    model = model_of(directory, trial)
    place = find_target(asked_in(directory).options.target, runtime=trial.runtime)
    card, facts = read_card(directory / "card.toml", model), read_facts(directory)
    judged_on = f"{facts.dataset.name}, {facts.dataset.images} images"
    name = facts.model.name
    return write_bundle(
        model,
        card,
        trial,
        place,
        Path(out),
        source_name=name,
        judged_on=judged_on,
        classes=facts.dataset.judged_classes,
    )
