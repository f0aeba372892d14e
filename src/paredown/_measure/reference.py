"""Whether what the float model says can be a reference, over every image, before anything is judged by it.

A float model with mAP 0, or with nothing to be faithful to, is not a poor one: it is misread. What its task
asks of it beyond that stands with the task.
"""

from __future__ import annotations

from collections.abc import Sequence

from paredown._measure.align import align
from paredown._measure.feeding.answers import Answers
from paredown._measure.feeding.reading import check_card
from paredown.card import Card
from paredown.detections import Prediction
from paredown.errors import CardError
from paredown.families.expect import SLACK
from paredown.families.recognition import predict
from paredown.protocols import Session
from paredown.sample import Dataset
from paredown.tasks import TASKS

LEAST_CONF = 0.05  # what is read another way is read from here on


def check_reference(predictions: Sequence[Prediction], judged: Dataset, card: Card, session: Session) -> None:
    """Raises CardError where the float model's predictions for the images of `judged` can be no reference.

    judged: in the card's classes, see `align`.
    """
    check_card(card, session, judged)
    _check_scores(predictions, card)
    truths = [s.truth for s in align(judged, card)[0]]
    kept: dict[tuple[int, ...], Answers] = {}

    def reread(indices: Sequence[int], other: Card) -> list[Prediction]:
        answers = kept.setdefault(tuple(indices), Answers(session, [judged[i] for i in indices]))
        fed = answers.fed(other.preprocess)
        return [predict(outputs, other, frame, LEAST_CONF) for _, outputs, frame in fed]

    TASKS[card.task].check_reference(predictions, truths, card, reread)


def _check_scores(predictions: Sequence[Prediction], card: Card) -> None:
    scores = [s for s in map(TASKS[card.task].confidences, predictions) if len(s)]
    low = min((float(s.min()) for s in scores), default=0.0)
    high = max((float(s.max()) for s in scores), default=1.0)
    if low < -SLACK or high > 1 + SLACK:
        raise CardError(
            f"the answers cannot be what the family {card.family!r} gives: a misread model gets no verdict",
            got=f"confidences {low:.4g} .. {high:.4g} on {len(predictions)} images",
            expected="0 .. 1",
            hint="a card's [decode] can say how an answer is read: see docs/card.md",
        )
