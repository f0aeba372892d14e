"""The card of a model. What its file does not settle is tried on images with truth, and never guessed.

Without truth the order is: what the user says, the file's metadata and graph, the family's convention; else
it is asked for. How sure a model looks decides nothing: inputs 255 times too large saturate a net.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from paredown._measure.feeding.candidate_cards import (
    CandidateCard,
    ask,
    check_order,
    name_by_finds,
    name_classes,
    nameless,
)
from paredown._measure.feeding.card_choice import CardChoice, beaten, contested, decide, leader, without_truth
from paredown._measure.feeding.reading import check_card, settle_reading
from paredown.card import Card
from paredown.errors import CardError
from paredown.families.family import Match
from paredown.families.recognition import Recognition
from paredown.metrics import uses_truth
from paredown.preprocessing.values import FED
from paredown.protocols import Progress, Session, silent
from paredown.sample import Dataset
from paredown.tasks import TASKS

FIRST_IMAGES = 32  # all candidates are tried on these,
MORE_IMAGES = (96, 200)  # and those that chance does not part on more, up to so many


def choose_card(
    recognition: Recognition,
    session: Session,
    dataset: Dataset,
    n: int = FIRST_IMAGES,
    progress: Progress = silent,
) -> Card:
    """The recognised card with preprocessing and class names; `origin` tells where they come from.

    Raises: CardError where nothing fits, where two families fit, or where the input must be asked for.
    """
    return weigh(recognition, session, dataset, n, progress).settled()


def weigh(
    recognition: Recognition,
    session: Session,
    dataset: Dataset,
    n: int = FIRST_IMAGES,
    progress: Progress = silent,
) -> CardChoice:
    """The choice among the recognised cards, decided or not. Raises CardError where no one family fits."""
    match = settle_reading(recognition, session, dataset)
    candidates = [
        CandidateCard(named)
        for card in match.cards
        for named in name_classes(card, dataset, match.open_classes)
    ]
    first = candidates[0].card
    if len(candidates) == 1 and not nameless(first):
        return CardChoice(first, match)
    if not uses_truth(first.task):
        return untried(match, first, TASKS[first.task].WORDS.no_truth)
    if not dataset.has_truth:
        return untried(match, first, "the images have no truth")
    if dataset.task != TASKS[first.task].TRUTH:
        return untried(match, first, f"the truth of {dataset.name!r} is for another task ({dataset.task})")
    best, tried, refusal = _try(match, candidates, dataset, session, n, progress)
    if refusal is not None:
        return CardChoice(best.card, match, tried, refusal)
    if best.card.preprocess != match.cards[0].preprocess:
        check_card(best.card, session, dataset, match.open_classes)
    check_order(best, dataset)
    seen = _order(dataset, (n, *MORE_IMAGES))[: len(best.predictions)]
    card = name_by_finds(best, dataset, [dataset[i].truth for i in seen])
    return CardChoice(card, match, tried)


def untried(match: Match, first: Card, lacking: str) -> CardChoice:
    """The card that the file and the family's convention give by themselves, if they do.

    first: the match's first card. lacking: why it is not tried, in words.
    """
    if not match.settled and len(match.cards) > 1:
        return CardChoice(first, match, refusal=without_truth(match, lacking))
    basis = first.origin.get(FED, "as recognised")
    doubt = f"{basis}; not tried: {lacking}" if len(match.cards) > 1 else ""
    return CardChoice(replace(first, origin={**first.origin, FED: doubt or basis}), match, doubt=doubt)


def _try(
    match: Match,
    candidates: Sequence[CandidateCard],
    dataset: Dataset,
    session: Session,
    n: int,
    progress: Progress,
) -> tuple[CandidateCard, tuple[CandidateCard, ...], CardError | None]:
    """The decision after as many images as it needs. Those that are clearly worse drop out on the way."""
    order = _order(dataset, (n, *MORE_IMAGES))
    racing, done = list(candidates), 0
    for upto in (min(n, len(order)), *(m for m in MORE_IMAGES if m > n)):
        ask(racing, dataset, order[done:upto], session, progress)
        done = min(upto, len(order))
        if done == len(order) or not contested(match, racing):
            break
        best = leader(racing)
        racing = [c for c in racing if not beaten(best, c) or (match.settled and c is candidates[0])]
    best, refusal = decide(match, [*racing, *(c for c in candidates if c not in racing)])
    return best, tuple(candidates), refusal


def _order(dataset: Dataset, rounds: Sequence[int]) -> list[int]:
    """Indices of images with truth, each round spread over the whole set, none twice."""
    known = [i for i, sample in enumerate(dataset) if sample.truth is not None]
    order: list[int] = []
    for upto in rounds:
        left = np.setdiff1d(known, order)
        wanted = min(upto - len(order), len(left))
        if wanted > 0:
            picks = np.unique(np.linspace(0, len(left) - 1, wanted).round().astype(int))
            order += left[picks].tolist()
    return order
