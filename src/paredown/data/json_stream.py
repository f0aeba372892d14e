"""A large JSON object read piece by piece: only what is kept takes memory, not the whole text and tree.

The annotations of COCO's training images are 448 MB of text, and some 3 GB once parsed at one go.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from paredown.data.files import open_plain
from paredown.data.labels import shown
from paredown.errors import DataError

MAX_JSON_BYTES = 2 << 30
MAX_PIECE = 16 << 20  # characters of one entry; an outline of thousands of points takes one of these
_CHUNK = 1 << 20
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()

Record = dict[str, Any]  # one JSON object; every value is checked where it is used


def read_lists(path: Path, keep: Mapping[str, Callable[[Record], None]]) -> Record:
    """Hands every object of the lists named in `keep` over, in file order; returns the other keys' values.

    A list that was handed over is returned as []. Raises: DataError for what is no JSON object, too long or
    nested too deeply, and for a list in `keep` that holds anything but objects.
    """
    with open_plain(path) as file:
        source = _Source(file, path)
        try:
            return _object(source, keep)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{str(path)!r} is not JSON", got=error) from error


class _Source:
    """Text of a file from `position` on, as much of it as is needed at a time."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.text, self.position, self.ended, self._read = "", 0, False, 0

    def more(self) -> bool:
        """Reads a piece further; False at the end. Raises: DataError where file or entry are too large."""
        if self.ended:
            return False
        rest = self.text[self.position :]
        if len(rest) > MAX_PIECE:
            raise DataError(
                f"one entry of {str(self._path)!r} is too long, or broken",
                expected=f"at most {MAX_PIECE:,} characters",
            )
        piece = self._file.read(max(_CHUNK, len(rest)))  # doubling: an entry is not parsed again and again
        self._read += len(piece)
        if self._read > MAX_JSON_BYTES:
            raise DataError(f"{str(self._path)!r} is too large", expected=f"at most {MAX_JSON_BYTES:,} bytes")
        self.ended = not piece
        self.text, self.position = rest + self._decoder.decode(piece, self.ended), 0
        return True

    def next(self) -> str:
        """The next character that is no space, not taken yet; "" at the end."""
        while True:
            self.position = _SPACE.match(self.text, self.position).end()  # type: ignore[union-attr]
            if self.position < len(self.text):
                return self.text[self.position]
            if not self.more():
                return ""

    def take(self, wanted: str) -> str:
        """The next character, one of `wanted`. Raises: ValueError."""
        found = self.next()
        if not found or found not in wanted:
            raise ValueError(f"{found!r} where one of {wanted!r} belongs")
        self.position += 1
        return found

    def value(self) -> Any:
        """The next JSON value, whole. Raises: ValueError."""
        self.next()
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.position)
            except ValueError:
                if not self.more():
                    raise
                continue
            if end == len(self.text) and self.more():  # a number may go on
                continue
            self.position = end
            return value


def _object(source: _Source, keep: Mapping[str, Callable[[Record], None]]) -> Record:
    rest: Record = {}
    source.take("{")
    if source.next() == "}":
        source.take("}")
    else:
        while True:
            key = source.value()
            if not isinstance(key, str):
                raise ValueError(f"a key that is no text: {key!r}")
            source.take(":")
            if key in keep and source.next() == "[":
                _list(source, key, keep[key])
                rest[key] = []
            else:
                rest[key] = source.value()
            if source.take(",}") == "}":
                break
    if source.next():
        raise ValueError("text behind the end")
    return rest


def _list(source: _Source, key: str, hand_over: Callable[[Record], None]) -> None:
    source.take("[")
    if source.next() == "]":
        source.take("]")
        return
    while True:
        value = source.value()
        if not isinstance(value, dict):
            raise DataError(f"no list of {key}", got=shown(value), expected=f'"{key}": [{{...}}, ...]')
        hand_over(value)
        if source.take(",]") == "]":
            return
