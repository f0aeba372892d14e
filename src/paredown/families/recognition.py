"""Which family a model belongs to, from its metadata, shapes and graph; and reading an answer by its card."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from paredown.card import Card
from paredown.detections import Detections, Prediction, RawAnswer
from paredown.errors import CardError, first_line
from paredown.families import FAMILIES
from paredown.families.family import Match
from paredown.families.features import find_features
from paredown.families.raw import sampled
from paredown.graph.image_input import image_inputs, likeliest_image
from paredown.model import Model, TensorSpec
from paredown.preprocessing.letterbox import Frame
from paredown.preprocessing.others import IMAGE
from paredown.toml import toml_value

ANY = "raw"  # the family of whatever no other fits


@dataclass(frozen=True)
class Recognition:
    """The families that fit a model, most certain first. `model_says`: inputs and outputs in words."""

    matches: tuple[Match, ...]
    model_says: str
    size_open: bool = False  # the model leaves height or width open, and nothing tells them
    example: str = ""  # how a size could be said then: "1x3x640x640"
    images: tuple[str, ...] = ()  # the inputs that could take the image, where nothing tells which does

    @property
    def undecided(self) -> bool:
        """Whether two families fit equally well."""
        return len(self.matches) > 1 and self.matches[0].certainty == self.matches[1].certainty

    def best(self) -> Match:
        """The one family that fits best. Raises CardError where none fits, or where nothing decides."""
        if not self.matches and self.size_open:
            raise CardError(
                "the model leaves the size of its input open, and its metadata does not tell it",
                got=self.model_says,
                hint=f"--input {self.example} says it, or `size = [height, width]` under [input] in a "
                "card.toml beside the model",
            )
        if not self.matches and len(self.images) > 1:
            first, *others = self.images
            raise CardError(
                "several inputs could take the image, and nothing tells which",
                got=self.model_says,
                hint="write in a card.toml beside the model\n      [input]\n      image = "
                f"{toml_value(first)}\n      [input.others]\n      {toml_value(others[0])} = "
                f'"{IMAGE}"  # the image again, or numbers',
            )
        if not self.matches:
            raise CardError(
                "no known model family fits this model",
                got=self.model_says,
                expected=f"one image input and the outputs of one of: {', '.join(FAMILIES)}",
                hint="`paredown list families` says what each looks like; an input size left open is given "
                "as size in a card.toml",
            )
        if self.undecided:
            tied = [m for m in self.matches if m.certainty == self.matches[0].certainty]
            raise CardError(
                "more than one model family fits and nothing in the file decides",
                got="; ".join(f"{m.cards[0].family} ({m.why})" for m in tied),
                hint=f"say which with --family {' or --family '.join(m.cards[0].family for m in tied)}; "
                "--family raw only compares the outputs with the float model's",
            )
        return self.matches[0]

    def resolve(self) -> Card:
        """The best family's default card, untried. Raises CardError as `best` does."""
        return self.best().cards[0]


def recognise(
    model: Model,
    family: str | None = None,
    size: tuple[int, int] | None = None,
    said: Mapping[str, object] | None = None,
    image: str = "",
) -> Recognition:
    """The families that fit, or only the one named. `size` (height, width) fills in an input size left open.

    `said`: what a card file says in [decode]; it goes before what a family would take for usual. `image`: the
    input that takes the image.
    Raises UnknownName on a family in no table, CardError where the family named does not fit.
    """
    candidates = FAMILIES.values() if family is None else (FAMILIES[family],)
    features = find_features(model, size, said, image)
    found = [] if features is None else [m for f in candidates if (m := f.matches(features)) is not None]
    if family is None and (said or len(found) > 1):  # what is read goes before what is only compared
        found = [m for m in found if m.cards[0].family != ANY]
    says = f"inputs {_spell(model.inputs)}; outputs {_spell(model.outputs)}"
    if family is not None and not found:
        raise CardError(
            f"the model does not look like the family {family!r}",
            got=says,
            expected=FAMILIES[family].SUMMARY,
            hint="leave --family out and it is recognised; --family raw only compares outputs",
        )
    return Recognition(
        tuple(sorted(found, key=lambda m: -m.certainty)),
        says,
        features is None and _size_open(model),
        _example(model),
        tuple(spec.name for spec in image_inputs(model.inputs)) if features is None else (),
    )


def _size_open(model: Model) -> bool:
    """Whether the image input leaves its height or width open."""
    spec = likeliest_image(model.inputs)
    return spec is not None and None in spec.shape[-3:]


def _example(model: Model) -> str:
    """The shape of the image input with open sides of 640 pixels."""
    spec = likeliest_image(model.inputs)
    shape = () if spec is None else spec.shape
    return "x".join(str(d or (1 if axis == 0 else 640)) for axis, d in enumerate(shape))


def predict(outputs: Mapping[str, Any], card: Card, frame: Frame, conf: float | None = None) -> Prediction:
    """What the model says about one image, by the card's thresholds or with another confidence.

    Raises CardError where the answer cannot be read as the card says, or gives a class number that the card's
    list does not have.
    """
    with reading_by(card):
        found = FAMILIES[card.family].decode(
            outputs,
            card,
            frame,
            conf=card.conf if conf is None else conf,
            iou=card.iou,
            max_detections=card.max_detections,
        )
    if isinstance(found, RawAnswer):
        return sampled(found)
    if isinstance(found, Detections) and found.classes.max(initial=-1) >= len(card.classes):
        raise CardError(
            "the model gives class numbers beyond its list of classes",
            got=f"class number {found.classes.max()}",
            expected=f"0 .. {len(card.classes) - 1}, {len(card.classes)} classes",
            hint="give all of `classes`, in the model's order, in a card.toml beside it; numbers from 1 on "
            "are first_class = 1 in its [decode]",
        )
    return found


@contextlib.contextmanager
def reading_by(card: Card) -> Iterator[None]:
    """Turns what numpy says of an answer that the card does not fit into a CardError.

    A card file may say strides of zero, or outputs that the model has not.
    """
    try:
        yield
    except (ArithmeticError, IndexError, KeyError, TypeError, ValueError) as e:
        how = ", ".join(f"{key} = {value}" for key, value in card.decode.items())
        raise CardError(
            f"the model's answer cannot be read as its card says, family {card.family}",
            got=f"{first_line(e)[:200]}; [decode] {how[:200] or 'is empty'}",
            hint="`paredown card MODEL` writes the card as the model is recognised",
        ) from e


def _spell(specs: tuple[TensorSpec, ...]) -> str:
    return ", ".join(f"{s.dtype} ({', '.join('?' if d is None else str(d) for d in s.shape)})" for s in specs)
