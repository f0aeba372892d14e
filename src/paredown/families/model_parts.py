"""The table [parts] of a card: the files of a promptable model that comes as an encoder and a decoder.

[parts]
encoder = "encoder.onnx"        # beside the card: image -> embeddings
decoder = "decoder.onnx"        # embeddings and prompts -> masks

[parts.embeddings]              # where shapes do not tell: output of the encoder -> input of the decoder
image_embeddings = "image_embeddings"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paredown.errors import CardError, UnknownName
from paredown.families.card_input import checked
from paredown.graph.join import DECODER, ENCODER
from paredown.toml import read_toml, toml_lines

_KEYS = (ENCODER, DECODER, "embeddings")


@dataclass(frozen=True)
class Parts:
    """files: by "encoder" and "decoder". embeddings: output of the encoder -> input of the decoder."""

    files: Mapping[str, Path]
    embeddings: Mapping[str, str]


def read_parts(card: Path) -> Parts:
    """The parts that a card file names. Raises CardError where it names none, UnknownName for other keys."""
    values = read_toml(card, what="the card", error=CardError)
    table = values.get("parts")
    if not isinstance(table, dict) or not {ENCODER, DECODER} <= set(table):
        raise CardError(
            f"{card} names no parts of a model",
            got="[parts] with " + (", ".join(table) or "nothing")
            if isinstance(table, dict)
            else "no [parts]",
            expected='[parts] with encoder = "encoder.onnx" and decoder = "decoder.onnx"',
            hint="a model in one file is named itself; its card.toml is found beside it (docs/promptable.md)",
        )
    for key in table:
        if key not in _KEYS:
            raise UnknownName("key of [parts]", key, _KEYS)
    files = {name: _file(card, name, table[name]) for name in (ENCODER, DECODER)}
    embeddings = checked(card, "parts.embeddings", table.get("embeddings", {}), Mapping[str, str])
    return Parts(files, embeddings)


def parts_text(parts: Parts, folder: Path) -> str:
    """The table for a card in that folder. Raises CardError where a part does not lie there or below it."""
    lines = {}
    for name, file in parts.files.items():
        try:
            lines[name] = file.absolute().relative_to(folder.absolute()).as_posix()
        except ValueError as e:
            raise CardError(
                "a card names the parts of its model beside it, or below it",
                got=f"{file}, and a card in {folder}",
                hint="write the card into the folder of the parts (--out)",
            ) from e
    text = "\n# The files that the model is made of.\n[parts]\n" + toml_lines(lines)
    return text + (f"\n[parts.embeddings]\n{toml_lines(parts.embeddings)}" if parts.embeddings else "")


def _file(card: Path, name: str, value: object) -> Path:
    said: str = checked(card, f"parts.{name}", value, str)
    if Path(said).is_absolute() or ".." in Path(said).parts:
        raise CardError(f"{card}: parts.{name} is a file beside the card, or below it", got=repr(said[:80]))
    return card.parent / said
