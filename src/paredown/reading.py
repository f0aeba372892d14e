"""Reading files that strangers wrote: bounded before it begins, and never from what could keep us waiting."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from paredown.errors import ParedownError

TOML_BYTES = 10_000_000
MOST_PARTS = 50  # of a dotted TOML key: the parser takes time with the square of it
_STRINGS = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'')
_BETWEEN_KEYS = re.compile(r"[,=\[\]{}#\n]")

Error = type[ParedownError]


def read_plain(path: Path, limit: int, *, what: str, error: Error) -> bytes:
    """The bytes of a file. what: what it is to the user ("the card").

    Raises: `error` where there is none, where it is a pipe, a device or a folder, where it holds more than
    `limit` bytes, and where the system refuses.
    """
    try:
        if path.exists() and not path.is_file():
            raise error(f"{what} {path} is no ordinary file", expected="a file", hint="check the path")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as e:  # ValueError: a name no file can have
        raise error(f"cannot read {what} {path}", got=getattr(e, "strerror", None) or e) from e
    if len(data) > limit:
        size = path.stat().st_size
        raise error(f"{what} {path} is too large", got=f"{size:,} bytes", expected=f"at most {limit:,}")
    return data


def read_toml(path: Path, *, what: str, error: Error) -> dict[str, Any]:
    """The tables of a TOML file. Raises `error` where it cannot be read, is none, or is nested too deeply."""
    data = read_plain(path, TOML_BYTES, what=what, error=error)
    try:
        return parse_toml(data.decode("utf-8"))
    except ValueError as e:  # no UTF-8, no TOML, or a number of thousands of digits
        raise error(f"{what} {path} is no TOML file", got=e) from e


def parse_toml(text: str) -> dict[str, Any]:
    """The tables in a TOML text. Raises TOMLDecodeError, also where a key has too many parts to be meant."""
    for part in _BETWEEN_KEYS.split(_STRINGS.sub('""', text)):
        if (dots := part.count(".")) > MOST_PARTS:
            raise tomllib.TOMLDecodeError(f"a key of {dots + 1} parts, at most {MOST_PARTS} are read")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError("nested too deeply") from None
