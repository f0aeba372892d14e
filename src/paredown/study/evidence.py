"""What was found out of every model of a study, image by image, kept for comparisons that are made later.

It is made where a model is judged and written with what the model said, so that a study that was interrupted
has it of every trial; `keep_evidence` makes what is missing in one of an older version.

evidence/<environment>/<stem>.npz    `analyze.kept`, as arrays
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from paredown.analyze.against_float import FLOAT
from paredown.analyze.kept import Arrays, Kept, evidence_from, from_arrays, keep, to_arrays
from paredown.detections import Prediction
from paredown.errors import StorageError
from paredown.files import make_directory, storage_errors, write_whole
from paredown.measurement import Trial
from paredown.metrics.tally import Evidence
from paredown.study.fingerprints import digest, images_digest, truth_digest
from paredown.study.predictions import load_predictions, predictions_path
from paredown.study.store import read_trials
from paredown.study.work import Work


def evidence_path(directory: Path, label: str) -> Path:
    """Beside the predictions it was made of, under the same name."""
    predictions = predictions_path(directory, label)
    return directory / "evidence" / predictions.parent.name / predictions.name


def evidence_of(work: Work, said: Sequence[Prediction], floats: Sequence[Prediction]) -> Arrays:
    """Of a model of the work, from what it says of the judged images and what the float model does."""
    judged = work.images.judged
    same = digest((images_digest(judged), truth_digest(judged), *_reference(work)))
    return to_arrays(*keep(said, floats, judged, work.bench.card, same))


def save_evidence(directory: Path, label: str, arrays: Arrays) -> None:
    """Writes it, behind the predictions that it is of. Raises StorageError."""
    path = evidence_path(directory, label)
    for folder in (path.parent.parent, path.parent):  # each by itself: neither may be a link
        make_directory(folder)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **cast(Any, arrays))
    write_whole(path, buffer.getvalue())


def keep_evidence(directory: Path, work: Work) -> None:
    """Writes the evidence of every trial whose predictions are there and newer than it.

    Raises: StorageError.
    """
    judged, card = work.images.judged, work.bench.card
    floats = load_predictions(predictions_path(directory, FLOAT), len(judged), card.task)
    if floats is None:
        return
    for trial in read_trials(directory):
        source, path = predictions_path(directory, trial.label), evidence_path(directory, trial.label)
        if trial.measurement is None or not source.is_file() or _fresh(path, source):
            continue
        said = load_predictions(source, len(judged), card.task)
        if said is not None:
            save_evidence(directory, trial.label, evidence_of(work, said, floats))


def _reference(work: Work) -> tuple[str, ...]:
    """Without truth models are held against one float model's answers, and compare under that one only."""
    return () if work.images.judged.has_truth else (work.model.sha256,)


def _fresh(path: Path, source: Path) -> bool:
    return path.is_file() and path.stat().st_mtime_ns >= source.stat().st_mtime_ns


def read_kept(directory: Path, trials: Sequence[Trial]) -> dict[str, Kept]:
    """By `Trial.key`, of the trials that have any. Raises StorageError where a file is damaged."""
    found: dict[str, Kept] = {}
    for trial in trials:
        path = evidence_path(directory, trial.label)
        if path.is_file():
            found[trial.key] = _read(path, from_arrays)
    return found


def read_evidence(directory: Path, label: str) -> tuple[Kept, Evidence] | None:
    """Of one trial; None where none was kept. Raises StorageError where the file is damaged."""
    path = evidence_path(directory, label)
    if not path.is_file():
        return None
    found: tuple[Kept, Evidence] = _read(path, lambda arrays: (from_arrays(arrays), evidence_from(arrays)))
    return found


def _read(path: Path, build: Any) -> Any:
    try:
        with storage_errors(path), path.open("rb") as file, np.load(file) as saved:
            return build(saved)
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as e:
        raise StorageError(
            f"{path} is damaged", got=str(e)[:200], hint="remove it and run the study again: it is made anew"
        ) from e
