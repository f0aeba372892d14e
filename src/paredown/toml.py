"""TOML read and written: cards, recipes, device tables, studies."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paredown.errors import ParedownError, StorageError
from paredown.printable import quoted
from paredown.reading import read_plain

TOML_BYTES = 10_000_000
_WANTED = "lines of `key = value`, text in quotes, below [tables]"
MOST_PARTS = 50  # of a dotted key: the parser takes time with the square of it
_STRINGS = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'')
_BETWEEN_KEYS = re.compile(r"[,=\[\]{}#\n]")


def read_toml(path: Path, *, what: str, error: type[ParedownError]) -> dict[str, Any]:
    """The tables of a TOML file. what: what it is to the user ("the card").

    Raises: `error` where it cannot be read, is none, or is nested too deeply.
    """
    data = read_plain(path, TOML_BYTES, what=what, error=error)
    try:
        return parse_toml(data.decode("utf-8"))
    except ValueError as e:  # no UTF-8, no TOML, or a number of thousands of digits
        raise error(f"{what} {path} is no TOML file", got=e, expected=_WANTED) from e


def parse_toml(text: str) -> dict[str, Any]:
    """The tables in a TOML text. Raises TOMLDecodeError, also where a key has too many parts to be meant."""
    for part in _BETWEEN_KEYS.split(_STRINGS.sub('""', text)):
        if (dots := part.count(".")) > MOST_PARTS:
            raise tomllib.TOMLDecodeError(f"a key of {dots + 1} parts, at most {MOST_PARTS} are read")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError("nested too deeply") from None


def toml_text(tables: Mapping[str, Mapping[str, object]]) -> str:
    """TOML of flat tables, the one named "" without a head. None is left out."""
    return "\n".join((f"[{name}]\n" if name else "") + toml_lines(table) for name, table in tables.items())


def toml_lines(table: Mapping[str, object]) -> str:
    """One line for each key of a flat table. None is left out."""
    found = {key: value for key, value in table.items() if value is not None}
    return "".join(f"{_key(key)} = {toml_value(value)}\n" for key, value in found.items())


def toml_value(value: object) -> str:
    """Text, number, switch, or a list of them. Raises StorageError on anything else."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():  # JSON's escapes are TOML's, but for the one control character that JSON allows
            return quoted(json.dumps(value, ensure_ascii=False))
        case list() | tuple():
            return f"[{', '.join(toml_value(v) for v in value)}]"
    raise StorageError(f"a {type(value).__name__} cannot be written as TOML", got=repr(value)[:80])


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml_value(key)
