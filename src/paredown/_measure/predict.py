"""Every image of a data set through a session: what the model says, and where the time goes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from paredown._measure.prompted import predict_prompts
from paredown.card import Card
from paredown.detections import Prediction
from paredown.families.recognition import predict
from paredown.measurement import Quantity
from paredown.preprocessing.feeds import feed
from paredown.preprocessing.letterbox import Frame
from paredown.preprocessing.prompts import takes_prompts
from paredown.protocols import Feeds, Progress, Session, SessionAhead, silent
from paredown.sample import Dataset

ACCURACY_CONF = (
    0.001  # low enough that the precision-recall curve is complete (Ultralytics, YOLOX, COCO practice)
)


@dataclass(frozen=True)
class Predicted:
    """One prediction for each image, in the data set's order, and the seconds each stage took for each."""

    predictions: list[Prediction] = field(repr=False)
    pre_s: tuple[float, ...] = field(repr=False)  # image -> tensor; reading the file is not counted
    inference_s: tuple[float, ...] = field(repr=False)
    post_s: tuple[float, ...] = field(repr=False)  # outputs -> boxes

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Median seconds per image of each stage, in this process; `latency_s` is timed apart, with care."""
        stages = {"pre_s": self.pre_s, "inference_s": self.inference_s, "post_s": self.post_s}
        return tuple(Quantity.listed(name, samples=s) for name, s in stages.items() if s)


def predict_timed(
    session: Session,
    card: Card,
    dataset: Dataset,
    *,
    conf: float = ACCURACY_CONF,
    progress: Progress = silent,
) -> Predicted:
    """What the model says about every image. Raises: UnsupportedModel as `preprocessing.feeds.feed` does.

    Of a session elsewhere there are no seconds: they would be those of the way there, too. Of a promptable
    model there are none either: they would be those of as many prompts as the truth draws.
    """
    asked = takes_prompts(card)
    if isinstance(session, SessionAhead) and not asked:
        return Predicted(_ahead(session, card, dataset, conf, progress), (), (), ())
    predictions: list[Prediction] = []
    marks: list[tuple[float, float, float, float]] = []
    for sample in progress(dataset, "predicting", len(dataset)):
        image = sample.read()
        start = time.perf_counter()
        feeds, frame = feed(image, card.preprocess, session.inputs)
        ready = time.perf_counter()
        if asked:
            predictions.append(predict_prompts(session, card, feeds, frame, sample.truth, conf))
            continue
        outputs = session.run(feeds)
        answered = time.perf_counter()
        predictions.append(predict(outputs, card, frame, conf))
        marks.append((start, ready, answered, time.perf_counter()))
    pre, inference, post = (tuple(m[i + 1] - m[i] for m in marks) for i in range(3))
    return Predicted(predictions, pre, inference, post)


def _ahead(
    session: SessionAhead, card: Card, dataset: Dataset, conf: float, progress: Progress
) -> list[Prediction]:
    """What it says about every image, the next ones on their way while it answers."""
    frames = deque[Frame]()

    def fed() -> Iterator[Feeds]:
        for sample in dataset:
            feeds, frame = feed(sample.read(), card.preprocess, session.inputs)
            frames.append(frame)
            yield feeds

    answers = progress(session.run_each(fed()), "predicting", len(dataset))
    return [predict(outputs, card, frames.popleft(), conf) for outputs in answers]


def predict_all(
    session: Session,
    card: Card,
    dataset: Dataset,
    *,
    conf: float = ACCURACY_CONF,
    progress: Progress = silent,
) -> list[Prediction]:
    """What the model says about every image, in the data set's order."""
    return predict_timed(session, card, dataset, conf=conf, progress=progress).predictions
