"""trials.jsonl as it stands: every trial of every environment, and the lines that cannot be read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from paredown.errors import StorageError
from paredown.measurement import Trial
from paredown.study.records import from_line

FILE = "trials.jsonl"
_MODEL_FILE = re.compile(r"models/[^/\\\0]*[^/\\\0.]")


@dataclass(frozen=True)
class TrialLog:
    """`trials`: oldest first, repeated ones too. `notes`: one sentence for each line that was left out."""

    trials: tuple[Trial, ...] = ()
    notes: tuple[str, ...] = ()


def read_log(directory: Path) -> TrialLog:
    """What is on the disk, also while a study runs. A line that cannot be read costs no other its place.

    Raises: StorageError where the file cannot be read.
    """
    path = directory / FILE
    if not path.exists():
        return TrialLog()
    try:
        data = path.read_bytes()
    except OSError as e:
        raise StorageError(f"{path} cannot be read", got=e.strerror) from e
    trials, notes = [], []
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].split(b"\n")[:-1], start=1):
        try:
            trials.append(_own(from_line(line.decode())))
        except ValueError as e:
            notes.append(f"line {number} of {FILE} cannot be read and was left out: {str(e)[:120]}")
    return TrialLog(tuple(trials), tuple(notes))


def _own(trial: Trial) -> Trial:
    """The trial. Raises: ValueError where its model lies outside the study, which may be a stranger's."""
    file = trial.model_file
    if file is not None and _MODEL_FILE.fullmatch(file) is None:
        raise ValueError(f"{file[:80]!r} is no model of the study")
    return trial
