"""Whether a model's boxes give x or y first, told without truth: by images and their mirror images.

A detector finds about the same objects in an image and in the image with left and right exchanged, and
boxes mirrored back lie where they were. Boxes read with their axes exchanged do not: they moved up and down.
Scores and sizes tell nothing of that, and boxes of either order lie about a square image.

n, m: likely boxes of an image and of its mirror image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from paredown._measure.feeding.answers import Answers
from paredown.boxes.iou import box_iou
from paredown.card import Card
from paredown.detections import ClassMap, ClassScores, RawAnswer
from paredown.families import FAMILIES
from paredown.families.boxes import Floats
from paredown.families.candidates import box_form, with_box_form
from paredown.families.expect import LIKELY, MOST_LIKELY
from paredown.families.family import Match
from paredown.families.recognition import reading_by
from paredown.preprocessing.letterbox import Frame
from paredown.protocols import Session
from paredown.sample import Sample

OTHER_AXIS = {"x1": "y1", "x2": "y2", "cx": "cy", "w": "h"}
OTHER_AXIS |= {y: x for x, y in OTHER_AXIS.items()}
SAME = 0.5  # mean overlap of an image's boxes with those of its mirror image, from which on they are the same
CLEAR = 0.2  # by so much more than read the other way


def by_mirror(match: Match, session: Session, samples: Sequence[Sample]) -> Match:
    """The match with the axes of its boxes in the order that mirror images tell, where nothing else says it.

    Tried with each usual preprocessing until one tells; what tells nothing leaves the family's usual order.
    """
    if not match.axes_open or not box_form(str(match.cards[0].decode.get("columns", ""))):
        return match
    seen, mirrored = Answers(session, samples), Answers(session, samples, mirrored=True)
    for card in {card.preprocess: card for card in match.cards}.values():
        other = exchanged(card)
        usual, exchange = (agreement(c, seen, mirrored) for c in (card, other))
        if max(usual, exchange) < SAME or abs(usual - exchange) < CLEAR:
            continue
        if usual > exchange:
            return match
        told = f"; boxes {box_form(str(other.decode['columns']))!r}, as mirror images tell: they overlap by "
        told += f"{exchange:.2f} so, by {usual:.2f} with their axes the other way"
        cards = tuple(
            replace(exchanged(c), origin={**c.origin, "family": c.origin.get("family", "") + told})
            for c in match.cards
        )
        return replace(match, cards=cards)
    return match


def exchanged(card: Card) -> Card:
    """The card with x and y of its boxes exchanged."""
    columns = str(card.decode["columns"])
    form = " ".join(OTHER_AXIS[word] for word in box_form(columns).split())
    return replace(card, decode={**card.decode, "columns": with_box_form(columns, form)})


def agreement(card: Card, seen: Answers, mirrored: Answers) -> float:
    """The mean overlap, 0..1, of each likely box with the nearest one of the mirror image, mirrored back."""
    overlaps = [np.zeros(0)]
    pairs = zip(seen.fed(card.preprocess), mirrored.fed(card.preprocess), strict=True)
    for (_, outputs, frame), (_, turned, turned_frame) in pairs:
        here, there = _likely(outputs, card, frame), _likely(turned, card, turned_frame)
        if len(here) == 0 and len(there) == 0:
            continue
        width = frame.image_size[1]
        back = np.stack([width - there[:, 2], there[:, 1], width - there[:, 0], there[:, 3]], axis=1)
        iou = box_iou(here, back, np.zeros(len(back), np.bool_))
        overlaps += [iou.max(axis=1, initial=0.0), iou.max(axis=0, initial=0.0)]
    every = np.concatenate(overlaps)
    return float(every.mean()) if every.size else 0.0


def _likely(outputs: object, card: Card, frame: Frame) -> Floats:
    """(n, 4) xyxy in pixels of the image, the surest boxes that the model means."""
    with reading_by(card), np.errstate(all="ignore"):
        found = FAMILIES[card.family].candidates(outputs, card, LIKELY)  # type: ignore[arg-type]
    assert not isinstance(found, ClassScores | RawAnswer | ClassMap)  # its card has columns of a box
    best = found.scores.max(axis=1, initial=-np.inf)
    likely = np.flatnonzero((best >= LIKELY) & np.isfinite(found.boxes).all(axis=1))
    likely = likely[np.argsort(-best[likely], kind="stable")[:MOST_LIKELY]]
    return frame.to_image(found.boxes[likely])
