"""Detection: boxes with a class and a score.

The truth is `Labels`, an answer `Detections`; judged by COCO's mean average precision.

Shapes: N images, n boxes of one image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.detections import Detections, Prediction
from paredown.errors import DataError
from paredown.sample import Labels, Truth
from paredown.tasks.task import Words

NAME = "detect"
SUMMARY = "object detection: boxes with a class and a score"
WORDS = Words(
    kind="detector",
    marks="boxes",
    shown="boxes at the deployment threshold",
    counted="detections",
    counting="How many detections each model makes",
    held="even where its mAP held",
    of_class=("AP50-95", "true boxes"),
    of_class_fidelity=("AP50-95", "boxes of the float model"),
    legend=(
        ("missed", "missed by {other}"),
        ("new", "new with {other}"),
        ("class", "other class"),
        ("same", "thin: the same in both"),
        ("truth", "dashed: the truth"),
    ),
    legend_unknown=(
        ("missed", "missed by {other}"),
        ("new", "new with {other}"),
        ("class", "other class"),
        ("same", "thin: the same in both"),
    ),
    example="for box, score, number in zip(found.boxes, found.scores, found.classes):\n"
    "    print(card.classes[number], score, box)      # x1 y1 x2 y2 in pixels of the image",
)


def classes_of(truth: Truth) -> NDArray[np.int64]:
    """(n,) the class of each true box."""
    return np.zeros(0, np.int64) if truth is None else labels([truth])[0].classes


def translate(truth: Truth, target: NDArray[np.int64]) -> Truth:
    """The true boxes with class i as target[i], those of a target of -1 left out."""
    if truth is None:
        return None
    (known,) = labels([truth])
    classes = target[known.classes]
    keep = classes >= 0
    return Labels(known.boxes[keep], classes[keep], known.crowd[keep], known.area[keep])


def truth_text(truth: Truth) -> str:
    """The bytes of the true boxes; "None" where nothing is known."""
    if truth is None:
        return str(None)
    (known,) = labels([truth])
    parts = (known.boxes, known.classes, known.crowd, known.area)
    return " ".join(np.ascontiguousarray(part).tobytes().hex() for part in parts)


def store(predictions: Sequence[Prediction]) -> dict[str, NDArray[np.generic]]:
    """counts (N,), boxes (n, 4), scores (n,), classes (n,), the boxes of all images one after the other."""
    found = detections(predictions)
    return {
        "counts": np.array([len(p) for p in found], np.int64),
        "boxes": np.concatenate([p.boxes for p in found]).reshape(-1, 4),
        "scores": np.concatenate([p.scores for p in found]),
        "classes": np.concatenate([p.classes for p in found]),
    }


def restore(arrays: Mapping[str, NDArray[Any]]) -> list[Prediction]:
    """The detections of each image."""
    cuts = np.cumsum(arrays["counts"])[:-1]
    columns = [np.split(arrays[name], cuts) for name in ("boxes", "scores", "classes")]
    return [Detections(*row) for row in zip(*columns, strict=True)]


def detections(predictions: Sequence[Prediction]) -> list[Detections]:
    """The predictions, all of them boxes. Raises DataError where one is not."""
    found = [p for p in predictions if isinstance(p, Detections)]
    if len(found) != len(predictions):
        raise DataError("the card says the model is a detector, its answers are class scores")
    return found


def labels(truths: Sequence[Truth]) -> list[Labels]:
    """The truths, all of them boxes. Raises DataError where one is not."""
    known = [t for t in truths if isinstance(t, Labels)]
    if len(known) != len(truths):
        kinds = ", ".join(sorted({type(t).__name__ for t in truths}))
        raise DataError("a detector needs true boxes for each image it is judged on", got=kinds)
    return known
