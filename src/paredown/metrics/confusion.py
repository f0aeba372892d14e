"""Which class a classifier takes for which: the cells of the confusion matrix that hold an image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from paredown.detections import ClassScores
from paredown.errors import DataError

NONE = -1  # said of an image whose scores are not numbers


def said(predictions: Sequence[ClassScores]) -> list[int]:
    """The first class of each answer; NONE where a score is not a number."""
    return [NONE if np.isnan(p.scores).any() else int(p.scores.argmax()) for p in predictions]


def confusion(wanted: Sequence[int], predictions: Sequence[ClassScores]) -> dict[tuple[int, int], int]:
    """(wanted class, class said) -> number of images, in the order of the classes; only cells with any."""
    if len(wanted) != len(predictions):
        raise DataError(
            "there must be one prediction for each image", got=len(predictions), expected=len(wanted)
        )
    return dict(sorted(Counter(zip(wanted, said(predictions), strict=True)).items()))
