"""Semantic segmentation: a class for every pixel.

The truth and an answer are a `ClassMap` of the image's size; judged by the mean IoU of the classes.

Shapes: N images, C classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.detections import NO_CLASS, ClassMap, Prediction
from paredown.draw import class_colour, draw_class_map, draw_label
from paredown.errors import CardError, DataError
from paredown.metrics.segmentation import Overlaps, OverlapTally, image_miou, miou, overlaps
from paredown.sample import Truth
from paredown.statistics.paired import sign_flip_test
from paredown.tasks.marks import CHANGED, Canvas, class_name
from paredown.tasks.task import Curves, Words

NAME = TRUTH = "segment"
SUMMARY = "semantic segmentation: a class for every pixel"
WORDS = Words(
    kind="segmenter",
    marks="areas of each class",
    shown="areas of each class; on the right the pixels of another class stand out",
    counted="pixels",
    counting="How many pixels are",
    held="even where its mIoU held",
    tried_by="mIoU",
    score="mIoU of the image",
    of_class=("IoU", "pixels"),
    of_class_fidelity=("IoU", "pixels of the float model"),
    legend=(("missed", "another class with {other}"),),
    legend_unknown=(("missed", "another class with {other}"),),
    truths="",
    example="print(found.classes.shape, {card.classes[i] for i in set(found.classes.ravel())})",
    no_truth="no image has a pixel of a class the model knows",
    no_reference="no pixel of the float model has a class",
    left_out="area",
)
MORE_CLASSES = True
REFUSE_LOW = True
NOTHING = 0.02  # an mIoU below is chance
_NAMED = 4  # classes named in a picture


def classes_of(truth: Truth) -> NDArray[np.int64]:
    """(n,) the classes that are in the image, each once."""
    if truth is None:
        return np.zeros(0, np.int64)
    found = np.unique(maps([truth])[0].classes)
    return np.asarray(found[found != NO_CLASS], np.int64)


def translate(truth: Truth, target: NDArray[np.int64]) -> Truth:
    """The map with class i as target[i]; pixels of a target of -1 are of no class, and left out."""
    if truth is None:
        return None
    known = maps([truth])[0].classes
    return ClassMap.of(np.where(known >= 0, target[np.maximum(known, 0)], NO_CLASS))


def truth_text(truth: Truth) -> str:
    """The packed map; "None" where nothing is known."""
    return str(None) if truth is None else maps([truth])[0].packed.hex()


def store(predictions: Sequence[Prediction]) -> dict[str, NDArray[np.generic]]:
    """packed: the maps' bytes one after the other; sizes (N,) of each; shapes (N, 2)."""
    found = maps(predictions)
    return {
        "packed": np.frombuffer(b"".join(m.packed for m in found), np.uint8),
        "sizes": np.array([len(m.packed) for m in found], np.int64),
        "shapes": np.array([m.shape for m in found], np.int64).reshape(-1, 2),
    }


def restore(arrays: Mapping[str, NDArray[Any]]) -> list[Prediction]:
    """The map of each image."""
    parts = np.split(arrays["packed"], np.cumsum(arrays["sizes"])[:-1])
    return [
        ClassMap(p.tobytes(), (int(h), int(w))) for p, (h, w) in zip(parts, arrays["shapes"], strict=True)
    ]


def against_truth(predictions: Sequence[Prediction], truths: Sequence[Truth], card: Card) -> Overlaps:
    """The maps held against the true ones."""
    return overlaps(maps(predictions), maps(truths), len(card.classes))


def against_reference(
    predictions: Sequence[Prediction], reference: Sequence[Prediction], card: Card
) -> Overlaps:
    """The maps held against the float model's."""
    return overlaps(maps(predictions), maps(reference), len(card.classes))


def as_truths(reference: Sequence[Prediction], card: Card) -> list[Truth]:
    """The maps themselves."""
    return [*maps(reference)]


def tally(evidence: Overlaps, weights: NDArray[np.int64]) -> OverlapTally:
    """The overlaps counted under `weights` (R, N)."""
    return OverlapTally(evidence, weights)


def official(
    predictions: Sequence[Prediction], truths: Sequence[Truth], evidence: Overlaps, card: Card
) -> tuple[dict[str, float], Curves]:
    """No metric; the IoU of each class."""
    once = OverlapTally(evidence, np.ones((1, evidence.n_images), np.int64))
    return {}, {"ap_per_class": tuple(float(v) for v in once.iou[0])}


def image_scores(evidence: Overlaps) -> NDArray[np.float64]:
    """(N,) mIoU of each image; nan where it has no pixel of known class."""
    return image_miou(evidence)


def disagreement(a: Sequence[Prediction], b: Sequence[Prediction], conf: float) -> NDArray[np.float64]:
    """(N,) share of the pixels of another class, whatever the confidence."""
    return np.array([float((p.classes != q.classes).mean()) for p, q in zip(maps(a), maps(b), strict=True)])


def confidences(prediction: Prediction) -> NDArray[np.floating]:
    """None: a map holds the best class alone."""
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class MapEvidence:
    """The evidence of a segmenter for one card, judged by its mIoU."""

    overlaps: Overlaps

    @property
    def n_images(self) -> int:
        return self.overlaps.n_images

    @property
    def value(self) -> float:
        found = float(self.resampled(np.ones((1, self.n_images), np.int64))[0]) if self.n_images else 0.0
        return found if found == found else 0.0

    @property
    def score(self) -> tuple[float, float]:
        return self.value, 0.0

    def resampled(self, weights: NDArray[np.int64]) -> NDArray[np.float64]:
        """(R,) mIoU."""
        return miou(OverlapTally(self.overlaps, weights))

    def p_value(self, other: MapEvidence, seed: int) -> float:
        """Of the mean over images of what is right being equal; 1 where that points the other way."""
        mine, theirs = (_right_share(e.overlaps) for e in (self, other))
        both = ~np.isnan(mine) & ~np.isnan(theirs)
        if not both.any() or (mine[both] - theirs[both]).mean() * (self.value - other.value) < 0:
            return 1.0
        return sign_flip_test(mine[both] - theirs[both], seed)

    def aside(self, other: MapEvidence) -> str:
        return ""


def _right_share(found: Overlaps) -> NDArray[np.float64]:
    """(N,) share of right pixels of each image."""
    return OverlapTally(found, np.eye(found.n_images, dtype=np.int64)).right


def card_evidence(
    predictions: Sequence[Prediction], truths: Sequence[Truth], *, with_classes: bool
) -> MapEvidence:
    """The overlaps of the images with a true map; an answer is its classes."""
    pairs = zip(predictions, truths, strict=True)
    known = [(p, t) for p, t in pairs if isinstance(p, ClassMap) and isinstance(t, ClassMap)]
    most = max((int(m.classes.max(initial=0)) for pair in known for m in pair), default=0)
    return MapEvidence(overlaps([p for p, _ in known], [t for _, t in known], most + 1))


def unclassed(truth: Truth) -> Truth:
    """None: a map without its classes says nothing."""
    return None


def found_classes(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Counter[int]:
    """None: what is found is the class."""
    return Counter()


def check_reference(
    predictions: Sequence[Prediction],
    truths: Sequence[Truth],
    card: Card,
    reread: Callable[[Sequence[int], Card], list[Prediction]],
) -> None:
    """Raises CardError where the float model is right about next to nothing."""
    found = card_evidence(predictions, truths, with_classes=True)
    if found.n_images and found.value < NOTHING:
        raise CardError(
            "the float model is hardly ever right: it is fed wrongly, or its classes are others",
            got=f"mIoU {found.value:.3f} on {found.n_images} images",
            hint="say its input and its classes, in its order, in a card.toml beside it (docs/card.md)",
        )


def draw(
    canvas: Canvas, prediction: Prediction, card: Card, place: Callable[[NDArray[Any]], NDArray[Any]]
) -> Canvas:
    """The areas in their classes' colours, the largest named."""
    (said,) = maps([prediction])
    corners = place(np.array([[0.0, 0.0], [said.shape[1], said.shape[0]]]))
    (x1, y1), (x2, y2) = np.rint(corners).astype(int)
    drawn = canvas.copy()
    scaled = _resized(said.classes, max(1, y2 - y1), max(1, x2 - x1))
    top, left = max(0, y1), max(0, x1)
    part = drawn[top:y2, left:x2]
    part[:] = draw_class_map(part, scaled[top - y1 :, left - x1 :][: part.shape[0], : part.shape[1]])
    return _named(drawn, said, card)


def draw_pair(
    canvas: Canvas, a: Prediction, b: Prediction, truth: Truth, card: Card, scale: float
) -> tuple[str, Canvas, Canvas]:
    """The areas of both; in the second the pixels of another class than in the first stand out."""
    one, other = (_resized(m.classes, *canvas.shape[:2]) for m in maps([a, b]))
    first, second = draw_class_map(canvas, one), draw_class_map(canvas, other)
    second[one != other] = CHANGED["missed"]
    (share,) = disagreement([a], [b], 0.0)
    return f"{100 * share:.2f} % of the pixels are of another class", first, second


def _resized(classes: NDArray[np.int16], height: int, width: int) -> NDArray[np.int16]:
    return np.asarray(cv2.resize(classes, (width, height), interpolation=cv2.INTER_NEAREST), np.int16)


def _named(canvas: Canvas, said: ClassMap, card: Card) -> Canvas:
    """The canvas with the names of its largest classes in their colours, one below the other."""
    counts = np.bincount(np.maximum(said.classes, 0).ravel())
    order = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i]]
    for row, i in enumerate(order[:_NAMED]):
        draw_label(canvas, f"{class_name(i, card)} {100 * counts[i] / counts.sum():.0f}%",
                   (0, 22 * (row + 1)), class_colour(i))  # fmt: skip
    return canvas


def maps(values: Sequence[object]) -> list[ClassMap]:
    """Truths or predictions, all of them maps. Raises DataError where one is not."""
    found = [v for v in values if isinstance(v, ClassMap)]
    if len(found) != len(values):
        kinds = ", ".join(sorted({type(v).__name__ for v in values}))
        raise DataError("a segmenter needs a class for every pixel", got=kinds)
    return found
