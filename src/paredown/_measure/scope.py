"""Which of a detector's answers count: some of its classes, other thresholds than the card's."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from paredown._measure.align import align, by_name, class_map
from paredown.card import Card
from paredown.detections import Detections, Prediction
from paredown.errors import UnknownName, UsageError
from paredown.sample import Dataset
from paredown.tasks import TASKS

Chosen = tuple[int, ...]
"""Indices into the card's classes; empty for all of them."""


@dataclass(frozen=True)
class Scope:
    """The options --classes, --conf and --iou. None, and no class: as the card has it, and all classes.

    Raises: UsageError for a threshold that is none.
    """

    classes: tuple[str, ...] = ()
    conf: float | None = None
    iou: float | None = None

    def __post_init__(self) -> None:
        for name in ("conf", "iou"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise UsageError(f"--{name} is no threshold", got=f"{value:g}", expected="0 to 1")

    def on(self, card: Card) -> Card:
        """The card with these thresholds of deployment."""
        conf = card.conf if self.conf is None else self.conf
        return replace(card, conf=conf, iou=card.iou if self.iou is None else self.iou)

    def judged(self, given: Dataset, card: Card) -> tuple[Dataset, Chosen]:
        """The data set in the card's classes with what is true of those that count, and which these are."""
        chosen = choose_classes(self.classes, given, card)
        return true_of(align(given, card)[0], chosen, card), chosen


def choose_classes(names: Sequence[str], given: Dataset, card: Card) -> Chosen:
    """The classes of these names: the model's own, or the data set's as they are the model's.

    given: before it was aligned with the card. Raises: UnknownName; UsageError for what is no detector.
    """
    if not names:
        return ()
    if card.task != "detect":
        raise UsageError(
            "classes can be chosen for detectors only", got=f"a model for the task {card.task!r}"
        )
    own = by_name(names, card.classes)
    mapped, _ = class_map(given.classes, card) if given.classes else (np.zeros(0, np.int64), ())
    places = by_name(names, given.classes)
    found = []
    for name, index, place in zip(names, own, places, strict=True):
        number = int(mapped[place] if index < 0 <= place else index)
        if number < 0:
            raise UnknownName("class", name, {*card.classes, *given.classes})
        found.append(number)
    return tuple(dict.fromkeys(found))


def true_of(dataset: Dataset, chosen: Chosen, card: Card) -> Dataset:
    """The aligned data set with what is true of the chosen classes. All images stay, some as empty ones."""
    if not chosen or not dataset.has_truth:
        return dataset
    target = np.full(len(card.classes), -1, np.int64)
    target[list(chosen)] = chosen
    task = TASKS[card.task]
    samples = tuple(replace(s, truth=task.translate(s.truth, target)) for s in dataset)
    note = f"judged on {', '.join(card.classes[i] for i in chosen)} alone"
    notes = dataset.notes if note in dataset.notes else (*dataset.notes, note)
    return replace(dataset, samples=samples, notes=notes)


def said_of(predictions: list[Prediction], chosen: Collection[int]) -> list[Prediction]:
    """The predictions without what they say of other classes; the very list where all are chosen."""
    return predictions if not chosen else [_only(p, chosen) for p in predictions]


def _only(prediction: Prediction, chosen: Collection[int]) -> Prediction:
    if not isinstance(prediction, Detections):
        raise UsageError("classes can be chosen for detectors only", got=type(prediction).__name__)
    keep = np.isin(prediction.classes, list(chosen))
    return Detections(prediction.boxes[keep], prediction.scores[keep], prediction.classes[keep])
