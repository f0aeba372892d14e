"""The verbs that load: a model with its card, images each decoded once; and what other verbs need of that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paredown import data
from paredown._measure.feeding.card_choice import CardChoice
from paredown._measure.feeding.probe import untried
from paredown.card import Card
from paredown.checking import checked
from paredown.errors import CardError, Misread, UsageError
from paredown.families import raw
from paredown.families.cards import read_card
from paredown.families.hints import Hints, recognise_file
from paredown.graph.prepare import prepare
from paredown.inputs import ImagesLike, ModelLike, as_dataset, read_model
from paredown.model import Model
from paredown.preparing import weigh_cards
from paredown.progress import default_voice
from paredown.protocols import Progress
from paredown.sample import Dataset
from paredown.study.images import read_images
from paredown.targets import target as find_target

__all__ = ["card_of", "choose", "load", "load_unread", "prepared_of", "read_dataset", "shown", "with_card"]


@checked
def load(
    path: str | Path,
    images: ImagesLike | None = None,
    *,
    family: str | None = None,
    card: str | Path | None = None,
    scale: str | None = None,
    colour: str | None = None,
    fit: str | None = None,
    decode: str | Path | None = None,
    input: str | Sequence[str] = (),
    inputs: str | Path | None = None,
    dequantize: bool = False,
    progress: Progress | None = None,
) -> Model:
    """The model in an ONNX file. With `images` it carries its card: how to feed it and read its answer.

    scale, colour, fit: as --scale, --colour and --fit on the command line ("imagenet", "bgr", "letterbox").
    decode: a Python file that reads the model's answer (docs/unknown_model.md). input: shapes of inputs that
    leave it open, "1x3x640x640" or "name=1x4"; inputs: an .npz file with what the inputs beside the image are
    fed. dequantize: start from a model that is quantized already, its numbers turned to floats.

    Raises ModelError where the file is no usable model, CardError where no family fits, several do, or
    nothing tells how the model is fed.
    """
    file, progress = Path(path), shown(progress)
    shapes = (input,) if isinstance(input, str) else tuple(input)
    hints = Hints(family, card, scale, colour, fit, decode, shapes, inputs, dequantize)
    model = read_model(file, hints)
    if images is None and card is None:
        return model
    if images is None:
        return model.with_card(read_card(Path(card or ""), model))
    choice = weigh_cards(model, file, as_dataset(images, progress), find_target("local"), hints, progress)
    return model.with_card(choice.settled())


def choose(
    model: Model, file: Path, hints: Hints, images: Dataset | None = None, progress: Progress | None = None
) -> CardChoice:
    """How the model is fed, decided or not; without images nothing is tried. Raises CardError."""
    if images is None:
        match = recognise_file(model, file, hints).best()
        return untried(match, match.cards[0], "no images were given")
    return weigh_cards(model, file, images, find_target("local"), hints, shown(progress))


@checked
def read_dataset(
    spec: str | Path,
    *,
    split: str | None = None,
    max_bad: int = 0,
    allow_outside: bool = False,
    progress: Progress | None = None,
) -> Dataset:
    """The images at a path, each decoded once to be sure. The format is found by looking, or said outright.

    allow_outside: the data set may name files outside its own folder, by links, lists or paths.

    Raises DataError, and ImageError where more than `max_bad` images cannot be read.
    """
    given = read_images(str(spec), split=split, allow_outside=allow_outside)
    return data.verify(given, max_bad, shown(progress))


def with_card(model: ModelLike, images: Dataset, progress: Progress) -> Model:
    """The model itself; or the one in the file of that path, with its card tried on the images."""
    return model if isinstance(model, Model) else load(model, images, progress=progress)


def load_unread(path: str | Path, images: Dataset, **said: Any) -> tuple[Model, str]:
    """The model for what needs no reading of its answer, and what there is to say of that.

    said: as for `load`. One whose answer nothing here reads is taken value by value, which the text says,
    unless the user said how it is read: then it is refused as `load` does.
    """
    try:
        return load(path, images, **said), ""
    except Misread as misread:
        if any(said.get(name) is not None for name in ("family", "card", "decode")):
            raise
        try:
            model = load(path, images, **{**said, "family": raw.NAME})
        except CardError:
            raise misread from None
        return model, f"{misread.what}, {misread.got}; compressing needs no reading: its outputs as they are"


def shown(progress: Progress | None) -> Progress:
    """The progress that was given, else that of a terminal or notebook."""
    return default_voice().progress if progress is None else progress


def card_of(model: Model) -> Card:
    """The card that a model carries. Raises UsageError where it has none."""
    if model.card is None:
        raise UsageError(
            f"nothing is known yet about how to feed {model.name}",
            hint="load it with images to try that on, load(path, images), or with load(path, card=...)",
        )
    return model.card


def prepared_of(model: Model) -> Model:
    """The model as everything works on it, at the size that its card says."""
    return prepare(model, None if model.card is None else model.card.preprocess.size)
