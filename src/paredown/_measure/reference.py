"""Whether what the float model says can be a reference, over every image, before anything is judged by it.

A float model with mAP 0, or with nothing to be faithful to, is not a poor one: it is misread. With truth the
refusal says which other reading of the columns, or which other first class, would find the objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from paredown._measure.align import align
from paredown._measure.evidence import evidence
from paredown._measure.reading import Answers, check_card, several
from paredown.card import Card
from paredown.detections import Detections, Prediction
from paredown.errors import CardError
from paredown.families.candidates import box_form, with_box_form
from paredown.families.expect import SLACK
from paredown.families.geometry import FAMILIAR, FORMS
from paredown.families.recognition import predict
from paredown.protocols import Session
from paredown.sample import Dataset, Labels, Truth
from paredown.toml import toml_value

NOTHING = 0.001  # an AP50 below finds nothing that is true
SUSPICIOUS = 0.3  # an AP50 without classes from which on boxes are not read wrongly
BETTER = 2.0  # times, and LEAST_GAIN more: another reading that is the right one
LEAST_GAIN = 0.05
IMAGES = 16  # that other readings are tried on
MOST_TRUTHS = 20  # fewer right answers than this to a classifier can be chance
LEAST_CONF = 0.05


def check_reference(predictions: Sequence[Prediction], judged: Dataset, card: Card, session: Session) -> None:
    """Raises CardError where the float model's predictions for the images of `judged` can be no reference.

    judged: in the card's classes, see `align`.
    """
    check_card(card, session, judged)
    _check_scores(predictions, card)
    truths = [s.truth for s in align(judged, card)[0]]
    known = [(p, t) for p, t in zip(predictions, truths, strict=True) if t is not None]
    if card.task == "classify":
        return _check_classifier([p for p, _ in known], [t for _, t in known])
    if not any(isinstance(t, Labels) and len(t.classes) for _, t in known):
        if not any(isinstance(p, Detections) and len(p.above(card.conf)) for p in predictions):
            raise _finds_nothing(card, len(predictions), f"no detection from confidence {card.conf:g} on")
        return None
    return _check_detector([p for p, _ in known], [t for _, t in known], judged, card, session)


def _check_scores(predictions: Sequence[Prediction], card: Card) -> None:
    boxes = [p for p in predictions if isinstance(p, Detections) and len(p)]
    low = min((float(p.scores.min()) for p in boxes), default=0.0)
    high = max((float(p.scores.max()) for p in boxes), default=1.0)
    if low < -SLACK or high > 1 + SLACK:
        raise CardError(
            f"the answers cannot be what the family {card.family!r} gives: a misread model gets no verdict",
            got=f"confidences {low:.4g} .. {high:.4g} on {len(predictions)} images",
            expected="0 .. 1",
            hint="a card's [decode] can say how an answer is read: see docs/card.md",
        )


def _check_classifier(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> None:
    found = evidence(predictions, truths, with_classes=True)
    if len(truths) >= MOST_TRUTHS and not found.right.any():
        raise CardError(
            "the float model is never right: it is fed wrongly, or its classes are others",
            got=f"top-1 0 on {len(truths)} images",
            hint="say its input and its classes, in its order, in a card.toml beside it (docs/card.md)",
        )


def _check_detector(
    predictions: Sequence[Prediction],
    truths: Sequence[Truth],
    judged: Dataset,
    card: Card,
    session: Session,
) -> None:
    whole = evidence(predictions, truths, with_classes=True).value
    boxes = evidence(predictions, truths, with_classes=False).value
    shift = _better_shift(predictions, truths, whole)
    if shift is not None:
        raise shift
    if boxes < SUSPICIOUS:
        _check_forms(judged, card, session)
    if whole < NOTHING:
        found = f"AP50 {whole:.3f} on {len(truths)} images with truth"
        raise _finds_nothing(card, len(truths), f"{found}, {boxes:.3f} with all classes taken for one")


def _better_shift(
    predictions: Sequence[Prediction], truths: Sequence[Truth], whole: float
) -> CardError | None:
    """The refusal where the classes are right once their numbers are moved by one; else None."""
    for first, words in ((1, "start at 1"), (-1, "leave out the model's first")):
        moved = [replace(p, classes=p.classes - first) for p in predictions if isinstance(p, Detections)]
        found = evidence(moved, truths, with_classes=True).value
        if found > BETTER * whole + LEAST_GAIN:
            line = "[decode]\n      first_class = 1" if first == 1 else 'classes = ["background", ...]'
            return CardError(
                "the model finds the objects, but its class numbers are one off",
                got=f"AP50 {whole:.2f} as they are, {found:.2f} moved by one",
                hint=f"they {words}; say it in a card.toml beside the model:\n      {line}",
            )
    return None


def _check_forms(judged: Dataset, card: Card, session: Session) -> None:
    """Raises CardError where another order of the four columns of a box finds far more of the true ones."""
    columns = str(card.decode.get("columns", ""))
    form = box_form(columns)
    if len(form.split()) != 4:
        return
    with_truth = [i for i, s in enumerate(judged) if isinstance(s.truth, Labels) and len(s.truth.classes)]
    some = several(replace(judged, samples=tuple(judged[i] for i in with_truth)), IMAGES)
    answers, truths = Answers(session, some), [s.truth for s in some]

    def ap50(words: str) -> float:
        other = replace(card, decode={**card.decode, "columns": with_box_form(columns, words)})
        fed = answers.fed(card.preprocess)
        said = [predict(outputs, other, frame, LEAST_CONF) for _, outputs, frame in fed]
        return evidence(said, truths, with_classes=False).value

    scores = {words: ap50(words) for words in (form, *(f for f in FORMS if f != form))}
    best = max(scores, key=lambda words: scores[words])
    if scores[best] > BETTER * scores[form] + LEAST_GAIN:
        raise CardError(
            f"the boxes cannot be {form!r}: a misread model gets no verdict",
            got=f"AP50 {scores[form]:.2f} on {len(some)} images with truth, {scores[best]:.2f} as {best!r}",
            hint=f"this looks like {FAMILIAR[best]}; say it in a card.toml beside the model:\n"
            f"      [decode]\n      columns = {toml_value(with_box_form(columns, best))}",
        )


def _finds_nothing(card: Card, n_images: int, got: str) -> CardError:
    return CardError(
        "the float model finds nothing to judge by: it is misread, fed wrongly, or knows nothing that is in "
        "these images",
        got=f"{got}; {n_images} images, family {card.family}",
        hint="`paredown inspect MODEL --data DATA --out DIR` draws what it finds; a card.toml beside it "
        "says how it is fed and read (docs/card.md)",
    )
