"""What a model's answers must look like, whatever its family: looked at on real images before anything is
built on them.

Scores lie in 0..1; class numbers are whole and in the list; boxes have their corners in order, lie about the
image, are neither a pixel small nor far away; different images get different answers; no number is missing.
Each fault says what was seen, what that suggests, and what a card's [decode] would say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.detections import ClassMap, ClassScores, RawAnswer
from paredown.families import FAMILIES
from paredown.families.boxes import Floats
from paredown.families.geometry import box_fault
from paredown.families.label_maps import MOST_CLASSES
from paredown.families.recognition import reading_by
from paredown.preprocessing.letterbox import Frame
from paredown.protocols import Feeds

LIKELY = 0.25  # from here on a candidate is taken for a box that the model means
MOST_LIKELY = 50  # such boxes of one image that are looked at
SLACK = 0.02  # how far outside 0..1 rounding may put a score
WHOLE = 1e-4  # how far from a whole number rounding may put a class number
SURE = 0.5
MOST_SURE = 0.5  # share of an image's candidates with such a score; a background has more on every image
MOST_OF_ALL = 0.8  # share of all images' candidates: a crowd leaves some queries free, a background none
LEAST_ROWS = 50  # for that share to mean anything


@dataclass(frozen=True)
class Fault:
    """One thing that cannot be. decode: the keys of a card's [decode] that would say what it suggests."""

    seen: str
    suggests: str = ""
    decode: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class AnswerFigures:
    """The figures of one image. low, high: (C,) of each score; sure: (C,) rows where it is best and high."""

    fed: bytes  # digests of the input and of all outputs
    answered: bytes
    finite: bool
    unlike: str
    low: Floats
    high: Floats
    whole: NDArray[np.bool_]  # (C,) every score a whole number
    sure: NDArray[np.int64]
    rows: int
    boxes: Floats  # (m, 4) likely boxes, input pixels
    labels: Floats | None  # class numbers of all rows that are filled: with a score of more than nothing
    content: tuple[float, float, float, float]  # where in the input the image lies, xyxy


def look(feeds: Feeds, outputs: Mapping[str, Any], card: Card, frame: Frame) -> AnswerFigures:
    """What one answer looks like, read by the card."""
    fed, answered = _digest(list(feeds.values())), _digest(list(outputs.values()))
    family = FAMILIES[card.family]
    with reading_by(card), np.errstate(all="ignore"):
        found = family.candidates(outputs, card, -np.inf)
    unlike = getattr(family, "unlike", None)  # a family's own check, if it has one
    if isinstance(found, ClassScores):
        n = len(found.scores)
        other = (
            "" if n == len(card.classes) else f"{n} scores, and the card names {len(card.classes)} classes"
        )
        return _without_boxes([found.scores], other, fed, answered)
    if isinstance(found, ClassMap):
        largest = int(found.classes.max(initial=0))
        other = (
            "" if largest < len(card.classes) else f"a class number {largest} of {len(card.classes)} classes"
        )
        values = [np.asarray(v) for v in outputs.values()]
        return _without_boxes(values, other, fed, answered)
    if isinstance(found, RawAnswer):
        return _without_boxes(found.values, "", fed, answered)
    with np.errstate(invalid="ignore"):
        best = found.scores.max(axis=1, initial=-np.inf)
        likely = np.flatnonzero(best >= LIKELY)
        likely = likely[np.argsort(-best[likely], kind="stable")[:MOST_LIKELY]]
        winners = (
            found.scores.argmax(axis=1)[best >= _sure_from(card)]
            if found.scores.size
            else np.zeros(0, np.int64)
        )
    low, high = found.scores.min(axis=0, initial=np.inf), found.scores.max(axis=0, initial=-np.inf)
    with np.errstate(invalid="ignore"):
        whole = np.asarray((np.abs(found.scores - np.rint(found.scores)) < WHOLE).all(axis=0))
    finite = np.isfinite(found.scores).all() and np.isfinite(found.boxes[likely]).all()
    return AnswerFigures(
        fed,
        answered,
        bool(finite) and (found.labels is None or bool(np.isfinite(found.labels).all())),
        "" if unlike is None else unlike(outputs, card),
        low,
        high,
        whole,
        np.bincount(winners, minlength=found.scores.shape[1]),
        len(found.scores),
        found.boxes[likely],
        None if found.labels is None else found.labels[best > 0],
        _content(frame, card.preprocess.size),
    )


def _without_boxes(values: Sequence[NDArray[Any]], unlike: str, fed: bytes, answered: bytes) -> AnswerFigures:
    none = np.zeros(0, np.float32)
    finite = all(bool(np.isfinite(v).all()) for v in values)
    empty = np.zeros((0, 4), np.float32)
    nothing, whole = np.zeros(0, np.int64), np.zeros(0, np.bool_)
    return AnswerFigures(
        fed, answered, finite, unlike, none, none, whole, nothing, 0, empty, None, (0.0, 0.0, 1.0, 1.0)
    )


def faults(seen: Sequence[AnswerFigures], card: Card, *, open_classes: bool = False) -> list[Fault]:
    """What cannot be in the answers to several images. open_classes: the list may yet grow."""
    if not all(s.finite for s in seen):
        bad = sum(not s.finite for s in seen)
        return [
            Fault(f"on {bad} of {len(seen)} images scores or boxes that are no numbers (NaN or infinite)")
        ]
    unlike = [s.unlike for s in seen if s.unlike]
    if unlike:
        return [Fault(unlike[0])]
    constant = _constant(seen)
    if constant:
        return [constant]
    if not any(len(s.low) for s in seen):  # the answers are no candidates for boxes
        return []
    checks = (
        _scores_fault(seen, card),
        _labels_fault(seen, len(card.classes), open_classes),
        _background_fault(seen, card),
        box_fault([s.boxes for s in seen], [s.content for s in seen], card.preprocess.size, card.decode),
    )
    return [f if isinstance(f, Fault) else Fault(*f) for f in checks if f is not None]


def has_evidence(seen: Sequence[AnswerFigures]) -> bool:
    """Whether the model means a box in any of the images: without one, little can be told."""
    return any(len(s.boxes) for s in seen)


def largest_label(seen: Sequence[AnswerFigures]) -> int:
    """The largest class number of all rows; -1 where there is none."""
    return max((int(np.rint(s.labels).max(initial=-1)) for s in seen if s.labels is not None), default=-1)


def _digest(arrays: Sequence[Any]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()


def _content(frame: Frame, size: tuple[int, int]) -> tuple[float, float, float, float]:
    (height, width), (sx, sy), (ox, oy) = frame.image_size, frame.scale, frame.offset
    return (
        max(ox, 0.0),
        max(oy, 0.0),
        min(ox + width * sx, float(size[1])),
        min(oy + height * sy, float(size[0])),
    )


def _constant(seen: Sequence[AnswerFigures]) -> Fault | None:
    different = len({s.fed for s in seen})
    says_something = any(s.labels is None or len(s.boxes) for s in seen)
    if different < 2 or len({s.answered for s in seen}) > 1 or not says_something:
        return None
    return Fault(
        f"the same answer, bit for bit, to {different} different images",
        "the weights are lost, or the image does not reach the output",
    )


def _scores_fault(seen: Sequence[AnswerFigures], card: Card) -> Fault | None:
    low, high = np.min([s.low for s in seen], axis=0), np.max([s.high for s in seen], axis=0)
    bad = np.flatnonzero((low < -SLACK) | (high > 1 + SLACK))
    if not any(s.rows for s in seen):
        return None
    if len(bad) == 0:
        return _labels_as_scores(seen, card)
    where = f"in {len(bad)} of {len(low)} score columns" if len(low) > 1 else "in the score column"
    says = f"scores {low[bad].min():.4g} .. {high[bad].max():.4g} {where}, not 0 .. 1"
    columns = str(card.decode.get("columns", ""))
    first, rest = int(bad[0]), len(low) - int(bad[0])
    if "scores" in columns.split() and first > 0:
        word, what = _behind(rest, float(low[bad].min()), float(high[bad].max()))
        more = " ".join(f"scores*{first} {word}" if w == "scores" else w for w in columns.split())
        return Fault(says, f"{what} behind {first} class scores", {"columns": more})
    if low[bad].min() < -SLACK and card.decode.get("activation", "sigmoid") == "none":
        return Fault(says, "scores before the sigmoid (logits)", {"activation": "sigmoid"})
    return Fault(says, "another order of the columns")


def _behind(count: int, low: float, high: float) -> tuple[str, str]:
    """The word of [decode] for `count` columns behind the scores that are no scores, and what they may be."""
    if count == 1 and max(-low, high) < 2 * np.pi + SLACK:
        return "angle", "an angle"
    if high > 2 and (count % 3 == 0 or count % 2 == 0):
        return f"keypoints*{count}", "key points"
    return f"ignore*{count}", f"{count} columns of something else"


def _labels_as_scores(seen: Sequence[AnswerFigures], card: Card) -> Fault | None:
    """Raw scores are never whole numbers over several images; class numbers are."""
    whole = np.all([s.whole for s in seen], axis=0) & (np.max([s.high for s in seen], axis=0) > SURE)
    if card.decode.get("activation", "none") != "none" or not whole.any():
        return None
    return Fault(
        f"only whole numbers in score column {int(np.flatnonzero(whole)[0])}",
        "class numbers beside one score",
    )


def _labels_fault(seen: Sequence[AnswerFigures], n_classes: int, open_classes: bool) -> Fault | None:
    labels = np.concatenate([s.labels for s in seen if s.labels is not None] or [np.zeros(0)])
    if len(labels) == 0:
        return None
    broken = np.abs(labels - np.rint(labels)) > WHOLE
    if broken.mean() > 0.01:
        says = f"class numbers that are not whole, such as {labels[broken][0]:.4g}"
        return Fault(says, "another order of the columns, or a score for each class")
    if labels.min() < -1.5 or labels.max() > MOST_CLASSES:
        return Fault(
            f"class numbers {labels.min():.0f} .. {labels.max():.0f}", "another order of the columns"
        )
    if labels.max() < n_classes or open_classes:
        return None
    says = f"class numbers up to {labels.max():.0f}, and the list has {n_classes}, 0 .. {n_classes - 1}"
    if labels.max() == n_classes and labels.min() > 0:
        return Fault(says, "numbers that start at 1", {"first_class": 1})
    return Fault(says, "a longer list: give `classes` in the card, in the model's order")


def _sure_from(card: Card) -> float:
    """The score that counts as sure: less behind a sigmoid, which makes little of a weak "no object"."""
    return LIKELY if card.decode.get("activation") == "sigmoid" else SURE


def _background_fault(seen: Sequence[AnswerFigures], card: Card) -> Fault | None:
    rows = sum(s.rows for s in seen)
    if rows < LEAST_ROWS or seen[0].labels is not None:
        return None
    share = np.sum([s.sure for s in seen], axis=0) / rows
    worst = int(share.argmax())
    everywhere = all(s.sure.sum() > MOST_SURE * s.rows for s in seen)
    if not everywhere or share.sum() <= MOST_OF_ALL:
        return None
    says = f"{share.sum():.0%} of all {rows} candidates score {_sure_from(card)} or more"
    says += f", {share[worst]:.0%} in class {worst} of {len(share)}"
    if len(share) == 1:
        return Fault(says, "an objectness that is always one, or the score of the background")
    if worst not in (0, len(share) - 1) or "background" not in card.decode:
        return Fault(says, "the background, or an objectness, among the classes")
    side = "first" if worst == 0 else "last"
    return Fault(says, f"a background class that comes {side}", {"background": side})
