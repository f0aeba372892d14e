"""What each model of a study said about each image, kept so that a resumed study need not ask again.

predictions/<environment>/<stem>.npz    arrays as the task stores them (`tasks/`)
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paredown.detections import Prediction
from paredown.errors import StorageError
from paredown.files import make_directory, storage_errors, write_whole
from paredown.study.store import file_stem, study_key
from paredown.tasks import TASKS


def predictions_path(directory: Path, stem: str) -> Path:
    """Where those taken in the study's environment stand: other kernels may have said something else."""
    return directory / "predictions" / (study_key(directory) or "unknown") / f"{file_stem(stem)}.npz"


def save_predictions(path: Path, predictions: Sequence[Prediction], task: str) -> None:
    """Writes them whole or not at all. Raises StorageError."""
    for folder in (path.parent.parent, path.parent):  # each by itself: neither may be a link
        make_directory(folder)
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {**TASKS[task].store(predictions)}
    np.savez_compressed(buffer, **arrays)
    write_whole(path, buffer.getvalue())


def load_predictions(path: Path, images: int, task: str) -> list[Prediction] | None:
    """What `save_predictions` wrote, or None where there is nothing for so many images."""
    if not path.is_file():
        return None
    try:
        with storage_errors(path), path.open("rb") as file, np.load(file) as saved:
            found = TASKS[task].restore({name: saved[name] for name in saved.files})
    except (KeyError, ValueError, zipfile.BadZipFile) as e:
        raise StorageError(f"{path} is damaged", got=e, hint="remove it, then run again") from e
    return found if len(found) == images else None
