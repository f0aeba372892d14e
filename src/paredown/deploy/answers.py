"""What the bundle's `detect.py` says of an image, and draws into it. numpy and OpenCV only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.detections import ClassMap, ClassScores, Detections, Prediction, RawAnswer
from paredown.draw import class_colour, draw_class_map, draw_detections, draw_label

TOP = 5  # classes named for an image by a classifier


def top_classes(scores: NDArray[np.float32]) -> list[int]:
    return [int(i) for i in np.argsort(-scores, kind="stable")[:TOP]]


def class_name(card: Card, number: int) -> str:
    """The name of a class; a number that the card's list does not have stands for itself."""
    return card.classes[number] if 0 <= number < len(card.classes) else f"class {number}"


def as_json(name: str, found: Prediction, card: Card, spent: dict[str, float]) -> dict[str, object]:
    """Plain values: boxes are x1 y1 x2 y2 in pixels of the image."""
    times = {part: round(ms, 3) for part, ms in spent.items()}
    return {"image": name, **_values(found, card), "milliseconds": times}


def _values(found: Prediction, card: Card) -> dict[str, object]:
    if isinstance(found, Detections):
        rows = [
            {"class": class_name(card, int(c)), "score": float(s), "box": [float(v) for v in box], **more}
            for c, s, box, more in zip(found.classes, found.scores, found.boxes, _more(found), strict=True)
        ]
        return {"detections": rows}
    if isinstance(found, ClassScores):
        best = top_classes(found.scores)
        return {"classes": [{"class": class_name(card, i), "score": float(found.scores[i])} for i in best]}
    if isinstance(found, ClassMap):
        return {"areas": [{"class": name, "share": share} for name, share in _areas(found, card)]}
    return {"outputs": [{"output": n, "shape": list(s), "low": low, "high": high}
                        for n, s, low, high in _outputs(found, card)]}  # fmt: skip


def _more(found: Detections) -> list[dict[str, object]]:
    """What each detection holds beside its box. mask: its number in the file of masks, and its pixels."""
    rows: list[dict[str, object]] = [{} for _ in range(len(found))]
    for i, row in enumerate(rows):
        if found.masks is not None:
            row |= {"mask": i + 1, "pixels": found.masks[i].area}
        if found.points is not None:
            row["points"] = found.points[i].round(2).tolist()
        if found.corners is not None:
            row["corners"] = found.corners[i].round(2).tolist()
    return rows


def as_text(name: str, found: Prediction, card: Card) -> str:
    """ "street.jpg: 3 person, 1 dog" """
    if isinstance(found, ClassScores):
        best = top_classes(found.scores)
        return f"{name}: " + ", ".join(f"{class_name(card, i)} {found.scores[i]:.3f}" for i in best)
    if isinstance(found, ClassMap):
        return f"{name}: " + ", ".join(f"{c} {100 * share:.0f}%" for c, share in _areas(found, card))
    if isinstance(found, RawAnswer):
        return f"{name}: " + ", ".join(f"{n} {s} {a:.4g} .. {b:.4g}" for n, s, a, b in _outputs(found, card))
    counts: dict[str, int] = {}
    for c in found.classes:
        counts[class_name(card, int(c))] = counts.get(class_name(card, int(c)), 0) + 1
    return f"{name}: " + (", ".join(f"{n} {c}" for c, n in counts.items()) or "nothing found")


def picture(image: NDArray[np.uint8], found: Prediction, card: Card) -> NDArray[np.uint8]:
    """The RGB image with boxes, with classes' areas in colour, or with the best class in its corner."""
    if isinstance(found, Detections):
        return draw_detections(image, found, card.classes)
    if isinstance(found, ClassMap):
        return draw_class_map(image, found.classes)
    canvas = image.copy()
    if isinstance(found, ClassScores):
        best = top_classes(found.scores)[0]
        draw_label(canvas, f"{class_name(card, best)} {found.scores[best]:.3f}", (0, 0), class_colour(best))
    return canvas


def mask_of(found: Prediction) -> NDArray[Any] | None:
    """(H, W) to be kept as a file: the class of every pixel, or the number of the detection there.

    Those are from 1 on, the surest on top, 0 for none. None of what holds no pixels.
    """
    if isinstance(found, Detections) and found.masks:
        numbers = np.zeros(found.masks[0].shape, np.int16)
        for i in range(len(found) - 1, -1, -1):
            numbers[found.masks[i].pixels] = i + 1
        return numbers
    return found.classes if isinstance(found, ClassMap) else None


def _areas(found: ClassMap, card: Card) -> list[tuple[str, float]]:
    """Each class that is there and its share of the pixels, the largest first."""
    counts = np.bincount(found.classes[found.classes >= 0])
    order = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i]]
    return [(class_name(card, i), float(counts[i] / counts.sum())) for i in order]


def _outputs(found: RawAnswer, card: Card) -> list[tuple[str, tuple[int, ...], float, float]]:
    """Name, shape, least and largest value of each output."""
    rows = zip(card.classes, found.shapes, found.values, strict=False)
    return [(n, s, float(v.min()) if v.size else 0.0, float(v.max()) if v.size else 0.0) for n, s, v in rows]
