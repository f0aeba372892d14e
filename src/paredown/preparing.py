"""A study made ready: the images chosen, the model read, how it is fed decided."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from paredown._measure.feeding.card_choice import CardChoice
from paredown._measure.feeding.probe import weigh
from paredown.families.hints import Hints, recognise_file
from paredown.graph.prepare import frozen_sizes, prepare
from paredown.graph.single import as_float
from paredown.hosts import open_host
from paredown.inputs import read_model
from paredown.model import Model
from paredown.pictures import contact_sheet
from paredown.preprocessing.values import FED, feeding
from paredown.protocols import Progress, silent
from paredown.sample import Dataset
from paredown.study.bench import Bench
from paredown.study.images import Source, choose_images
from paredown.study.options import Asked, Options
from paredown.study.work import Say, Work
from paredown.targets import Target, target


@dataclass(frozen=True)
class Prepared:
    """A study ready to start. told: what was found out on the way. feeding: a JPEG of what the float model
    finds, fed as decided."""

    work: Work
    told: tuple[str, ...]
    feeding: bytes


def prepare_asked(asked: Asked) -> Prepared:
    """What is asked, made ready in whatever process: plain values in, plain values out."""
    told: list[str] = []
    work = prepare_work(Path(asked.model), asked.data, asked.calib, asked.options, silent, told.append)
    return Prepared(work.sendable(), tuple(told), feeding_picture(work))


def prepare_work(
    file: Path, data: Source, calib: Source | None, options: Options, progress: Progress, say: Say
) -> Work:
    """The work on one model. Raises what reading and recognising it raise."""
    where = target(options.target, open_host(options.host))
    options.power.require_log()
    model = as_float(read_model(file, options.hints))
    images = choose_images(data, calib, options, progress)
    shown = (
        images.judged if images.judged.has_truth and not images.calibration.has_truth else images.calibration
    )
    card = weigh_cards(model, file, shown, where, options.hints, progress).settled()
    say(f"{card.family}, {card.task}: " + "; ".join(f"{k}: {v}" for k, v in card.origin.items() if k != FED))
    say(feeding(card))
    card = options.scope.on(card)
    judged, chosen = options.scope.judged(images.judged, card)  # what was done stands in its notes
    images = replace(images, judged=judged)
    model = model.with_card(card)
    here = options.accuracy_on == "here"
    bench = Bench(
        card,
        judged,
        where,
        options.threads,
        power=options.power,
        answers_here=here,
        classes=chosen,
        timing_s=options.timing_s,
    )
    prepared = prepare(model, card.preprocess.size)
    if fixed := frozen_sizes(model, prepared):
        say(fixed)
    return Work(model, prepared, images, bench, options, progress, say)


def weigh_cards(
    model: Model,
    file: Path,
    images: Dataset,
    where: Target,
    hints: Hints,
    progress: Progress,
) -> CardChoice:
    """How the model is fed, decided or not: what is said goes before what is recognised and tried."""
    found = recognise_file(model, file, hints)
    return weigh(found, where.compile(model.data), images, progress=progress)


def feeding_picture(work: Work) -> bytes:
    """A JPEG of what the float model finds, fed as decided."""
    return contact_sheet(work.bench.target.compile(work.model.data), work.bench.card, work.images.judged)
