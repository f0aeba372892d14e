"""The pictures of a report: the images on which the float model and another differ most."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from paredown._report.story import Picture
from paredown.analyze.against_float import FLOAT, points_lost
from paredown.differences import differing_pairs
from paredown.errors import StorageError
from paredown.files import make_directory, storage_errors, write_whole
from paredown.measurement import Trial
from paredown.study.best import Verdict
from paredown.study.predictions import load_predictions, predictions_path
from paredown.study.store import read_trials
from paredown.study.work import Work


@dataclass(frozen=True)
class Drawn:
    """A pair of pictures: of which image, how the two differ, and whether the truth is drawn too."""

    name: str
    why: str
    truth: bool = False


def shown_beside_float(directory: Path, verdict: Verdict) -> Trial | None:
    """The trial whose pictures stand beside the float model's: the best, or else the one that lost least."""
    if verdict.best.key != verdict.baseline.key:
        return verdict.best
    others = [t for t in read_trials(directory) if t.recipe != FLOAT]
    lost = [
        (points.value, i)
        for i, t in enumerate(others)
        if (points := points_lost(t, verdict.baseline)) is not None
    ]
    return others[min(lost)[1]] if lost else None


def draw_pictures(directory: Path, work: Work, shown: Trial) -> tuple[Drawn, ...]:
    """The pairs drawn and written; their names and reasons."""
    images = len(work.images.judged)
    task = work.bench.card.task
    first = load_predictions(predictions_path(directory, FLOAT), images, task)
    second = load_predictions(predictions_path(directory, shown.label), images, task)
    if first is None or second is None:
        return ()
    folder = directory / "pictures"
    with storage_errors(folder):
        shutil.rmtree(folder, ignore_errors=True)
    make_directory(folder)
    pairs = differing_pairs(work.images.judged, first, second, work.bench.card)
    for i, pair in enumerate(pairs):
        write_whole(folder / f"{i}-float.jpg", pair.first)
        write_whole(folder / f"{i}-other.jpg", pair.second)
    return tuple(Drawn(pair.name, pair.why, pair.truth) for pair in pairs)


def read_picture(directory: Path, index: int, drawn: Drawn) -> Picture:
    """The pair as it was written. Raises StorageError where it is gone."""
    folder = directory / "pictures"
    try:
        first, second = ((folder / f"{index}-{side}.jpg").read_bytes() for side in ("float", "other"))
    except OSError as e:
        raise StorageError(f"a picture of the study is missing in {folder}", got=e.strerror) from e
    return Picture(drawn.name, drawn.why, first, second, drawn.truth)
