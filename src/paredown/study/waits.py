"""That a timing waits for another run's, as its unit tells the process that writes the study.

By a file of its own, which both see whatever engine runs the unit: what times runs on the machine that the
study was started on.

unfinished/<environment>/<stem>.waits    there while the unit waits
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from paredown._measure.timing.lock import WAITING
from paredown.files import storage_errors, write_whole
from paredown.protocols import Progress

T = TypeVar("T")


def telling_waits(note: Path) -> Progress:
    """The Progress of a unit, whose bars nobody sees: while it waits for another run, `note` says so.

    Raises StorageError.
    """
    _drop(note)  # of a process that was killed

    def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
        return _noted(items, what.removesuffix(", seconds"), note) if what.startswith(WAITING) else items

    return progress


def read_wait(note: Path) -> str:
    """What a unit waits for, a line; "" where it does not. Raises StorageError."""
    with storage_errors(note):
        try:
            return note.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""


def _noted(items: Iterable[T], text: str, note: Path) -> Iterator[T]:
    write_whole(note, text.encode())
    try:
        yield from items
    finally:
        _drop(note)


def _drop(note: Path) -> None:
    with storage_errors(note):
        note.unlink(missing_ok=True)
