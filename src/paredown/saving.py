"""What verbs return, written down: compressed models, pictures, cards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paredown._compress.recipe import Compressed
from paredown._measure.feeding.card_choice import CardChoice
from paredown.card import Card
from paredown.differences import Pair, side_by_side
from paredown.families.card_file import commented_card
from paredown.families.card_text import write_card
from paredown.families.model_parts import Parts, parts_text
from paredown.files import Layout, check_directory, make_directory, write_named, write_whole
from paredown.graph.two_files import two_files
from paredown.job import FEEDING_PICTURE
from paredown.model import Model
from paredown.pictures import contact_sheet
from paredown.preprocessing.others import image_name
from paredown.preprocessing.prompts import takes_prompts
from paredown.preprocessing.values import feeding_values
from paredown.sample import Dataset
from paredown.study.records import json_text
from paredown.study.store import file_stem
from paredown.targets import target as find_target
from paredown.toml import toml_lines

COMPRESSED = Layout("what `compress` writes", ("model.onnx", "recipe.toml", "log.json"), ("learning-*.pt",))
PICTURES = Layout("what `compare` writes", ("differences.json",))
FEEDING = Layout("what `inspect` writes", ("preprocessing.json",), ("preprocessing*.jpg",))


def save(made: Compressed, out: str | Path, *, force: bool = False) -> Path:
    """The directory with model.onnx, recipe.toml, log.json and card.toml; of a promptable model with
    encoder.onnx and decoder.onnx too. Raises StorageError, and UsageError where the directory holds something
    else, unless `force`."""
    directory = Path(out)
    check_directory(directory, COMPRESSED, force=force)
    make_directory(directory)
    write_whole(directory / "model.onnx", made.model.data)
    write_whole(directory / "recipe.toml", toml_lines({"recipe": made.recipe.name}).encode())
    write_whole(directory / "log.json", json_text(made.log).encode())
    if made.model.card is not None:
        write_card(made.model.card, directory / "card.toml")
        for name, part in _parts(made.model, made.model.card).items():
            write_whole(directory / f"{name}.onnx", part.data)
    return directory


def _parts(model: Model, card: Card) -> dict[str, Model]:
    """The parts of a promptable model, for programs that have the files apart; none of others."""
    return two_files(model, image_name(card.preprocess, model.inputs)) if takes_prompts(card) else {}


def save_pairs(pairs: Sequence[Pair], out: str | Path, *, force: bool = False) -> list[str]:
    """The paths of the pictures, one per image with both models side by side; differences.json names them.

    Raises: StorageError; UsageError where the directory holds something else, unless `force`.
    """
    directory = Path(out)
    check_directory(directory, PICTURES, force=force)
    make_directory(directory)
    paths = [directory / f"{i}-{file_stem(Path(pair.name).stem)}.jpg" for i, pair in enumerate(pairs)]
    for path, pair in zip(paths, pairs, strict=True):
        write_whole(path, side_by_side(pair))
    values = [
        {"file": p.name, "image": pair.name, "why": pair.why} for p, pair in zip(paths, pairs, strict=True)
    ]
    write_whole(directory / "differences.json", json_text(values).encode())
    return [str(path) for path in paths]


def save_feeding(
    model: Model, choice: CardChoice, images: Dataset, out: str | Path, *, force: bool = False
) -> list[str]:
    """The paths of pictures of what the model finds: one for each card of `choice.open_cards`, in its order.

    preprocessing.json names them. Raises: StorageError; UsageError where the directory holds something else.
    """
    directory = Path(out)
    check_directory(directory, FEEDING, force=force)
    make_directory(directory)
    session = find_target("local").compile(model.data)
    cards, paths = choice.open_cards, []
    for i, card in enumerate(cards, start=1):
        name = FEEDING_PICTURE if len(cards) == 1 else f"{Path(FEEDING_PICTURE).stem}-{i}.jpg"
        write_whole(directory / name, contact_sheet(session, card, images))
        paths.append(directory / name)
    values = [{"file": p.name, **feeding_values(card)} for p, card in zip(paths, cards, strict=True)]
    write_whole(directory / "preprocessing.json", json_text(values).encode())
    return [str(path) for path in paths]


def save_card(
    choice: CardChoice, model: Model, out: str | Path, *, parts: Parts | None = None, force: bool = False
) -> Path:
    """The file with the card, every key explained; what was not decided stands in it behind a #.

    parts: the files of a model that comes in two. Raises: StorageError; UsageError where the file is there,
    unless `force`; CardError where the parts do not lie beside it.
    """
    left = () if choice.refusal is None else choice.open_cards
    text = commented_card(choice.card, model.name, left, choice.doubt)
    text += "" if parts is None else parts_text(parts, Path(out).parent)
    write_named(Path(out), text.encode(), force=force)
    return Path(out)
