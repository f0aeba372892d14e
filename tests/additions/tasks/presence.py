"""A task as anyone may add one: which classes are in an image, any number of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from paredown.detections import ClassScores
from paredown.tasks.classify import WORDS as CLASSIFY
from paredown.tasks.task import Words

NAME = "presence"
SUMMARY = "which classes are in an image"
WORDS = Words(**{**vars(CLASSIFY), "kind": "tagger", "marks": "classes that are there"})


@dataclass(frozen=True)
class Present:
    """The classes that are in an image."""

    task: ClassVar[str] = NAME
    classes: tuple[int, ...]


def classes_of(truth: Present | None) -> NDArray[np.int64]:
    return np.array([] if truth is None else truth.classes, np.int64)


def translate(truth: Present | None, target: NDArray[np.int64]) -> Present | None:
    if truth is None:
        return None
    return Present(tuple(int(target[c]) for c in truth.classes if target[c] >= 0))


def truth_text(truth: Present | None) -> str:
    return "unknown" if truth is None else " ".join(map(str, truth.classes))


def store(predictions: Sequence[ClassScores]) -> dict[str, NDArray[np.generic]]:
    return {"present": np.stack([p.scores for p in predictions])}


def restore(arrays: Mapping[str, NDArray[Any]]) -> list[ClassScores]:
    return [ClassScores(row) for row in arrays["present"]]
