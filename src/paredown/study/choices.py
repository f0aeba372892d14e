"""What a study left out, and why: kept in choices.json, so that nothing is left out silently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from paredown.errors import StorageError
from paredown.files import write_whole
from paredown.study.private import Hide, hidden
from paredown.study.records import json_text, plain, read_json
from paredown.typed import build

FILE = "choices.json"
OUT_OF_TIME = "the budget ran out"
MOST_NAMED = 6  # trials in a sentence
What = Literal["not tried", "not judged", "timed shortly"]


@dataclass(frozen=True)
class Choice:
    """One thing that was not done. label: of the pair of recipe and place. pixels: longer side of the input;
    0 for the model's own size."""

    label: str
    runtime: str
    pixels: int
    what: What
    why: str

    def __str__(self) -> str:
        return f"{self.label} {self.what}: {self.why}"


def write_choices(directory: Path, choices: Sequence[Choice], hide: Hide = str) -> None:
    """Writes them whole, in place of those of an earlier run."""
    write_whole(directory / FILE, json_text(hidden(plain(choices), hide)).encode())


def read_choices(directory: Path) -> tuple[Choice, ...]:
    """What was written last; nothing where no choice had to be made. Raises StorageError on damage."""
    path = directory / FILE
    if not path.is_file():
        return ()
    try:
        return tuple(build(Choice, c) for c in read_json(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as e:
        hint = "run the study again: it writes the file anew"
        raise StorageError(f"{path} cannot be read", got=str(e)[:200], hint=hint) from e


def out_of_time(choices: Sequence[Choice]) -> tuple[str, ...]:
    """The labels of what was left out for want of time."""
    return tuple(c.label for c in choices if c.what != "timed shortly" and c.why.startswith(OUT_OF_TIME))


def some_of(labels: Sequence[str]) -> str:
    """ "int8, int4 and 40 more": the labels, few enough to be read."""
    if len(labels) <= MOST_NAMED:
        return ", ".join(labels)
    return f"{', '.join(labels[: MOST_NAMED - 1])} and {len(labels) - MOST_NAMED + 1} more"
