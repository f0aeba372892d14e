"""The cards that a model could have, what each says about some images, and whose classes those are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from paredown._measure.align import align, by_name
from paredown.card import Card
from paredown.detections import Prediction
from paredown.errors import CardError
from paredown.families.label_maps import COCO_NAMES, coco_by_id, unnamed_classes
from paredown.families.recognition import predict
from paredown.preprocessing.feeds import feed
from paredown.protocols import Progress, Session
from paredown.sample import Dataset, Truth
from paredown.tasks import TASKS
from paredown.tasks.card_evidence import CardEvidence

PROBE_CONF = 0.05  # below lies noise that moves an AP50 little and costs time
CLASS_MAJORITY = 0.6  # share of confident detections that must fall on one true class
ORDER_LOSS = 0.25  # of the AP50 without classes must stay with them, else their order is not the model's
_LEAST_TOLD = 0.04  # an AP50 below says nothing about the order of classes


@dataclass(eq=False)
class CandidateCard:
    """One possible card, with what it said about the images tried so far and the truth in its classes."""

    card: Card
    predictions: list[Prediction] = field(default_factory=list)
    truths: list[Truth] = field(default_factory=list)
    evidence: CardEvidence | None = None

    def judge(self) -> None:
        """Brings the evidence up to date with the predictions."""
        evidence = TASKS[self.card.task].card_evidence
        self.evidence = evidence(self.predictions, self.truths, with_classes=not nameless(self.card))

    @property
    def score(self) -> tuple[float, float]:
        return (0.0, 0.0) if self.evidence is None else self.evidence.score


def name_classes(card: Card, dataset: Dataset, open_classes: bool = False) -> Iterator[Card]:
    """The card with each way of naming its classes that could be right: its own names; COCO's, where the data
    set has those; the data set's in their order.

    A classifier, say, may have a background before them, and a list of numbered labels may end early.
    open_classes: the list may have any length.
    """
    lists = _lists(card, dataset, open_classes) or {card.classes: ""}
    for classes, source in lists.items():
        origin = {**card.origin, "classes": source} if source else card.origin
        yield replace(card, classes=classes, origin=origin)


def _lists(card: Card, dataset: Dataset, open_classes: bool) -> dict[tuple[str, ...], str]:
    """Lists of names with where they are from, "" for the card's own; none where only its own can be."""
    n, names = len(card.classes), dataset.classes
    by_id = card.classes in (coco_by_id(0, 91), coco_by_id(1, 90))
    if not names or not (nameless(card) or by_id):
        return {}
    found: dict[tuple[str, ...], str] = {}
    in_order = f"data set {dataset.name!r}, in its order"
    coco = bool((by_name(names, COCO_NAMES) >= 0).all())
    if coco and by_id:
        found[card.classes] = ""
    elif coco and n == len(COCO_NAMES) and names != COCO_NAMES:
        found[COCO_NAMES] = "COCO's 80 classes in their order, the data set's found in it by name"
    task = TASKS[card.task]
    more = task.MORE_CLASSES or (open_classes and not coco)
    numbered = unnamed_classes(n)
    if len(names) == n or (len(names) < n and more) or (len(names) > n and open_classes):
        found.setdefault(names + numbered[len(names) :], in_order)
    if len(names) < n and task.MORE_CLASSES:
        found[("background", *names, *numbered[len(names) + 1 :])] = f"background, then {in_order}"
    if coco and open_classes and len(names) < n and names != COCO_NAMES[: len(names)]:
        own = names + numbered[len(names) :]  # fewer classes of its own, of COCO's names
        found.setdefault(own, in_order)
    if coco and open_classes and not by_id:
        found[coco_by_id(0, 91)] = "COCO's category ids, the data set's classes found in it by name"
    if not found and by_id:
        found[numbered] = f"unnamed: the model gives {n}"
    return found


def nameless(card: Card) -> bool:
    """Whether nothing named the card's classes."""
    return card.classes == unnamed_classes(len(card.classes))


def ask(
    candidates: Sequence[CandidateCard],
    dataset: Dataset,
    indices: Sequence[int],
    session: Session,
    progress: Progress,
) -> None:
    """Adds what every candidate says about those images. Each is read once, and run once for each input."""
    hows = dict.fromkeys(c.card.preprocess for c in candidates)
    truths = {c.card.classes: _truths(dataset, c.card) for c in candidates}
    for i in progress(indices, "trying how the model is fed", len(indices)):
        image = dataset[int(i)].read()
        for how in hows:
            feeds, frame = feed(image, how, session.inputs)
            outputs = session.run(feeds)
            for candidate in (c for c in candidates if c.card.preprocess == how):
                candidate.predictions.append(predict(outputs, candidate.card, frame, PROBE_CONF))
                candidate.truths.append(truths[candidate.card.classes][int(i)])
    for candidate in candidates:
        candidate.judge()


def check_order(best: CandidateCard, dataset: Dataset) -> None:
    """Raises CardError where boxes are right but classes are not: the data set's order is not the model's."""
    card = best.card
    taken_from_data = card.classes[: len(dataset.classes)] == dataset.classes
    if not taken_from_data or card.origin.get("classes") == "metadata" or not best.predictions:
        return
    task = TASKS[card.task]
    without = task.card_evidence(best.predictions, best.truths, with_classes=False).value
    if without > _LEAST_TOLD and best.score[0] < ORDER_LOSS * without:
        raise CardError(
            "the model finds the objects, but its classes are not in the data set's order",
            got=f"{task.WORDS.tried_by} {best.score[0]:.2f} with classes, {without:.2f} without",
            hint="name the model's classes in its order in a card.toml beside it",
        )


def name_by_finds(best: CandidateCard, dataset: Dataset, originals: Sequence[Truth]) -> Card:
    """The card of a nameless single-class detector with the true class most of its detections fall on."""
    card = best.card
    if not nameless(card) or len(card.classes) != 1 or not dataset.classes:
        return card
    finds = TASKS[card.task].found_classes(best.predictions, originals)
    if not finds:
        return card
    (winner, count), total = finds.most_common(1)[0], finds.total()
    if count < CLASS_MAJORITY * total:
        return card
    name = dataset.classes[int(winner)]
    source = f"found: {count} of {total} confident detections fall on a true {name!r}"
    return replace(card, classes=(name,), origin={**card.origin, "classes": source})


def _truths(dataset: Dataset, card: Card) -> list[Truth]:
    """The truth of every sample in the card's classes; without classes for classes without a name."""
    if not dataset.has_truth or not nameless(card):
        as_boxes = replace(
            card, task=TASKS[card.task].TRUTH
        )  # boxes tell how a model is fed, whatever it adds
        return [s.truth for s in align(dataset, as_boxes)[0]]
    return [TASKS[card.task].unclassed(s.truth) for s in dataset]
