"""What is done of a trial before it is finished: its model made, what that says judged. A study that was
killed goes on from there.

unfinished/<environment>/<stem>.json    taken away once the trial is in trials.jsonl
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from paredown.errors import StorageError
from paredown.files import make_directory, storage_errors, write_whole
from paredown.measurement import Readings, StepRecord
from paredown.study.private import Hide, hidden
from paredown.study.records import json_text, plain, read_json
from paredown.study.store import file_stem, study_key
from paredown.typed import build


@dataclass(frozen=True)
class Unfinished:
    """One trial so far. readings: None before it was judged; its predictions are on the disk then."""

    recipe: str
    label: str
    model_file: str
    sha256: str
    log: tuple[StepRecord, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    readings: Readings | None = None


def save_unfinished(directory: Path, trial: Unfinished, hide: Hide = str) -> None:
    """Writes it whole, in place of an earlier state. Raises StorageError."""
    path = _path(directory, trial.label)
    for folder in (path.parent.parent, path.parent):
        make_directory(folder)
    write_whole(path, json_text(hidden(plain(trial), hide)).encode())


def load_unfinished(directory: Path, recipe: str, label: str) -> Unfinished | None:
    """What is done of that recipe, in the study's environment; None where nothing is. Raises StorageError."""
    path = _path(directory, label)
    if not path.is_file():
        return None
    try:
        found = build(Unfinished, read_json(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as e:
        raise StorageError(f"{path} is damaged", got=str(e)[:200], hint="remove it, then run again") from e
    file = directory / found.model_file
    with storage_errors(file):
        same = file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == found.sha256
    return found if same and found.recipe == recipe else None


def drop_unfinished(directory: Path, label: str) -> None:
    """Takes it away: the trial is finished."""
    for path in (_path(directory, label), waits_path(directory, label)):
        with storage_errors(path):
            path.unlink(missing_ok=True)


def waits_path(directory: Path, label: str) -> Path:
    """Where the unit that times this trial says that it waits for another run (`waits.py`)."""
    return _path(directory, label).with_suffix(".waits")


def _path(directory: Path, label: str) -> Path:
    return directory / "unfinished" / (study_key(directory) or "unknown") / f"{file_stem(label)}.json"
