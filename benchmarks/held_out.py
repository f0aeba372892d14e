"""Judging on images that nothing was calibrated on: the rest of the calibration set, for choosing, and the
evaluation set beside it, as the outcome."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import SUBJECTS, model_file

import paredown
from paredown import data
from paredown._measure.accuracy import accuracy, align, predict_all
from paredown.detections import Prediction
from paredown.metrics import headline
from paredown.model import Model
from paredown.sample import Dataset
from paredown.targets import target as find_target


@dataclass(frozen=True)
class Judged:
    """Images in the model's classes, and what the float model says about them."""

    images: Dataset
    float_says: list[Prediction]


@dataclass(frozen=True)
class HeldOut:
    """A model, the images to calibrate on, and the sets of other images that it is judged on."""

    name: str
    model: Model
    calibration: Dataset
    sets: dict[str, Judged]  # "rest" of the calibration images, "eval"
    threads: int

    def compress(self, recipe: str, images: Dataset | None = None) -> tuple[paredown.Compressed, float]:
        """The compressed model, and the seconds of the processor that it took."""
        started = time.process_time()
        made = paredown.compress(self.model, recipe, images or self.calibration, threads=self.threads)
        return made, time.process_time() - started

    def judge(self, model: Model) -> dict[str, Any]:
        """For each set: fidelity to the float model's answers, in percent, and points lost."""
        assert self.model.card is not None
        task, found = self.model.card.task, {}
        for which, judged in self.sets.items():
            said = self._says(model, judged.images)
            quantities, _ = accuracy(said, judged.images, self.model.card, judged.float_says)
            values = {q.name: q.value for q in quantities}
            found[f"{which}_fidelity"] = 100 * values[headline(task, has_truth=False)]
            found[f"{which}_points_lost"] = values[f"{headline(task, has_truth=True)}_drop"]
        return found

    def _says(self, model: Model, images: Dataset) -> list[Prediction]:
        assert self.model.card is not None
        session = find_target("local").compile(model.data, threads=self.threads)
        return predict_all(session, self.model.card, images)


def open_subject(
    material: Path, name: str, calibration: int, threads: int, sets: Sequence[str] = ("rest", "eval")
) -> HeldOut:
    """A model of the material with its images divided."""
    subject, root = SUBJECTS[name], material / "data"
    everything = data.read_dataset(str(root / subject.calibration))
    used, rest = data.split_off(everything, calibration)
    model = paredown.load(model_file(material, name), everything)
    assert model.card is not None
    judged = {"rest": rest, "eval": data.read_dataset(str(root / subject.evaluation))}
    session = find_target("local").compile(model.data, threads=threads)
    found = {}
    for which in sets:
        aligned, _ = align(judged[which], model.card)
        found[which] = Judged(aligned, predict_all(session, model.card, aligned))
    return HeldOut(name, model, used, found, threads)
