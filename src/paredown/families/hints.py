"""What the user says about a model goes before everything else: before a card, metadata and conventions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from paredown.card import Card, Preprocess
from paredown.errors import CardError, UnknownName
from paredown.families.cards import OWN, card_beside, read_decode, recognise_with_card
from paredown.families.family import Match
from paredown.families.recognition import Recognition, recognise
from paredown.model import Model
from paredown.preprocessing.npz import read_others
from paredown.preprocessing.values import name_of, parse_values, same_values, with_colour, with_values

FITS = ("letterbox", "letterbox-corner", "stretch", "crop")
COLOURS = ("rgb", "bgr")


@dataclass(frozen=True)
class Hints:
    """What was said about a model, as the options of these names say it; None where one was not given.

    input: shapes of inputs that are left open, as `graph.given_shapes` reads them. inputs: an .npz file of
    what the inputs beside the image are fed. dequantize: start from a model that is quantized already.
    """

    family: str | None = None
    card: str | Path | None = None
    scale: str | None = None  # a word of `values.parse_values`
    colour: str | None = None
    fit: str | None = None
    decode: str | Path | None = None
    input: tuple[str, ...] = ()
    inputs: str | Path | None = None
    dequantize: bool = False

    @property
    def about_input(self) -> str:
        """The options about the input as they are typed; empty where there are none."""
        given = (("--scale", self.scale), ("--colour", self.colour), ("--fit", self.fit))
        return " ".join(f"{option} {value}" for option, value in given if value is not None)


def recognise_file(model: Model, file: Path, hints: Hints) -> Recognition:
    """The families that fit, with what a card file says put into their cards, then what `hints` say.

    The card is the one that `hints` name, else the one beside the model file. Raises CardError where one of
    them does not fit the model, UnknownName on a wrong word.
    """
    written = card_beside(file) if hints.card is None else Path(hints.card)
    said = {} if hints.decode is None else read_decode(Path(hints.decode))
    family = OWN if said and hints.family is None else hints.family
    if written is None:
        found = recognise(model, family, said=said)
    else:
        found = recognise_with_card(written, model, family, said)
    return hinted(found if hints.inputs is None else fed_by(found, model, Path(hints.inputs)), hints)


def fed_by(found: Recognition, model: Model, file: Path) -> Recognition:
    """The recognition with the arrays of an .npz file as what the inputs beside the image are fed."""
    others = read_others(file, model.inputs)

    def fed(match: Match) -> Match:
        cards = (replace(c, preprocess=replace(c.preprocess, others=others)) for c in match.cards)
        return replace(match, cards=tuple(cards), others=tuple(fed(other) for other in match.others))

    return replace(found, matches=tuple(fed(match) for match in found.matches))


def hinted(found: Recognition, hints: Hints) -> Recognition:
    """The recognition with what the hints say about the input in every candidate card."""
    for kind, word, known in (("fit", hints.fit, FITS), ("colour", hints.colour, COLOURS)):
        if word is not None and word not in known:
            raise UnknownName(kind, word, known)
    if not hints.about_input:
        return found
    return replace(found, matches=tuple(_hint(match, hints) for match in found.matches))


def options_for(match: Match, card: Card) -> str:
    """The fewest options that leave this way of feeding alone."""
    how = card.preprocess
    scale = (name_of(how) or f"{how.scale:g}") if how.dtype.startswith("float") else None
    colour = None if how.colour == "grey" else how.colour
    tries = (
        Hints(scale=scale),
        Hints(colour=colour),
        Hints(scale=scale, colour=colour),
        Hints(scale=scale, fit=how.fit),
        Hints(scale=scale, colour=colour, fit=how.fit),
    )
    for hints in tries:
        left = {c.preprocess for c in _hint(match, hints).cards}
        if all(same_values(other, how) and _alike(other, how) for other in left):
            break
    return hints.about_input


def _alike(a: Preprocess, b: Preprocess) -> bool:
    return (a.colour, a.fit) == (b.colour, b.fit)


def _hint(match: Match, hints: Hints) -> Match:
    """The match with those cards that the hints leave.

    A range of values chooses among the family's usual inputs, so that it brings the usual channel order with
    it; where none has it, it is put into the default. Order and fit are put into every card.
    """
    cards = match.cards
    if hints.scale is not None:
        _check_values(cards[0].preprocess, hints.scale)
        wanted = [_with_scale(card.preprocess, hints.scale) for card in cards]
        usual = [c for c, how in zip(cards, wanted, strict=True) if same_values(c.preprocess, how)]
        cards = tuple(usual) or _at(cards[:1], [wanted[0]])
    hows = [card.preprocess for card in cards]
    if hints.colour is not None:
        _check_colour(hows[0], hints.colour)
        hows = [with_colour(how, hints.colour) for how in hows]
    if hints.fit is not None:
        hows = [replace(how, fit=hints.fit) for how in hows]  # type: ignore[arg-type]
    said = [
        replace(c, origin={**c.origin, "preprocessing": f"said by {hints.about_input}"})
        for c in _at(cards, hows)
    ]
    others = tuple(_hint(other, hints) for other in match.others)
    return replace(match, cards=tuple(c for i, c in enumerate(said) if c not in said[:i]), others=others)


def _at(cards: tuple[Card, ...], hows: list[Preprocess]) -> tuple[Card, ...]:
    return tuple(replace(card, preprocess=how) for card, how in zip(cards, hows, strict=True))


def _with_scale(how: Preprocess, scale: str) -> Preprocess:
    return with_values(how, parse_values(scale))


def _check_values(how: Preprocess, scale: str) -> None:
    if not how.dtype.startswith("float"):
        raise CardError(
            "the model takes whole numbers, so --scale has nothing to say",
            got=f"--scale {scale}, an input of type {how.dtype}",
            hint="what the pixels become is settled by the input's type",
        )


def _check_colour(how: Preprocess, colour: str) -> None:
    if how.colour == "grey":
        raise CardError("the model takes grey images: it has one channel", got=f"--colour {colour}")
