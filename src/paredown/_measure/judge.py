"""What a candidate loses on images set aside for choosing: the metrics of the final figure, other images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from paredown._measure.align import align
from paredown._measure.predict import predict_all
from paredown._measure.prompted import opened
from paredown._measure.scope import Chosen, said_of, true_of
from paredown.analyze.sampled import Sampled, difference, sampled
from paredown.card import Card
from paredown.detections import Prediction
from paredown.metrics import METRICS
from paredown.metrics.tally import Evidence
from paredown.model import Model
from paredown.protocols import Lost, Progress, silent
from paredown.sample import Dataset
from paredown.targets import Target
from paredown.tasks import TASKS, headline

Z95 = 1.96  # half the width of a 95 % interval in standard errors


@dataclass
class ImageJudge:
    """Called with a candidate, says what it loses against `source` on `images`.

    Against the truth where there is any, else against the float model's own detections. The float model is
    asked once, when the first candidate comes. words: which images these are. classes: those that count, as
    in the final figure; empty for all.
    """

    source: Model
    images: Dataset
    card: Card
    target: Target
    words: str
    threads: int = 0
    progress: Progress = silent
    classes: Chosen = ()
    _floats: list[Prediction] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.images = true_of(align(self.images, self.card)[0], self.classes, self.card)

    def __call__(self, candidate: Model) -> Lost:
        """The points lost, with the standard error of the paired bootstrap."""
        if not self._floats:
            self._floats = self._predict(self.source)
        mine = self._predict(candidate)
        metric = METRICS[headline(self.card.task, self.images.has_truth)]
        d = difference(self._sampled(mine), self._sampled(self._floats), metric)
        return Lost(100 * d.value, 100 * (d.high - d.low) / (2 * Z95), metric.name, self.words)

    def _predict(self, model: Model) -> list[Prediction]:
        session = opened(model, self.card, partial(self.target.compile, threads=self.threads))
        return said_of(predict_all(session, self.card, self.images, progress=self.progress), self.classes)

    def _sampled(self, predictions: Sequence[Prediction]) -> Sampled:
        return sampled(self._evidence(predictions), TASKS[self.card.task].tally)

    def _evidence(self, predictions: Sequence[Prediction]) -> Evidence:
        task = TASKS[self.card.task]
        if not self.images.has_truth:
            return task.against_reference(predictions, self._floats, self.card)
        judged = [i for i, s in enumerate(self.images) if s.truth is not None]
        truths = [self.images.samples[i].truth for i in judged]
        return task.against_truth([predictions[i] for i in judged], truths, self.card)
