"""The images that candidates are chosen on: those of the calibration set that calibrate nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from paredown import data
from paredown._measure.judge import ImageJudge
from paredown._measure.scope import Chosen
from paredown.card import Card
from paredown.model import Model
from paredown.protocols import Judge, Lost, Progress, silent
from paredown.sample import Dataset
from paredown.targets import Target

FEWEST = 50  # below, a drop of a point is chance: the images calibrated on are judged on as well
MOST = 500  # more take longer and hardly tell more


@dataclass(frozen=True)
class Choosing:
    """Images to choose on; `words` says which."""

    images: Dataset
    words: str


def judge_on(
    images: Callable[[], Choosing],
    model: Model,
    card: Card,
    target: Target,
    threads: int = 0,
    progress: Progress = silent,
    classes: Chosen = (),
) -> Judge:
    """What judges candidates against the float `model`, by the classes that count. The images are looked for
    when the first one comes: most recipes choose nothing."""

    @cache
    def judge() -> ImageJudge:
        chosen = images()
        return ImageJudge(model, chosen.images, card, target, chosen.words, threads, progress, classes)

    def lost(candidate: Model) -> Lost:
        return judge()(candidate)

    return lost


def learning_images(given: Dataset, calibration: Dataset, judged: Dataset | None = None) -> Dataset:
    """What to learn from: the images that calibrate, and more of those given; none `judged`."""
    more = data.sample(given, MOST)
    rest = data.without(more, *((calibration,) if judged is None else (calibration, judged)))
    return replace(calibration, samples=(*calibration.samples, *rest.samples))


def choosing_images(given: Dataset, calibration: Dataset, judged: Dataset | None = None) -> Choosing:
    """What to choose on, of all images given to calibrate on; those `judged` in the end are left out."""
    others = (calibration,) if judged is None else (calibration, judged)
    rest = data.without(given, *others)
    if len(rest) >= FEWEST:
        rest = data.sample(rest, MOST)
        return Choosing(rest, f"{len(rest)} images that calibrated nothing")
    both = (*calibration.samples, *rest.samples)
    words = f"{len(both)} images, {len(calibration)} of them also calibrated on"
    return Choosing(replace(calibration, samples=both), words)
