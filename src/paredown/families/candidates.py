"""One row of numbers for each candidate box, and what a card's [decode] says about its columns. numpy only.

    columns = "cx cy w h scores"    words in the order of the columns, see `WORDS`
    units = "pixels"                of the input, or "fractions" of its width and height
    activation = "none"             what is left to do to the scores: none, sigmoid, softmax
    background = "none"             which score stands for "no object": none, first, last
    first_class = 0                 number of the first class, where a column holds class numbers
    point = 3                       numbers of each key point: x, y and how sure; or 2

`word*n` stands for n columns. `scores` and `keypoints` without a number take what the other words leave.
The bundle's `detect.py` carries this file. n: rows; K: columns; C: classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from paredown.detections import Detections
from paredown.families.boxes import Floats, sigmoid, softmax
from paredown.preprocessing.letterbox import Frame

BOX_WORDS = ("x1", "y1", "x2", "y2", "cx", "cy", "w", "h")
SCORE_WORDS = ("objectness", "score", "class", "scores")
IGNORED_WORDS = ("ignore", "keypoints", "coefficients")  # they may stand for any number of columns
WORDS = (*BOX_WORDS, *SCORE_WORDS, "angle", *IGNORED_WORDS)
OPEN_WORDS = ("scores", "keypoints")
HORIZONTAL = (("x1", "x2"), ("cx", "w"), ("x1", "w"))
VERTICAL = (("y1", "y2"), ("cy", "h"), ("y1", "h"))
CHOICES: Mapping[str, tuple[str, ...]] = {
    "units": ("pixels", "fractions"),
    "activation": ("none", "sigmoid", "softmax"),
    "background": ("none", "first", "last"),
}
# What a head has whose graph does all the work.
PLAIN: Mapping[str, object] = {"units": "pixels", "activation": "none", "background": "none"}


@dataclass(frozen=True)
class Candidates:
    """What a model says about one image before anything is chosen or dropped.

    boxes: (n, 4) xyxy in input pixels. scores: (n, C), or (n, 1) where `labels` (n,) holds the class numbers.
    points: (n, P, 3) key points in input pixels and how sure; corners: (n, 4, 2) of turned boxes;
    coefficients: (n, M) of mask prototypes.
    """

    boxes: Floats
    scores: Floats
    labels: Floats | None = None
    points: Floats | None = None
    corners: Floats | None = None
    coefficients: Floats | None = None


def spread(columns: str, width: int) -> dict[str, tuple[int, ...]]:
    """Which of `width` columns each word stands for, of words that `check_columns` lets pass."""
    items = [item.partition("*") for item in columns.split()]
    open_ended = [not number and word in OPEN_WORDS for word, _, number in items]
    left = width - sum(
        int(number or 1) for (_, _, number), is_open in zip(items, open_ended, strict=True) if not is_open
    )
    found: dict[str, tuple[int, ...]] = {}
    start = 0
    for (word, _, number), is_open in zip(items, open_ended, strict=True):
        count = left if is_open else int(number or 1)
        found[word] = (*found.get(word, ()), *range(start, start + count))
        start += count
    return found


def check_columns(columns: str, width: int | None = None) -> None:
    """Raises ValueError with a sentence where the words make no sense, or are not for `width` columns."""
    words: list[str] = []
    named = rests = 0
    for item in columns.split():
        word, star, number = item.partition("*")
        if word not in WORDS:
            raise ValueError(f"{word!r} is none of the words {' '.join(WORDS)}")
        if star and not (number.isdecimal() and 0 < int(number) < 1_000_000):
            raise ValueError(f"{item!r} should be a word, a star and a number of columns")
        if word in words and word not in IGNORED_WORDS:
            raise ValueError(f"{word!r} stands there twice")
        if star and word not in (*OPEN_WORDS, *IGNORED_WORDS):
            raise ValueError(f"{word!r} is one column")
        rests += word in OPEN_WORDS and not star
        named += 0 if word in OPEN_WORDS and not star else int(number or 1)
        words.append(word)
    _check_words(words)
    if rests > 1:
        raise ValueError("only one of `scores` and `keypoints` can go without a number of columns")
    if width is not None and (named + rests > width or (not rests and named != width)):
        raise ValueError(f"the words stand for {named}{' or more' if rests else ''} columns, not {width}")


def _check_words(words: list[str]) -> None:
    sides = [w for w in words if w in BOX_WORDS]
    across = [pair for pair in HORIZONTAL if set(pair) <= set(sides)]
    along = [pair for pair in VERTICAL if set(pair) <= set(sides)]
    if len(sides) != 4 or len(across) != 1 or len(along) != 1:
        raise ValueError("the box must be x1 y1 x2 y2, cx cy w h or x1 y1 w h, each word once, in any order")
    if "class" in words and "score" not in words:
        raise ValueError("`class` needs a column `score` beside it")
    if "scores" in words and "score" in words:
        raise ValueError("`score` and `scores` exclude each other")


def class_count(how: Mapping[str, object], width: int) -> int | None:
    """How many classes rows of `width` columns have scores for; None where a column holds the class number.

    Raises ValueError as `check_columns` does, and where no class is left.
    """
    columns = str(how["columns"])
    check_columns(columns, width)
    found = spread(columns, width)
    if "class" in found:
        return None
    background = how.get("background", "none") != "none"
    count = (1 if "score" in found else len(found.get("scores", ()))) - background
    if count < 1:
        raise ValueError("no column is left for the score of a class")
    return count


def box_form(columns: str) -> str:
    """The words of the box alone, in their order: "x1 y1 x2 y2"."""
    return " ".join(word for word in columns.split() if word in BOX_WORDS)


def with_box_form(columns: str, form: str) -> str:
    """The columns with other words for the four of the box."""
    words = iter(form.split())
    return " ".join(next(words) if word in BOX_WORDS else word for word in columns.split())


def corners(four: Floats, form: str) -> Floats:
    """xyxy (n, 4) from four columns (n, 4) in the order of `form`."""
    column = {word: four[:, i] for i, word in enumerate(form.split())}
    sides: list[tuple[Floats, Floats]] = []
    for low, high, middle, extent in (("x1", "x2", "cx", "w"), ("y1", "y2", "cy", "h")):
        if middle in column:
            half = column[extent] / 2
            sides.append((column[middle] - half, column[middle] + half))
        else:
            end = column[high] if high in column else column[low] + column[extent]
            sides.append((column[low], end))
    (x1, x2), (y1, y2) = sides
    return np.stack([x1, y1, x2, y2], axis=1)


def scaled(boxes: Floats, units: object, size: tuple[int, int]) -> Floats:
    """Boxes (n, 4) xyxy in input pixels. size: (height, width) of the input."""
    height, width = size
    return boxes if units == "pixels" else boxes * np.array((width, height, width, height), np.float32)


def class_scores(values: Floats, how: Mapping[str, object]) -> Floats:
    """Scores (n, C) of the classes from what the model gives (n, C or C + 1)."""
    left = {"sigmoid": sigmoid, "softmax": softmax}.get(str(how["activation"]))
    classes = {"first": slice(1, None), "last": slice(-1)}.get(str(how["background"]), slice(None))
    return (values if left is None else left(values))[:, classes]


def read_candidates(
    rows: Floats, how: Mapping[str, object], size: tuple[int, int], least: float = -np.inf
) -> Candidates:
    """The candidates in rows (n, K). Those that cannot reach the score `least` may be left out."""
    columns = str(how["columns"])
    found = spread(columns, rows.shape[1])
    activated = how["activation"] == "none"
    likely = found.get("objectness" if "objectness" in found else "score")
    if likely and activated:  # a score is never above its objectness
        rows = rows[rows[:, likely[0]] >= least]
    scores = class_scores(rows[:, [*found.get("score", found.get("scores", ()))]], how)
    if "objectness" in found:
        objectness = rows[:, [*found["objectness"]]]
        scores = scores * (objectness if activated else sigmoid(objectness))
    labels = None
    if "class" in found:
        labels = rows[:, found["class"][0]] - cast("int", how.get("first_class", 0))
    form = box_form(columns)
    boxes = corners(rows[:, [found[word][0] for word in form.split()]], form)
    boxes = scaled(boxes, how["units"], size)
    turned = _turned(boxes, rows[:, found["angle"][0]]) if "angle" in found else None
    if turned is not None:
        boxes = np.concatenate([turned.min(axis=1), turned.max(axis=1)], axis=1)
    points = _points(rows[:, [*found["keypoints"]]], how, size) if "keypoints" in found else None
    coefficients = rows[:, [*found["coefficients"]]] if "coefficients" in found else None
    return Candidates(boxes, scores, labels, points, turned, coefficients)


def _turned(boxes: Floats, angle: Floats) -> Floats:
    """(n, 4, 2) the corners of boxes that are turned about their centres by `angle` (n,), in radians."""
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    c, s = np.cos(angle), np.sin(angle)
    along = np.stack([half[:, 0] * c, half[:, 0] * s], axis=1)
    across = np.stack([-half[:, 1] * s, half[:, 1] * c], axis=1)
    sides = (-along - across, along - across, along + across, across - along)
    return np.stack([centre + side for side in sides], axis=1)


def _points(columns: Floats, how: Mapping[str, object], size: tuple[int, int]) -> Floats:
    """(n, P, 3) key points from x, y and perhaps how sure: `point` columns each."""
    points = columns.reshape(len(columns), -1, cast("int", how.get("point", 3)))
    if points.shape[2] == 2:
        points = np.concatenate([points, np.ones_like(points[..., :1])], axis=2)
    if how["units"] == "fractions":
        points = points * np.array((size[1], size[0], 1), np.float32)
    return points


def detections_of(
    found: Candidates, rows: NDArray[np.intp], classes: NDArray[Any], scores: Floats, frame: Frame
) -> Detections:
    """Those candidates, in image pixels. classes, scores: one for each of the rows."""
    points, turned = found.points, found.corners
    if points is not None:
        points = np.concatenate([frame.place(points[rows][..., :2]), points[rows][..., 2:]], axis=2)
    return Detections(
        frame.to_image(found.boxes[rows]),
        scores.astype(np.float32),
        classes.astype(np.int64),
        points=None if points is None else points.astype(np.float32),
        corners=None if turned is None else frame.place(turned[rows]).astype(np.float32),
    )


def best_of(
    found: Candidates, frame: Frame, *, conf: float, max_detections: int
) -> tuple[Detections, NDArray[np.intp]]:
    """The best candidates as they stand, in image pixels, and their rows: what needs no NMS.

    Rows numbered below the first class are what some exports fill up with; they are left out.
    """
    usable = np.isfinite(found.boxes).all(axis=1) & np.isfinite(found.scores).all(axis=1)
    if found.labels is not None:
        usable &= np.isfinite(found.labels) & (found.labels > -0.5)
    scores = found.scores.copy()
    scores[~usable] = -np.inf
    best = np.argsort(-scores, axis=None, kind="stable")[:max_detections]
    best = best[scores.ravel()[best] >= conf]
    row, column = np.unravel_index(best, scores.shape)
    classes = column if found.labels is None else np.rint(found.labels[row])
    return detections_of(found, row, classes, scores[row, column], frame), row
