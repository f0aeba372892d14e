"""The noun `CardChoice`: how a model is fed, what else was tried, and why that was decided, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from paredown._measure.feeding.candidate_cards import CandidateCard, nameless
from paredown._measure.feeding.evidence import better, gap_of, interval_of
from paredown.card import Card
from paredown.errors import CardError
from paredown.families.family import Match
from paredown.families.hints import options_for
from paredown.preprocessing.values import FED, describe, nearly_same
from paredown.tasks import TASKS
from paredown.tasks.card_evidence import CardEvidence

LEAST_SCORE = 0.1  # below, a model has other classes than the data set
LEAST_NAMELESS = (
    0.02  # of a detector whose classes nothing names: every object counts, also what it never finds
)
MOST_LISTED = 10  # ways in an error message


@dataclass(frozen=True)
class CardChoice:
    """A card and what it was chosen from. Nothing was tried where there was one way only, or no truth.

    refusal: why none could be chosen; `card` is then the first of the usual ones, not to be used. doubt: why
    what was chosen could still be wrong.
    """

    card: Card
    match: Match
    tried: tuple[CandidateCard, ...] = ()
    refusal: CardError | None = None
    doubt: str = ""

    @property
    def open_cards(self) -> tuple[Card, ...]:
        """The card where it is decided, else those of the ways that are left, one of each."""
        return (self.card,) if self.refusal is None else tuple(_ways(self.match.cards))

    def settled(self) -> Card:
        """The card. Raises CardError where it could not be chosen."""
        if self.refusal is not None:
            raise self.refusal
        return self.card


def decide(match: Match, tried: Sequence[CandidateCard]) -> tuple[CandidateCard, CardError | None]:
    """The best candidate, with the outcome in its card's origin; and why it must not be taken, if so.

    The default of a settled match stays unless another is better by more than chance. Without such a default
    the best must be better than every other by more than chance.
    """
    default, best = tried[0], leader(tried)
    if match.settled:
        taken = best is not default and (_beats(best, default) or _names_others(best, default))
        chosen = best if taken else default
        return _told(chosen, _outcome_of_settled(chosen, best, default, tried)), None
    tied, same = _tied(best, tried)
    low = best.score[0] < (LEAST_NAMELESS if nameless(best.card) else LEAST_SCORE)
    if low and (tied or TASKS[best.card.task].REFUSE_LOW):
        return best, _nothing_right(tried)
    tied = [c for c in tied if not _names_others(best, c)]
    if tied:
        return best, _tie(match, best, tied)
    usual = min((best, *same), key=tried.index)  # of those that feed nearly the same, the family's first
    return _told(usual, _outcome(usual, [c for c in tried if c is usual or c not in (best, *same)])), None


def contested(match: Match, tried: Sequence[CandidateCard]) -> bool:
    """Whether more images could change what `decide` says."""
    default, best = tried[0], leader(tried)
    if match.settled:
        return best is not default and not _beats(best, default)
    return bool(_tied(best, tried)[0])


def leader(tried: Sequence[CandidateCard]) -> CandidateCard:
    """The candidate with the best score among those that saw the most images; the first of equals."""
    most = max(len(c.predictions) for c in tried)
    return max((c for c in tried if len(c.predictions) == most), key=lambda c: c.score)


def beaten(best: CandidateCard, other: CandidateCard) -> bool:
    """Whether the other need not be tried on more images."""
    return other is not best and _beats(best, other)


def without_truth(match: Match, lacking: str) -> CardError:
    """What is said where there is no truth and no convention: the ways, and how to say which."""
    return CardError(
        "how this model wants its input is not known: its family has no convention, its file does not say, "
        f"and {lacking} (how sure it looks proves nothing: a net that is fed wrongly can look surer)",
        got=f"{len(_ways(match.cards))} usual ways",
        hint=f"say which:\n{_listed(match, match.cards)}\n  {HOW_TO_SAY}",
    )


def figure(candidate: CandidateCard) -> str:
    """AP50 or top-1 with its 95 % interval: "AP50 0.62 (0.55 .. 0.69)"."""
    found = _known(candidate)
    i = interval_of(found)
    return f"{metric_of(candidate.card)} {i.value:.2f} ({i.low:.2f} .. {i.high:.2f})"


HOW_TO_SAY = (
    "or say it as [input] in a card.toml beside the model (docs/card.md; `paredown card MODEL` writes one); "
    "`paredown inspect MODEL --data DATA --out DIR` draws what the model finds each way; images with truth "
    "decide it"
)


def _tied(
    best: CandidateCard, tried: Sequence[CandidateCard]
) -> tuple[list[CandidateCard], list[CandidateCard]]:
    """Those that the best does not beat by more than chance: really different ones, and nearly the same."""
    unbeaten = [c for c in tried if c is not best and not _beats(best, c)]
    same = [c for c in unbeaten if _nearly_same(best.card, c.card)]
    return [c for c in unbeaten if c not in same], same


def _nearly_same(a: Card, b: Card) -> bool:
    if (a.classes, a.decode) != (b.classes, b.decode):
        return False
    return nearly_same(a.preprocess, b.preprocess)


def _names_others(best: CandidateCard, other: CandidateCard) -> bool:
    """Whether detectors differ in the names of classes alone: right boxes under a right name are no chance,
    however few the classes are that tell the lists apart."""
    a, b = best.card, other.card
    same = (a.preprocess, a.decode) == (b.preprocess, b.decode)
    return same and a.classes != b.classes and not TASKS[a.task].MORE_CLASSES


def _beats(best: CandidateCard, other: CandidateCard) -> bool:
    if other.evidence is None or len(other.predictions) < len(best.predictions):
        return True  # it was out of the race on fewer images
    return better(_known(best), other.evidence)


def _known(candidate: CandidateCard) -> CardEvidence:
    if candidate.evidence is None:
        raise ValueError("a candidate must be tried before it is judged")
    return candidate.evidence


def _told(chosen: CandidateCard, outcome: str) -> CandidateCard:
    card = replace(chosen.card, origin={**chosen.card.origin, FED: outcome})
    return replace(chosen, card=card)


def metric_of(card: Card) -> str:
    """What candidates are scored by, in words."""
    return TASKS[card.task].WORDS.tried_by


def _outcome(best: CandidateCard, tried: Sequence[CandidateCard]) -> str:
    """What was chosen against what, in words."""
    shown = f"tried on {_known(best).n_images} images with truth: {figure(best)}"
    others = [c for c in tried if c is not best]
    if not others:
        return f"{best.card.origin.get('preprocessing', 'as recognised')}; {shown}"
    return f"{shown}; next, {_against(best, max(others, key=lambda c: (len(c.predictions), c.score)))}"


def _against(best: CandidateCard, rival: CandidateCard) -> str:
    """The rival's figure and how much less that is, with its interval where both saw the same images."""
    same_input = rival.card.preprocess == best.card.preprocess
    who = f"classes from {rival.card.origin.get('classes', 'elsewhere')}" if same_input else _way(rival.card)
    n = len(rival.predictions)
    if n != len(best.predictions):
        return f"{who}: {_known(rival).value:.2f} on the first {n}"
    gap = gap_of(_known(best), _known(rival))
    beaten = f"{who}: {_known(rival).value:.2f}, less by {gap.value:.2f} ({gap.low:.2f} .. {gap.high:.2f})"
    aside = "" if gap.low > 0 else _known(best).aside(_known(rival))
    return f"{beaten}, {aside}" if aside else beaten


def _outcome_of_settled(
    chosen: CandidateCard, best: CandidateCard, default: CandidateCard, tried: Sequence[CandidateCard]
) -> str:
    basis = default.card.origin.get(FED, "as recognised")
    n = _known(best).n_images
    if chosen is not default:
        return (
            f"tried on {n} images with truth: {figure(best)}, better than {basis} by more than chance; "
            f"that is {_against(best, default)}"
        )
    if best is default:
        return f"{basis}; tried on {n} images with truth: {figure(default)}, nothing else does better"
    gap = gap_of(_known(best), _known(default))
    return (
        f"{basis}; tried on {n} images with truth: {figure(default)}; {_way(best.card)} gives "
        f"{gap.value:.2f} more ({gap.low:.2f} .. {gap.high:.2f}), which can be chance"
    )


def _nothing_right(tried: Sequence[CandidateCard]) -> CardError:
    best = leader(tried)
    n = _known(best).n_images
    return CardError(
        "the images do not tell how this model wants its input, or which classes it gives",
        got=f"{figure(best)} at best on {n} images with truth, fed with {_way(best.card)}",
        hint="are these the model's classes, in its order? A card.toml beside it names them: `classes`; "
        "`paredown inspect MODEL --data DATA --out DIR` draws what the model finds each way",
    )


def _tie(match: Match, best: CandidateCard, tied: Sequence[CandidateCard]) -> CardError:
    n = _known(best).n_images
    listed = _listed(match, [c.card for c in (best, *tied)], (best, *tied))
    return CardError(
        f"the {n} images with truth do not tell how this model wants its input: the difference can be chance",
        got=f"{figure(best)} at best, and {len(tied)} other{'s' if len(tied) > 1 else ''} within chance",
        hint=f"give more images with truth, or say which:\n{listed}\n  {HOW_TO_SAY}",
    )


def _listed(match: Match, cards: Sequence[Card], tried: Sequence[CandidateCard] = ()) -> str:
    """One line for each way: what it means, what it scored, and the options that say it."""
    lines = []
    for card in _ways(cards)[:MOST_LISTED]:
        said = options_for(match, card)
        score = next((f": {metric_of(card)} {_known(c).value:.2f}" for c in tried if c.card is card), "")
        lines.append(f"    {said:<34} {_way(card)}{score}")
    return "\n".join(lines)


def _ways(cards: Sequence[Card]) -> list[Card]:
    """One card for each way of feeding."""
    kept: dict[object, Card] = {}
    for card in cards:
        kept.setdefault(card.preprocess, card)
    return list(kept.values())


def _way(card: Card) -> str:
    return describe(card.preprocess)
