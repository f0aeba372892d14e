"""What every model of a study is judged on: the same images, card, target and rounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paredown._compress.compress import RECIPE_KEY
from paredown._compress.pack import pdz
from paredown._measure.accuracy import Predicted, accuracy, predict_timed
from paredown._measure.environment import environment
from paredown._measure.latency import measure_latency
from paredown._measure.reference import check_reference
from paredown.analyze.doubts import gain_doubts
from paredown.card import Card
from paredown.detections import Prediction
from paredown.measurement import Doubt, Measurement, Quantity
from paredown.metrics import kind_of
from paredown.model import Model
from paredown.preprocessing.tensor import preprocess
from paredown.protocols import Progress, silent
from paredown.sample import Dataset
from paredown.targets import Target

WHAT = ("map", "latency", "memory")
PACKED = ("sparse", "cluster")  # steps that pay once the file is packed
LATENCY = frozenset({"latency", "memory"})  # what a timed process gives

Untimed = Callable[[Sequence[Quantity]], str]
"""untimed(size and accuracy of a model) -> why it need not be timed; "" where it should be."""


def always_timed(quantities: Sequence[Quantity]) -> str:
    return ""


@dataclass(frozen=True)
class Bench:
    """`judged` is in the card's class indices. threads: 0 is the target's own choice."""

    card: Card
    judged: Dataset
    target: Target
    threads: int = 0

    def predict(self, model: Model, progress: Progress = silent) -> Predicted:
        """What the model says about each judged image."""
        session = self.target.compile(model.data, threads=self.threads)
        return predict_timed(session, self.card, self.judged, progress=progress)

    def ask_reference(self, model: Model, progress: Progress = silent) -> Predicted:
        """What the float model says about each judged image. Raises CardError where that is no reference."""
        session = self.target.compile(model.data, threads=self.threads)
        predicted = predict_timed(session, self.card, self.judged, progress=progress)
        check_reference(predicted.predictions, self.judged, self.card, session)
        return predicted

    def measure(
        self,
        model: Model,
        file: Path,
        baseline: Path,
        predicted: Predicted | None,
        reference: list[Prediction] | None,
        progress: Progress = silent,
        *,
        what: Sequence[str] = WHAT,
        untimed: Untimed = always_timed,
    ) -> tuple[Measurement, dict[str, float]]:
        """The measurement of the model in `file`, and the seconds that accuracy and latency took.

        `predicted` None: no accuracy. `reference`: what the float model says; the same list as
        `predicted.predictions` where this is the float model. `baseline`: the float model, timed in turns.
        """
        quantities = [Quantity.listed("size_bytes", file.stat().st_size), *_packed(model)]
        curves: dict[str, tuple[float, ...]] = {}
        doubts = [Doubt("target", text) for text in self.target.doubts]
        seconds = {}
        if predicted is not None:
            started = time.monotonic()
            found, more = accuracy(predicted.predictions, self.judged, self.card, reference)
            quantities += (*found, *predicted.quantities)
            curves |= more
            doubts += gain_doubts(found)
            seconds["accuracy"] = time.monotonic() - started
        why = untimed(quantities)
        if why:
            doubts.append(Doubt("untimed", f"not timed: {why}"))
        elif LATENCY & set(what) and self.target.runs_here:
            started = time.monotonic()
            timed, more, reasons = measure_latency(
                file, baseline, self.target, self.feeds(model), threads=self.threads, progress=progress
            )
            quantities += [q for q in timed if kind_of(q.name).what in what]
            curves |= more
            doubts += reasons
            seconds["latency"] = time.monotonic() - started
        measured = Measurement(
            model.sha256,
            self.target.name,
            self.environment(),
            tuple(quantities),
            curves,
            tuple(doubts),
        )
        return measured, seconds

    def environment(self) -> Mapping[str, object]:
        """The surroundings of what is measured here and now."""
        return environment(self.target.host, self.target.used_threads(self.threads))

    def feeds(self, model: Model) -> dict[str, NDArray[np.generic]]:
        """The first judged image as the model's input."""
        return {model.inputs[0].name: preprocess(self.judged[0].read(), self.card.preprocess)[0]}


def _packed(model: Model) -> list[Quantity]:
    """The size as a .pdz file, of models that were made to be packed."""
    steps = model.metadata.get(RECIPE_KEY, "").split("+")
    if not any(step.startswith(PACKED) for step in steps):
        return []
    return [Quantity.listed("packed_bytes", len(pdz.pack(model.data)))]


@dataclass(frozen=True)
class Tensors:
    """The images as input tensors, one after the other; may be gone through again."""

    images: Dataset
    card: Card

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[NDArray[np.generic]]:
        return (preprocess(sample.read(), self.card.preprocess)[0] for sample in self.images)
