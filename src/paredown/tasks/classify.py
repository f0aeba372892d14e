"""Classification: one class for an image.

The truth is a class index, an answer `ClassScores`; judged by how often the first class is right.

Shapes: N images, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.detections import ClassScores, Prediction
from paredown.errors import DataError
from paredown.sample import Truth
from paredown.tasks.task import Words

NAME = "classify"
SUMMARY = "classification: one class for an image"
WORDS = Words(
    kind="classifier",
    marks="best class",
    shown="the first class of each",
    counted="images",
    counting="On how many images the first class is",
    held="even where its top-1 held",
    of_class=("top-1", "images"),
    of_class_fidelity=("agreement", "images"),
    legend=(("right", "right"), ("missed", "wrong")),
    legend_unknown=(("same", "no truth is known"),),
    example="print([card.classes[i] for i in detect.top_classes(found.scores)])",
)


def classes_of(truth: Truth) -> NDArray[np.int64]:
    """(1,) the true class, or (0,)."""
    return np.array([] if truth is None else class_indices([truth]), np.int64)


def translate(truth: Truth, target: NDArray[np.int64]) -> Truth:
    """The true class i as target[i]; None where that is -1."""
    if truth is None:
        return None
    (known,) = class_indices([truth])
    return int(target[known]) if target[known] >= 0 else None


def truth_text(truth: Truth) -> str:
    """The class index, or "None"."""
    return str(truth)


def store(predictions: Sequence[Prediction]) -> dict[str, NDArray[np.generic]]:
    """scores (N, C)."""
    return {"scores": np.stack([p.scores for p in class_scores(predictions)])}


def restore(arrays: Mapping[str, NDArray[Any]]) -> list[Prediction]:
    """The class scores of each image."""
    return [ClassScores(row) for row in arrays["scores"]]


def class_scores(predictions: Sequence[Prediction]) -> list[ClassScores]:
    """The predictions, all of them class scores. Raises DataError where one is not."""
    found = [p for p in predictions if isinstance(p, ClassScores)]
    if len(found) != len(predictions):
        raise DataError("the card says the model is a classifier, its answers are boxes")
    return found


def class_indices(truths: Sequence[Truth]) -> list[int]:
    """The truths, all of them class indices. Raises DataError where one is not."""
    right = [t for t in truths if isinstance(t, int)]
    if len(right) != len(truths):
        kinds = ", ".join(sorted({type(t).__name__ for t in truths}))
        raise DataError("a classifier needs a true class for each image it is judged on", got=kinds)
    return right
