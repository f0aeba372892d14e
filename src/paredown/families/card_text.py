"""A card written down as TOML, so that it reads back equal (`cards.py`)."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from paredown.card import Card, Preprocess
from paredown.files import write_whole
from paredown.toml import toml_text

_TABLES = {"input": "preprocess", "decode": "decode", "origin": "origin"}


def write_card(card: Card, path: Path) -> None:
    """Writes the card so that it reads back equal, whole or not at all. Raises StorageError."""
    write_whole(path, card_text(card).encode())


def card_text(card: Card) -> str:
    """The card as the text of a TOML file."""
    tables = {name: getattr(card, attribute) for name, attribute in _TABLES.items()}
    tables["input"] = {f.name: getattr(card.preprocess, f.name) for f in fields(Preprocess)}
    others = dict(tables["input"].pop("others"))
    tables = {"input": tables.pop("input"), "input.others": others, **tables}
    plain = {f.name: getattr(card, f.name) for f in fields(Card) if f.name not in _TABLES.values()}
    return toml_text({"": plain, **{name: table for name, table in tables.items() if table}})
