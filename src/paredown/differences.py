"""The images two models disagree about most, drawn twice: what changed stands out, the truth is dashed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown._measure.compare import most_different
from paredown.card import Card
from paredown.deploy.draw import class_colour, draw_label
from paredown.detections import ClassScores, Detections, Prediction
from paredown.metrics.matching import box_iou
from paredown.metrics.outcomes import probabilities
from paredown.pictures import jpeg
from paredown.sample import Dataset, Labels, Truth

SAME_IOU = 0.5
LONG_SIDE = 640  # pixels of a drawn picture
LEAST_SIDE = 320  # smaller images are enlarged, so that words on them can be read
LIMIT = 6
MOST_BYTES = 48_000  # of a picture: six pairs and the plots' script stay below 6 MB in a report
SMALLER = ((1.0, 82), (1.0, 65), (1.0, 50), (0.85, 50), (0.7, 45), (0.55, 40), (0.4, 35))  # scale, quality
NAMED = 8  # boxes that stayed the same have their names where there are no more of them
CHANGED = {"missed": (230, 81, 0), "new": (0, 122, 204), "class": (170, 0, 170)}  # RGB
Canvas = NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """One image twice, as JPEG: what the first model says, and what the second says.

    truth: whether the image's true boxes or class are drawn too.
    """

    name: str
    why: str
    first: bytes = field(repr=False)
    second: bytes = field(repr=False)
    truth: bool = False


@dataclass(frozen=True)
class _Change:
    """What became of each box of one model: its word ("" where the other has it too) and its kind."""

    kinds: list[str]
    words: list[str]


def differing_pairs(
    dataset: Dataset,
    first: Sequence[Prediction],
    second: Sequence[Prediction],
    card: Card,
    limit: int = LIMIT,
) -> list[Pair]:
    """The images the models disagree about most, at the card's confidence, worst first."""
    return [
        _pair(dataset[i].name, dataset[i].read(), dataset[i].truth, first[i], second[i], card)
        for i in most_different(first, second, limit, card)
    ]


def side_by_side(pair: Pair) -> bytes:
    """Both pictures in one JPEG, the first on the left."""
    halves = [
        cv2.imdecode(np.frombuffer(half, np.uint8), cv2.IMREAD_COLOR) for half in (pair.first, pair.second)
    ]
    return jpeg(np.hstack([half for half in halves if half is not None]))


def _pair(name: str, image: Canvas, truth: Truth, a: Prediction, b: Prediction, card: Card) -> Pair:
    longest = max(image.shape[:2])
    scale = min(1.0, LONG_SIDE / longest) if longest >= LEAST_SIDE else LEAST_SIDE / longest
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    canvas = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=kind), np.uint8)
    if isinstance(a, Detections) and isinstance(b, Detections):
        a, b = a.above(card.conf), b.above(card.conf)
        one, other = _changes(a, b, card)
        missed, new = (sum(k != "" for k in c.kinds) for c in (one, other))
        why = f"{missed} of {len(a)} boxes missed or changed, {new} new or changed"
        drawn = [_boxes(canvas, d, c, truth, scale) for d, c in ((a, one), (b, other))]
    elif isinstance(a, ClassScores) and isinstance(b, ClassScores):
        before, after = (card.classes[int(p.scores.argmax())] for p in (a, b))
        why = f"{before} became {after}" if before != after else f"{before} in both, less alike in score"
        drawn = [_class(canvas, p, truth, card) for p in (a, b)]
    else:
        raise TypeError("both models must give boxes, or both classes")
    left, right = (_small(c[:, :, ::-1]) for c in drawn)
    return Pair(name, why, left, right, truth is not None)


def _small(canvas: Canvas) -> bytes:
    """The picture (H, W, 3) BGR as JPEG of at most MOST_BYTES, as fine as they allow."""
    data = b""
    for scale, quality in SMALLER:
        small = (
            canvas
            if scale == 1
            else cv2.resize(canvas, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        )
        data = jpeg(small, quality)
        if len(data) <= MOST_BYTES:
            break
    return data


def _changes(a: Detections, b: Detections, card: Card) -> tuple[_Change, _Change]:
    """Each box's counterpart of the same class is the same box; one of another class a changed class."""
    overlap = box_iou(a.boxes, b.boxes, np.zeros(len(b), np.bool_)) if len(a) and len(b) else None
    partner: dict[int, int] = {}
    for same in (True, False):
        for i in range(len(a)) if overlap is not None else ():  # best score first
            if i in partner or overlap is None:
                continue
            free = [
                j
                for j in range(len(b))
                if j not in partner.values() and (a.classes[i] == b.classes[j]) == same
            ]
            best = max(free, key=lambda j, i=i: float(overlap[i, j]), default=None)  # type: ignore[misc]
            if best is not None and overlap[i, best] >= SAME_IOU:
                partner[i] = best
    back = {j: i for i, j in partner.items()}
    return (
        _Change(*_told(a, b, partner, "missed", "now", card)),
        _Change(*_told(b, a, back, "new", "was", card)),
    )


def _told(
    mine: Detections, theirs: Detections, partner: dict[int, int], alone: str, turned: str, card: Card
) -> tuple[list[str], list[str]]:
    kinds, words = [], []
    for i in range(len(mine)):
        j = partner.get(i)
        changed = j is not None and theirs.classes[j] != mine.classes[i]
        kinds.append(alone if j is None else "class" if changed else "")
        name = _name(int(mine.classes[i]), card)
        label = f"{name} {float(mine.scores[i]):.2f}"
        if j is None:
            label = f"{alone}: {label}"
        elif changed:
            label += f", {turned} {_name(int(theirs.classes[j]), card)}"
        words.append(label)
    return kinds, words


def _name(index: int, card: Card) -> str:
    return card.classes[index] if index < len(card.classes) else "?"


def _boxes(canvas: Canvas, found: Detections, change: _Change, truth: Truth, scale: float) -> Canvas:
    """Truth dashed, unchanged boxes thin, changed ones thick with a light edge and a word."""
    drawn = canvas.copy()
    if isinstance(truth, Labels):
        for box in truth.boxes * scale:
            _dashed(drawn, box)
    order = sorted(range(len(found)), key=lambda i: (change.kinds[i] != "", float(found.scores[i])))
    for i in order:  # what changed lies on top
        x1, y1, x2, y2 = (round(float(v)) for v in found.boxes[i] * scale)
        kind = change.kinds[i]
        colour = CHANGED[kind] if kind else class_colour(int(found.classes[i]))
        if kind:
            cv2.rectangle(drawn, (x1, y1), (x2, y2), (255, 255, 255), 5, cv2.LINE_AA)
        cv2.rectangle(drawn, (x1, y1), (x2, y2), colour, 3 if kind else 1, cv2.LINE_AA)
        if kind or len(found) <= NAMED:
            draw_label(drawn, change.words[i], (x1, y1), colour)
    return drawn


def _dashed(canvas: Canvas, box: NDArray[np.float32], dash: int = 6) -> None:
    """A box of white dashes on a dark line, which shows on every ground."""
    x1, y1, x2, y2 = (round(float(v)) for v in box)
    cv2.rectangle(canvas, (x1, y1), (x2, y2), (30, 30, 30), 1)
    for x in range(x1, x2, 2 * dash):
        for y in (y1, y2):
            cv2.line(canvas, (x, y), (min(x + dash, x2), y), (255, 255, 255), 1)
    for y in range(y1, y2, 2 * dash):
        for x in (x1, x2):
            cv2.line(canvas, (x, y), (x, min(y + dash, y2)), (255, 255, 255), 1)


def _class(canvas: Canvas, said: ClassScores, truth: Truth, card: Card) -> Canvas:
    """The first class with its probability, and below it the true class where it is known."""
    drawn = canvas.copy()
    chances = probabilities(said)
    best = int(chances.argmax())
    known = isinstance(truth, int)
    colour = (0, 121, 92) if known and truth == best else CHANGED["missed"] if known else class_colour(best)
    draw_label(drawn, f"{_name(best, card)} {float(chances[best]):.2f}", (0, 0), colour)
    if isinstance(truth, int):
        draw_label(drawn, f"true: {_name(truth, card)}", (0, drawn.shape[0] - 1), (60, 60, 60))
    return drawn
