"""Which split a name means. Data sets say val, valid, val2017, eval, ... for the same thing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from paredown.errors import UnknownName

Kind = Literal["train", "val", "test"]
_PREFIXES: tuple[tuple[str, Kind], ...] = (
    ("train", "train"),
    ("calib", "train"),
    ("val", "val"),
    ("eval", "val"),
    ("minival", "val"),
    ("dev", "val"),
    ("test", "test"),
)


def split_kind(name: str) -> Kind | None:
    """What a split is for, by its name; None where the name says nothing. (trainval holds val.)"""
    if name.lower().startswith("trainval"):
        return None
    return next((kind for prefix, kind in _PREFIXES if name.lower().startswith(prefix)), None)


def choose_split(names: Sequence[str], wanted: str | None) -> str | None:
    """The split to read: `wanted` by name or kind, else the one to judge on: val, else test, else the first.

    Raises: UnknownName where `wanted` is none of them.
    """
    if wanted in names:
        return wanted
    for kind in ("val", "test") if wanted is None else (wanted,):
        for name in names:
            if split_kind(name) == kind:
                return name
    if wanted is not None:
        raise UnknownName("split", wanted, names)
    return names[0] if names else None
