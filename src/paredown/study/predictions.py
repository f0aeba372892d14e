"""What each model of a study said about each image, kept so that a resumed study need not ask again.

predictions/<environment>/<stem>.npz
                            detections: counts (N,), boxes (n, 4), scores (n,), classes (n,) of all N images
                            class scores: scores (N, K)
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from paredown.detections import ClassScores, Detections, Prediction
from paredown.errors import StorageError
from paredown.files import make_directory, storage_errors, write_whole
from paredown.study.store import file_stem, study_key


def predictions_path(directory: Path, stem: str) -> Path:
    """Where those taken in the study's environment stand: other kernels may have said something else."""
    return directory / "predictions" / (study_key(directory) or "unknown") / f"{file_stem(stem)}.npz"


def save_predictions(path: Path, predictions: Sequence[Prediction]) -> None:
    """Writes them whole or not at all. Raises StorageError."""
    for folder in (path.parent.parent, path.parent):  # each by itself: neither may be a link
        make_directory(folder)
    buffer = io.BytesIO()
    found = [p for p in predictions if isinstance(p, Detections)]
    if found:
        np.savez_compressed(
            buffer,
            counts=np.array([len(p) for p in found], np.int64),
            boxes=np.concatenate([p.boxes for p in found]).reshape(-1, 4),
            scores=np.concatenate([p.scores for p in found]),
            classes=np.concatenate([p.classes for p in found]),
        )
    else:
        rows = [p.scores for p in predictions if isinstance(p, ClassScores)]
        np.savez_compressed(buffer, scores=np.stack(rows))
    write_whole(path, buffer.getvalue())


def load_predictions(path: Path, images: int) -> list[Prediction] | None:
    """What `save_predictions` wrote, or None where there is nothing for so many images."""
    if not path.is_file():
        return None
    try:
        with storage_errors(path), path.open("rb") as file, np.load(file) as saved:
            parts = {name: saved[name] for name in saved.files}
    except (ValueError, zipfile.BadZipFile) as e:
        raise StorageError(f"{path} is damaged", got=e, hint="remove it, then run again") from e
    if "counts" not in parts:
        rows: list[Prediction] = [ClassScores(row) for row in parts["scores"]]
        return rows if len(rows) == images else None
    if len(parts["counts"]) != images:
        return None
    cuts = np.cumsum(parts["counts"])[:-1]
    columns = [np.split(parts[name], cuts) for name in ("boxes", "scores", "classes")]
    return [Detections(*row) for row in zip(*columns, strict=True)]
