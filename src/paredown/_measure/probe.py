"""The card of a model, with what its file does not tell chosen by trying: scaling, colour order, classes.

Every candidate card reads the same few images. With truth the score of a detector is the average precision
at IoU 0.5 of all its detections pooled (steadier on few images than a mean over classes), of a classifier
the mean probability of the true class (finer than top-1). Without truth both are the mean top confidence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from paredown._measure.align import align
from paredown.card import Card, Preprocess
from paredown.detections import ClassScores, Detections, Prediction
from paredown.errors import CardError
from paredown.families import predict
from paredown.families.cards import card_text
from paredown.families.clues import unnamed_classes
from paredown.families.preprocess import preprocess
from paredown.families.recognition import Recognition
from paredown.metrics.average_precision import average_precision
from paredown.metrics.classification import probabilities
from paredown.metrics.matching import Matches, match
from paredown.protocols import Progress, Session, silent
from paredown.sample import Dataset, Labels, Sample, Truth

PROBE_CONF = 0.05  # below lies noise that moves an AP50 little and costs time
CONFIDENT = 0.5  # detections that tell which class a nameless detector finds
MARGIN = 0.05  # what another candidate must score above a settled default
LEAST_SPREAD = 0.02  # candidates of an unsettled family closer than this are not told apart,
LEAST_SCORE = 0.1  # unless all of them are this right, and it does not matter which is taken
CLASS_MAJORITY = 0.6  # share of confident detections that must fall on one true class
ORDER_LOSS = 0.25  # of the AP50 without classes must stay with them, else their order is not the model's


@dataclass(frozen=True)
class _Tried:
    """One candidate card with what it said about the probe images and how right that was."""

    card: Card
    predictions: Sequence[Prediction]
    truths: Sequence[Truth]  # in the card's classes
    score: float
    shown: str  # the score in words


def choose_card(
    recognition: Recognition,
    session: Session,
    dataset: Dataset,
    n: int = 32,
    progress: Progress = silent,
) -> Card:
    """The recognised card with preprocessing and class names tried on n images; `origin` tells the outcome.

    Raises: CardError where nothing fits, where two families fit, or where the images tell nothing apart.
    """
    found = recognition.best()
    named = [list(_name_classes(card, dataset)) for card in found.cards]
    if len(named) == 1 and len(named[0]) == 1 and not _nameless(named[0][0]):
        return named[0][0]
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(n, len(dataset))).round().astype(int))
    samples = [dataset[int(i)] for i in chosen]
    answers = _answers(found.cards, samples, session, progress)
    tried = []
    for cards, predictions in zip(named, answers, strict=True):
        for card in cards:
            truths = _truths(dataset, card)
            tried.append(_judge(card, predictions, [truths[i] for i in chosen]))
    best = _decide(tried, found.settled)
    _check_order(best, dataset)
    return _name_by_finds(best, dataset, [s.truth for s in samples])


def _name_classes(card: Card, dataset: Dataset) -> Iterator[Card]:
    """The card with each way of naming its classes: its own, else the data set's in their order.

    A classifier may have a background before them, and a list of numbered labels may end early.
    """
    missing = len(card.classes) - len(dataset.classes)
    if not _nameless(card) or not dataset.classes or missing < 0 or (card.task == "detect" and missing):
        yield card
        return
    told = f"data set {dataset.name!r}, in its order"
    rest = card.classes[len(dataset.classes) :]
    yield replace(card, classes=dataset.classes + rest, origin={**card.origin, "classes": told})
    if missing:
        shifted = ("background", *dataset.classes, *card.classes[len(dataset.classes) + 1 :])
        told = f"background, then {told}"
        yield replace(card, classes=shifted, origin={**card.origin, "classes": told})


def _nameless(card: Card) -> bool:
    return card.classes == unnamed_classes(len(card.classes))


def _answers(
    cards: Sequence[Card], samples: Sequence[Sample], session: Session, progress: Progress
) -> list[list[Prediction]]:
    """Per card its predictions for every sample. Each image is read once and let go of."""
    answers: list[list[Prediction]] = [[] for _ in cards]
    name = session.inputs[0].name
    for sample in progress(samples, "trying how the model is fed", len(samples)):
        image = sample.read()
        for card, predictions in zip(cards, answers, strict=True):
            tensor, frame = preprocess(image, card.preprocess)
            predictions.append(predict(session.run({name: tensor}), card, frame, PROBE_CONF))
    return answers


def _truths(dataset: Dataset, card: Card) -> list[Truth]:
    """The truth of every sample in the card's classes; all boxes as class 0 for classes without a name."""
    if not dataset.has_truth or not _nameless(card):
        return [s.truth for s in align(dataset, card)[0]]
    return [_unclassed(s.truth) if isinstance(s.truth, Labels) else None for s in dataset]


def _unclassed(truth: Labels) -> Labels:
    return replace(truth, classes=np.zeros_like(truth.classes))


def _judge(card: Card, predictions: Sequence[Prediction], truths: Sequence[Truth]) -> _Tried:
    """The card with its score; images without truth count only where no image has one."""
    known = [(p, t) for p, t in zip(predictions, truths, strict=True) if t is not None]
    if card.task == "classify":
        answers = [probabilities(p) for p in predictions if isinstance(p, ClassScores)]
        pairs = [(probabilities(p), t) for p, t in known if isinstance(p, ClassScores) and isinstance(t, int)]
        if pairs:
            score = _mean([float(p[t]) for p, t in pairs])
            top1 = _mean([float(p.argmax() == t) for p, t in pairs])
            shown = f"top-1 {top1:.2f} (mean probability of the truth {score:.2f})"
        else:
            score = _mean([float(p.max()) for p in answers])
            shown = f"mean top confidence {score:.2f}, no truth"
    elif known:
        score = _ap50(_matches(predictions, truths, with_classes=not _nameless(card)))
        shown = f"AP50 {score:.2f}"
    else:
        boxes = [p for p in predictions if isinstance(p, Detections)]
        score = _mean([float(p.scores.max(initial=0.0)) for p in boxes])
        shown = f"mean top confidence {score:.2f}, no truth"
    return _Tried(card, predictions, truths, score, shown)


def _mean(values: Sequence[float]) -> float:
    """The mean; 0 for what is no number, as an input on a wrong scale can give."""
    return float(np.nan_to_num(np.mean(values))) if len(values) else 0.0


def _matches(predictions: Sequence[Prediction], truths: Sequence[Truth], with_classes: bool) -> Matches:
    """The matches of all images with truth, pooled into one class after or before matching."""
    pairs = [
        (p, t)
        for p, t in zip(predictions, truths, strict=True)
        if isinstance(p, Detections) and isinstance(t, Labels)
    ]
    if not with_classes:
        pairs = [(replace(p, classes=np.zeros_like(p.classes)), _unclassed(t)) for p, t in pairs]
    matches = match([p for p, _ in pairs], [t for _, t in pairs], 1, CONFIDENT)
    one, one_truth = np.zeros_like(matches.class_), np.zeros_like(matches.truth_class)
    return replace(matches, class_=one, truth_class=one_truth)


def _ap50(matches: Matches) -> float:
    if not matches.counted[0].any():
        return 0.0
    everything = np.ones((1, matches.n_images), np.int64)
    return float(average_precision(matches, everything)[0, 0, 0])


def _decide(tried: Sequence[_Tried], settled: bool) -> _Tried:
    """The best candidate; the default of a settled family unless another is clearly better."""
    default, best = tried[0], max(tried, key=lambda t: t.score)
    others = [t for t in tried if t is not best]
    if settled and best.score <= default.score + MARGIN:
        best = default
    elif not settled and others and _tell_nothing(tried):
        raise CardError(
            "the images do not tell how this model wants its input, or which classes it gives",
            got="; ".join(f"{describe(t.card.preprocess)}: {t.shown}" for t in tried),
            hint=f"say it in a card.toml beside the model, such as\n\n{card_text(default.card)}",
        )
    origin = {**best.card.origin, "preprocessing": _outcome(best, others=[t for t in tried if t is not best])}
    return replace(best, card=replace(best.card, origin=origin))


def _outcome(best: _Tried, others: Sequence[_Tried]) -> str:
    """What was chosen against what, in words."""
    told = f"tried on {len(best.predictions)} images: {best.shown}"
    if not others:
        return f"{best.card.origin.get('preprocessing', 'as recognised')}, {told}"
    rival = max(others, key=lambda t: t.score)
    told = f"{describe(best.card.preprocess)}, {told} against {rival.score:.2f}"
    if rival.card.preprocess == best.card.preprocess:
        return f"{told} with classes from {rival.card.origin.get('classes', 'elsewhere')}"
    return f"{told} for {describe(rival.card.preprocess)}"


def _tell_nothing(tried: Sequence[_Tried]) -> bool:
    """Whether none stands out and none is right. A classifier that is never right has other classes."""
    scores = [t.score for t in tried]
    alike = max(scores) - min(scores) < LEAST_SPREAD
    if all(t is None for t in tried[0].truths):
        return alike
    return max(scores) < LEAST_SCORE and (alike or tried[0].card.task == "classify")


def _check_order(best: _Tried, dataset: Dataset) -> None:
    """Raises CardError where boxes are right but classes are not: the data set's order is not the model's."""
    taken_from_data = best.card.task == "detect" and best.card.classes == dataset.classes
    if not taken_from_data or best.card.origin.get("classes") == "metadata" or not dataset.has_truth:
        return
    without = _ap50(_matches(best.predictions, best.truths, with_classes=False))
    if without > 2 * LEAST_SPREAD and best.score < ORDER_LOSS * without:
        raise CardError(
            "the model finds the objects, but its classes are not in the data set's order",
            got=f"AP50 {best.score:.2f} with classes, {without:.2f} without",
            hint="name the model's classes in its order in a card.toml beside it",
        )


def _name_by_finds(best: _Tried, dataset: Dataset, originals: Sequence[Truth]) -> Card:
    """The card of a nameless single-class detector with the true class most of its detections fall on."""
    card = best.card
    if not _nameless(card) or len(card.classes) != 1 or card.task != "detect" or not dataset.classes:
        return card
    matches = _matches(best.predictions, best.truths, with_classes=False)
    true_classes = np.array([c for t in originals if isinstance(t, Labels) for c in t.classes], np.int64)
    finds = Counter(true_classes[matches.found_score >= CONFIDENT].tolist())
    if not finds:
        return card
    (winner, count), total = finds.most_common(1)[0], finds.total()
    if count < CLASS_MAJORITY * total:
        return card
    name = dataset.classes[int(winner)]
    told = f"found: {count} of {total} confident detections fall on a true {name!r}"
    return replace(card, classes=(name,), origin={**card.origin, "classes": told})


def describe(how: Preprocess) -> str:
    """The preprocessing in a few words: "BGR minus (104, 117, 123), stretch"."""
    colour = "grey" if how.colour == "grey" else how.colour.upper()
    words = f"{colour} 0..255" if how.scale == 1 else f"{colour} 0..1"
    if how.scale not in (1, 1 / 255):
        words = f"{colour} times {how.scale:g}"
    if any(how.mean):
        words += f" minus ({', '.join(f'{m:g}' for m in how.mean)})"
    if any(s != 1 for s in how.std):
        words += f" over ({', '.join(f'{s:g}' for s in how.std)})"
    return f"{words}, {how.fit}"
