"""The choice of a model's preprocessing as a table: what was tried, how it did, what was decided."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from paredown._measure.feeding.candidate_cards import CandidateCard
from paredown._measure.feeding.card_choice import HOW_TO_SAY, CardChoice, leader, metric_of
from paredown._measure.feeding.evidence import gap_of, interval_of, p_value
from paredown.card import Card
from paredown.cli import console
from paredown.families.hints import options_for
from paredown.preprocessing.values import describe, feeding, feeding_values

COLUMNS = ("", "preprocessing", "classes", "images", "score", "95 % interval", "less by", "p", "said by")


def show_choice(choice: CardChoice, pictures: Sequence[str]) -> None:
    """The table of what was tried, or could be; the decision; where the pictures lie."""
    out = console.stdout()
    cards = choice.match.cards
    if choice.tried:
        rows = [(str(i), *_row(choice, c)) for i, c in enumerate(choice.tried, start=1)]
        out.print(console.table(COLUMNS, rows, numbers=COLUMNS[3:-1]))
        out.print(f"\nScores are {metric_of(choice.card)}; p: that the best is no better than this one.")
    elif len(cards) > 1:
        rows = [
            (str(i), describe(card.preprocess), options_for(choice.match, card))
            for i, card in enumerate(cards, start=1)
        ]
        out.print(console.table(("", "preprocessing, not tried", "said by"), rows))
    if choice.refusal is None:
        out.print(f"\n{feeding(choice.card)}", markup=False, soft_wrap=True)
    else:
        out.print(f"\nNot decided: {choice.refusal.what}")
        out.print(Text(f"Say which with these options, {HOW_TO_SAY}."))
    for path in pictures:
        out.print(path, markup=False, soft_wrap=True)


def values_of(choice: CardChoice) -> dict[str, object]:
    """The same as plain values."""
    return {
        "decided": choice.refusal is None,
        "preprocessing": feeding_values(choice.card) if choice.refusal is None else None,
        "refusal": None if choice.refusal is None else str(choice.refusal),
        "candidates": [_candidate_values(choice, c) for c in choice.tried]
        or [_way_values(choice, card) for card in choice.match.cards],
    }


def _row(choice: CardChoice, candidate: CandidateCard) -> tuple[str, ...]:
    card, found, best = candidate.card, candidate.evidence, _best(choice)
    if found is None or best.evidence is None:
        return (describe(card.preprocess), "", "0", "-", "-", "-", "-", options_for(choice.match, card))
    i = interval_of(found)
    less, p = "", ""
    if candidate is not best and found.n_images == best.evidence.n_images:
        gap = gap_of(best.evidence, found)
        less, p = f"{gap.value:.3f} ({gap.low:.3f} .. {gap.high:.3f})", f"{p_value(best.evidence, found):.3f}"
    elif candidate is not best:
        less = "clearly"
    bounds = f"{i.low:.3f} .. {i.high:.3f}"
    named, said = card.classes[0], options_for(choice.match, card)
    return (describe(card.preprocess), named, str(found.n_images), f"{i.value:.3f}", bounds, less, p, said)


def _candidate_values(choice: CardChoice, candidate: CandidateCard) -> dict[str, object]:
    found, best = candidate.evidence, _best(choice)
    values = _way_values(choice, candidate.card)
    if found is None or best.evidence is None:
        return values
    i = interval_of(found)
    values |= {"metric": metric_of(candidate.card), "images": found.n_images}
    values |= {"score": i.value, "low": i.low, "high": i.high}
    if candidate is not best and found.n_images == best.evidence.n_images:
        values["p"] = p_value(best.evidence, found)
    return values


def _way_values(choice: CardChoice, card: Card) -> dict[str, object]:
    return {
        "words": describe(card.preprocess),
        "options": options_for(choice.match, card),
        "first_class": card.classes[0],
        "decode": card.decode,
    }


def _best(choice: CardChoice) -> CandidateCard:
    return leader(choice.tried)
