"""How a model's answer is read: the first way whose expectations hold on real images, or a refusal that says
what was seen and which lines of a card would say it. Nothing is measured with a reading that cannot be right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from paredown._measure.feeding.answers import Answers, several
from paredown._measure.feeding.mirrored import by_mirror
from paredown.card import Card
from paredown.errors import CardError, Misread
from paredown.families import expect
from paredown.families.expect import AnswerFigures, Fault, faults, has_evidence
from paredown.families.family import Match
from paredown.families.label_maps import coco_by_id, unnamed_classes
from paredown.families.recognition import Recognition
from paredown.protocols import Session
from paredown.sample import Dataset
from paredown.toml import toml_value

USUAL_COUNTS = (80, 91, 365, 601, 1203)  # classes of COCO, COCO by id, Objects365, Open Images, LVIS
MOST_HOWS = 4  # preprocessings tried before a reading is given up


@dataclass(frozen=True)
class _Looked:
    """One way of reading, what was seen through it and what is wrong with it."""

    way: Match
    faults: tuple[Fault, ...]
    seen: tuple[AnswerFigures, ...]

    @property
    def card(self) -> Card:
        return self.way.cards[0]


def settle_reading(recognition: Recognition, session: Session, dataset: Dataset) -> Match:
    """The match that reads the answer in the one way that can be right.

    The most certain family's usual way is taken where its expectations hold, else the next one that passes;
    `origin` then says that the values told it.

    Raises CardError where no way can be right, or where the values leave more than one.
    """
    answers = Answers(session, several(dataset))
    if not recognition.matches:
        recognition.best()
    looked = [_look(way, answers) for match in recognition.matches for way in _ways(match)]
    first = looked[0]
    passing = [one for one in looked if not one.faults and (one is first or has_evidence(one.seen))]
    if not passing:
        raise refusal(first.card, first.faults, len(answers.samples))
    families = {one.card.family for one in passing}
    alive = tuple(m for m in recognition.matches if m.cards[0].family in families)
    best = replace(recognition, matches=alive).best()
    own = [one for one in passing if one.card.family == best.cards[0].family]
    nearest = min(_unlike_usual(one, best) for one in own)
    rivals = [one for one in own if _unlike_usual(one, best) == nearest]
    taken = rivals[0]
    if len(rivals) > 1:
        raise _ambiguous(rivals)
    way = taken.way if taken is first else _named_as_told(taken, first)
    return _widened(by_mirror(way, session, answers.samples), taken.seen)


def _unlike_usual(one: _Looked, match: Match) -> int:
    """In how many keys of [decode] a way of reading differs from the family's usual one."""
    usual = match.cards[0].decode
    return sum(value != usual.get(key) for key, value in one.card.decode.items())


def check_card(card: Card, session: Session, dataset: Dataset, open_classes: bool = False) -> None:
    """Raises CardError where the answers to a few images cannot be what the card says they are."""
    samples = several(dataset)
    wrong = faults(Answers(session, samples).seen(card), card, open_classes=open_classes)
    if wrong:
        raise refusal(card, wrong, len(samples))


def _ways(match: Match) -> list[Match]:
    """The match's ways of reading, the usual one first."""
    return [replace(match, others=()), *match.others]


def _look(way: Match, answers: Answers) -> _Looked:
    """The way with its faults: with the first preprocessing, unless another leaves none."""
    looked: list[_Looked] = []
    alike = [c for c in way.cards if c.preprocess.fit == way.cards[0].preprocess.fit]  # no fit hides borders
    for card in alike[:MOST_HOWS]:
        seen = answers.seen(card)
        wrong = faults(seen, card, open_classes=way.open_classes)
        looked.append(_Looked(way, tuple(wrong), tuple(seen)))
        if not wrong:
            return looked[-1]
    return looked[0]


def refusal(card: Card, wrong: Sequence[Fault], n_images: int) -> Misread:
    """The error that says what was seen, what it suggests and what a card would say."""
    faulty = "; ".join(dict.fromkeys(f.seen for f in wrong[:2]))
    cures = [f for f in wrong if f.suggests]
    hint = "say in a card.toml beside the model how its answer is read: see docs/card.md"
    if cures:
        decode = cures[0].decode
        hint = f"this looks like {cures[0].suggests}"
        if decode:
            lines = "\n".join(f"      {key} = {toml_value(value)}" for key, value in decode.items())
            hint += f"; if so, say it in a card.toml beside the model:\n      [decode]\n{lines}"
        else:
            hint += "; the card's [decode] can say how an answer is read: see docs/card.md"
    hint += "\n    or nothing here reads it: `paredown new-decode` starts a file that does, `--family raw` "
    hint += "only compares the outputs with the float model's (docs/unknown_model.md)"
    return Misread(
        f"the answers cannot be what the family {card.family!r} gives: a misread model gets no verdict",
        got=f"on {n_images} images: {faulty}",
        expected=_expected(card),
        hint=hint,
    )


def _expected(card: Card) -> str:
    columns = card.decode.get("columns")
    if columns is None:
        return "finite scores 0..1 that change with the image, boxes that lie in it"
    return f"columns {columns!r} in {card.decode.get('units', 'pixels')}, scores 0..1, boxes in the image"


def _ambiguous(rivals: Sequence[_Looked]) -> CardError:
    decodes = [r.card.decode for r in rivals]
    differing = [key for key in decodes[0] if any(d.get(key) != decodes[0][key] for d in decodes)]
    ways = ["; ".join(f"{key} = {toml_value(d[key])}" for key in differing if key in d) for d in decodes]
    return CardError(
        "the values can be read in more than one way, and nothing decides",
        got="[decode] " + " or ".join(ways),
        hint="say which in a card.toml beside the model (docs/card.md)",
    )


def _named_as_told(taken: _Looked, first: _Looked) -> Match:
    """The way taken, its origin saying that the values told it and against what."""
    decode = taken.card.decode
    how = ", ".join(f"{key} {decode[key]}" for key in ("columns", "units", "background") if key in decode)
    against = first.faults[0].seen if first.faults else "another family"
    source = f"; told by the values: {how} ({first.card.family} as usual: {against})"
    cards = tuple(
        replace(c, origin={**c.origin, "family": c.origin["family"] + source}) for c in taken.way.cards
    )
    return replace(taken.way, cards=cards)


def _widened(match: Match, seen: Sequence[AnswerFigures]) -> Match:
    """The match with as many classes as the class numbers found need, where nothing said how many."""
    largest = expect.largest_label(seen)
    if not match.open_classes or largest < len(match.cards[0].classes):
        return match
    count = next((n for n in USUAL_COUNTS if n > largest), largest + 1)
    names = coco_by_id(0, 91) if count == 91 else unnamed_classes(count)
    source = f"class numbers up to {largest} were found: " + (
        "COCO's category ids" if count == 91 else f"{count} classes, unnamed"
    )
    cards = tuple(replace(c, classes=names, origin={**c.origin, "classes": source}) for c in match.cards)
    return replace(match, cards=cards)
