"""The verbs. Each takes nouns and returns the next noun; it changes nothing it was given.

model = load("yolov8n.onnx", "coco_calib/")
small = compress(model, "int8", "coco_calib/")
print(measure(small.model, "coco_eval/", baseline=model).value("map50_95"))

Where a model or images are taken, their path will do. `progress`: None shows bars in a terminal or notebook
and nothing elsewhere; `paredown.protocols.silent` shows nothing. An argument of a wrong type is a UsageError.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from paredown import data
from paredown._compress.compress import RECIPE_KEY
from paredown._compress.compress import compress as apply_recipe
from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Compressed, Context, Recipe
from paredown._compress.size import at_recipe_size
from paredown._measure.align import align
from paredown._measure.compare import Comparison
from paredown._measure.compare import compare as compare_predictions
from paredown._measure.doctor import made_for_another
from paredown._measure.energy.power import PowerFrom
from paredown._measure.feeding.card_choice import CardChoice
from paredown._measure.feeding.probe import untried
from paredown._measure.feeding.reading import check_card
from paredown._measure.timing.latency import without_baseline
from paredown._report import write_report
from paredown.card import Card
from paredown.checking import checked
from paredown.deploy import BUNDLE, write_bundle
from paredown.differences import Pair, differing_pairs
from paredown.errors import UnknownName, UsageError
from paredown.families.cards import read_card
from paredown.families.hints import Hints, recognise_file
from paredown.files import check_directory, check_named
from paredown.graph.inspect import Inspection
from paredown.graph.inspect import inspect as inspect_graph
from paredown.graph.precision import require_float
from paredown.graph.prepare import frozen_sizes, prepare
from paredown.hosts import open_host
from paredown.inputs import ImagesLike, ModelLike, as_dataset, as_model, read_model
from paredown.job import Outcome, asked_in, judge, run, weigh_cards
from paredown.measurement import Doubt, Measurement, StepRecord
from paredown.metrics import kind_of
from paredown.model import Model
from paredown.progress import default_voice
from paredown.protocols import Progress
from paredown.report_data import read_story
from paredown.sample import Dataset
from paredown.study.bench import TIMED, WHAT, Bench, FedImages
from paredown.study.choosing import choosing_images, judge_on, learning_images
from paredown.study.crops import crops
from paredown.study.images import check_learns, read_images
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
def load(
    path: str | Path,
    images: ImagesLike | None = None,
    *,
    family: str | None = None,
    card: str | Path | None = None,
    scale: str | None = None,
    colour: str | None = None,
    fit: str | None = None,
    decode: str | Path | None = None,
    progress: Progress | None = None,
) -> Model:
    """The model in an ONNX file. With `images` it carries its card: how to feed it and read its answer.

    scale, colour, fit: as --scale, --colour and --fit on the command line ("imagenet", "bgr", "letterbox").
    decode: a Python file that reads the model's answer (docs/unknown_model.md).

    Raises ModelError where the file is no usable model, CardError where no family fits, several do, or
    nothing tells how the model is fed.
    """
    file, progress = Path(path), _shown(progress)
    model = read_model(file)
    if images is None and card is None:
        return model
    if images is None:
        return model.with_card(read_card(Path(card or ""), model))
    hints, tried_on = Hints(family, card, scale, colour, fit, decode), as_dataset(images, progress)
    choice = weigh_cards(model, file, tried_on, find_target("local"), hints, progress)
    return model.with_card(choice.settled())


def choose(
    model: Model, file: Path, hints: Hints, images: Dataset | None = None, progress: Progress | None = None
) -> CardChoice:
    """How the model is fed, decided or not; without images nothing is tried. Raises CardError."""
    if images is None:
        match = recognise_file(model, file, hints).best()
        return untried(match, match.cards[0], "no images were given")
    return weigh_cards(model, file, images, find_target("local"), hints, _shown(progress))


@checked
def read_dataset(
    spec: str | Path,
    *,
    split: str | None = None,
    max_bad: int = 0,
    allow_outside: bool = False,
    progress: Progress | None = None,
) -> Dataset:
    """The images at a path, each decoded once to be sure. The format is found by looking, or said outright.

    allow_outside: the data set may name files outside its own folder, by links, lists or paths.

    Raises DataError, and ImageError where more than `max_bad` images cannot be read.
    """
    given = read_images(str(spec), split=split, allow_outside=allow_outside)
    return data.verify(given, max_bad, _shown(progress))


@checked
def target(name: str = "local", runtime: str = "") -> Target:
    """The device of that name, or of a device's file; runtime: "" is its usual one. Raises UnknownName."""
    return find_target(name, runtime=runtime)


@checked
def inspect(model: ModelLike) -> Inspection:
    """What the model's graph is made of: operations, MACs, weights, peak activation memory, risks."""
    found = as_model(model)
    return inspect_graph(_prepared(found), found)


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
    progress, where = _shown(progress), find_target(target, runtime=runtime)
    wanted = parse_recipe(recipe) if isinstance(recipe, str) else recipe
    if learn_from is not None:
        check_learns([wanted])
    images = as_dataset(images, progress)
    if wanted.steps:
        require_float(as_model(model))
    model = _with_card(model, images, progress)
    card, prepared = _card(model), _prepared(model)
    check_card(card, find_target("local").compile(model.data, threads=threads), images)
    fixed = frozen_sizes(model, prepared)
    prepared = at_recipe_size(prepared.with_card(card), wanted)
    card = _card(prepared)
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
    note = (StepRecord("prepare", "", "note", fixed),) if fixed else ()
    return replace(made, log=(*note, *made.log))


@checked
def measure(
    model: ModelLike,
    images: ImagesLike,
    *,
    baseline: ModelLike | None = None,
    target: str = "local",
    runtime: str = "",
    host: str = "local",
    accuracy_on: Literal["host", "here"] = "host",
    what: Sequence[str] = WHAT,
    threads: int = 0,
    power: PowerFrom | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """Accuracy, latency, CPU use, memory and energy of the model, on the target that the host is.

    runtime: what opens the models, "" is the target's usual one. host: "local", "ssh:user@board".
    accuracy_on: where the models answer for their accuracy; "here" is quicker where the host is small.
    `baseline`: the float model; it gives the paired drop, the fidelity and the ratio of the latencies. Images
    without truth cannot do without it. power: where watts come from, by default the machine's own sensor;
    `absent` of the result says why there are none.
    """
    for name in what:
        if name not in WHAT:
            raise UnknownName("thing to measure", name, WHAT)
    where, progress = find_target(target, open_host(host), runtime), _shown(progress)
    where.version()  # a missing package is said before any work
    if TIMED & set(what):
        where.require_timing()
    images = as_dataset(images, progress)
    model = _with_card(model, images, progress)
    floats = None if baseline is None else as_model(baseline)
    card = _card(model)
    here, watts = accuracy_on == "here", power or PowerFrom()
    bench = Bench(card, align(images, card)[0], where, threads, power=watts, answers_here=here)
    predicted = reference = None
    if "map" in what:
        judges_itself = floats is None and RECIPE_KEY not in model.metadata
        predicted = (bench.ask_reference if judges_itself else bench.predict)(model, progress)
        reference = None if floats is None else bench.ask_reference(floats, progress).predictions
    judged = bench.judge(model, predicted, reference)
    with tempfile.TemporaryDirectory(prefix="paredown-") as folder:
        file, beside = Path(folder, "model.onnx"), Path(folder, "baseline.onnx")
        file.write_bytes(model.data)
        beside.write_bytes((floats or model).data)
        timed = bench.time(model, file, beside, progress, what=what)
    measured = bench.measurement(model, judged, timed)
    warning = made_for_another(model.metadata, where.host.facts())
    if warning is not None and where.runs_here and where.runtime == "onnxruntime":
        doubt = Doubt("target", f"{warning.what}: {warning.why}")
        measured = replace(measured, doubts=(*measured.doubts, doubt))
    if baseline is not None:
        return measured
    own = tuple(q for q in measured.quantities if not kind_of(q.name).against_float)
    return replace(measured, quantities=own, doubts=without_baseline(measured.doubts))


@dataclass(frozen=True)
class Compared:
    """The paired statistics of two models, and the images on which they differ most."""

    statistics: Comparison
    pairs: tuple[Pair, ...]


@checked
def compare(
    a: ModelLike,
    b: ModelLike,
    images: ImagesLike,
    *,
    target: str = "local",
    threads: int = 0,
    progress: Progress | None = None,
) -> Compared:
    """How b differs from a on the same images, and whether that could be chance. Both answer by a's card."""
    progress = _shown(progress)
    images = as_dataset(images, progress)
    a = _with_card(a, images, progress)
    card = _card(a)
    judged, _ = align(images, card)
    bench = Bench(card, judged, find_target(target), threads)
    ask = bench.predict if RECIPE_KEY in a.metadata else bench.ask_reference
    first = ask(a, progress).predictions
    second = bench.predict(as_model(b), progress).predictions
    statistics = compare_predictions(first, second, judged, card)
    return Compared(statistics, tuple(differing_pairs(judged, first, second, card)))


@checked
def report(
    study: str | Path, out: str | Path | None = None, *, layers: str = "", force: bool = False
) -> Path:
    """The report of a study directory, written again from what stands there, also while the study goes on.

    layers: label of the model whose layers are drawn and listed, by default the recommended one. Raises
    UsageError where a file stands at `out`, unless `force`.
    """
    if out is None:
        return write_report(read_story(Path(study), layers), Path(study, "report.html"))
    check_named(Path(out), force=force)
    return write_report(read_story(Path(study), layers), Path(out), force=force)


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
    return write_bundle(model, read_card(directory / "card.toml", model), trial, place, Path(out))


def _with_card(model: ModelLike, images: Dataset, progress: Progress) -> Model:
    """The model itself; or the one in the file of that path, with its card tried on the images."""
    return model if isinstance(model, Model) else load(model, images, progress=progress)


def _shown(progress: Progress | None) -> Progress:
    return default_voice().progress if progress is None else progress


def _card(model: Model) -> Card:
    if model.card is None:
        raise UsageError(
            f"nothing is known yet about how to feed {model.name}",
            hint="load it with images to try that on, load(path, images), or with load(path, card=...)",
        )
    return model.card


def _prepared(model: Model) -> Model:
    return prepare(model, None if model.card is None else model.card.preprocess.size)
