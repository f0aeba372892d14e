"""A trial in three functions: `make` a model, `judge` what it says, `time` it.

Each takes plain values and returns plain values. `make` and `judge` may run in any process, beside others
(`Work.sendable`); only `time` must be alone on the target's host. A step that asks for node times takes the
least of many runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from paredown._compress.compress import compress
from paredown._compress.recipe import Compressed, Context, Recipe
from paredown.analyze.kept import Arrays
from paredown.detections import Prediction
from paredown.measurement import Doubt, Quantity, Readings
from paredown.model import Model
from paredown.study.bench import FedImages
from paredown.study.choosing import choosing_images, judge_on, learning_images
from paredown.study.crops import crops
from paredown.study.evidence import evidence_of
from paredown.study.work import Work

Untimed = Callable[[Sequence[Quantity]], str]
"""untimed(size and accuracy of a model) -> why it need not be timed; "" where it should be."""


def always_timed(quantities: Sequence[Quantity]) -> str:
    """The Untimed that finds no reason."""
    return ""


@dataclass(frozen=True)
class Judged:
    """What a model says about each judged image, how right that is, and what later comparisons need of it."""

    predictions: list[Prediction]
    readings: Readings
    evidence: Arrays


def make(work: Work, recipe: Recipe, folder: Path) -> Compressed:
    """What the recipe makes of the float model. folder: where learning keeps what it has learned so far."""
    images, bench, options = work.images, work.bench, work.options
    card, inputs = bench.card, work.prepared.inputs
    context = Context(
        work.prepared,
        lambda: FedImages(images.calibration, card, inputs),
        bench.target.device,
        bench.target.policy,
        threads=options.threads,
        keep_float=options.keep_float,
        seed=options.seed,
        progress=work.progress,
        judge=judge_on(  # never on the images of the verdict
            lambda: choosing_images(images.given, images.calibration, images.judged),
            work.prepared,
            card,
            bench.target,
            bench.threads,
            work.progress,
            bench.classes,
        ),
        time_nodes=bench.target.time_nodes(options.threads),
        unlabelled=lambda: FedImages(
            learning_images(images.given, images.calibration, images.judged), card, inputs
        ),
        learn_from=None
        if images.learn_from is None
        else partial(crops, images.learn_from, card, inputs, options.seed),
        folder=folder,
        kept=work.kept,
    )
    return compress(recipe, context)


def judge(work: Work, model: Model, reference: list[Prediction] | None) -> Judged:
    """The model on the judged images. reference: what the float model says; None where this is that model."""
    if reference is None:
        predicted = work.bench.ask_reference(model, work.progress)
        reference = predicted.predictions
    else:
        predicted = work.bench.predict(model, work.progress)
    readings = work.bench.judge(model, predicted, reference)
    return Judged(predicted.predictions, readings, evidence_of(work, predicted.predictions, reference))


def time(
    work: Work, model: Model, file: Path, baseline: Path, judged: Judged, untimed: Untimed = always_timed
) -> Readings:
    """The model beside the float model, alone on the target's host; or why it need not be timed.

    file, baseline: where the two stand.
    """
    if why := untimed(judged.readings.quantities):
        return Readings(doubts=(Doubt("untimed", f"not timed: {why}"),))
    return work.bench.time(model, file, baseline, work.progress)
