"""The directory of a study of several models: index.json, and a study of its own for each part of it.

study.toml       the plan
index.json       the parts, in order: what each is of, how far it is, why it was skipped; what was published
status.json      while it runs: what runs where (`status.py`)
models/<label>/  one model in one place with one seed: a study directory like that of `paredown run`
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from paredown.errors import StorageError, UsageError
from paredown.files import write_whole
from paredown.measurement import Trial
from paredown.study.private import Hide, hidden
from paredown.study.published import Published
from paredown.study.records import json_text, plain, read_json
from paredown.study.store import read_trials
from paredown.typed import build

FILE = "index.json"
FOLDER = "models"
State = Literal["waiting", "running", "finished", "skipped", "failed"]


@dataclass(frozen=True)
class Entry:
    """One part. label: its folder in models/. model: the label that it shares with other places and seeds.

    state: waiting, its trials have not begun; skipped, it cannot be tried here (no such file, a package is
    missing); failed, its float model could not be read or judged; `why` says why. planned: the labels of what
    is tried, float not among them. has_report: whether its report.html was written.
    """

    label: str
    model: str
    place: str
    target: str
    host: str
    seed: int
    state: State = "waiting"
    why: str = ""
    planned: tuple[str, ...] = ()
    has_report: bool = False

    @property
    def folder(self) -> str:
        """Its directory, as seen from the study's."""
        return f"{FOLDER}/{self.label}"


@dataclass(frozen=True)
class Index:
    """A study of several models, as far as it is. seeds: one for each trial of the same thing."""

    title: str
    about: str
    command: str
    made_on: str
    seeds: tuple[int, ...]
    entries: tuple[Entry, ...]
    published: tuple[Published, ...] = field(default_factory=tuple)
    notes: tuple[str, ...] = ()
    finished: bool = False

    @property
    def models(self) -> tuple[str, ...]:
        """The labels of the models, in the order of the plan."""
        return tuple(dict.fromkeys(e.model for e in self.entries))

    def repeats(self, entry: Entry) -> tuple[Entry, ...]:
        """The entries of the same model in the same place, one for each seed."""
        return tuple(e for e in self.entries if (e.model, e.place) == (entry.model, entry.place))


def is_index(directory: Path) -> bool:
    """Whether the directory holds a study of several models."""
    return (directory / FILE).is_file()


def read_index(directory: Path) -> Index:
    """The index of a study of several models, also while it runs. Raises UsageError, StorageError."""
    path = directory / FILE
    if not path.is_file():
        raise UsageError(
            f"{directory} is no study of several models",
            expected="a directory with index.json, as `paredown study` makes",
        )
    try:
        return build(Index, read_json(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as e:
        hint = "run the study again: it writes the file anew"
        raise StorageError(f"{path} cannot be read", got=str(e)[:200], hint=hint) from e


def write_index(directory: Path, index: Index, hide: Hide = str) -> None:
    """Writes it whole. Raises StorageError."""
    write_whole(directory / FILE, json_text(hidden(plain(index), hide)).encode())


def read_parts(directory: Path, index: Index) -> dict[str, tuple[Trial, ...]]:
    """The trials of every part that has begun, by its label."""
    begun = (e for e in index.entries if (directory / e.folder / "study.toml").is_file())
    return {e.label: read_trials(directory / e.folder) for e in begun}
