"""Detection: boxes with a class and a score.

The truth is `Labels`, an answer `Detections`; judged by COCO's mean average precision.

Shapes: N images, n boxes of one image.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.detections import Detections, Mask, Prediction
from paredown.errors import DataError
from paredown.metrics import coco, pooled
from paredown.metrics.average_precision import RECALLS
from paredown.metrics.box_confusion import confusion_curves
from paredown.metrics.detection import class_miss_rates
from paredown.metrics.detection_curves import detection_curves
from paredown.metrics.matching import (
    Matches,
    Overlap,
    as_truth,
    box_overlap,
    match,
    match_reference,
)
from paredown.metrics.per_image import detection_gaps, f1_of_images
from paredown.metrics.tally import DetectionTally
from paredown.sample import Labels, Outline, Truth
from paredown.tasks.card_evidence import PooledBoxes
from paredown.tasks.detect_drawing import draw_boxes, draw_changes
from paredown.tasks.detect_reference import box_evidence, check_detector
from paredown.tasks.marks import Canvas
from paredown.tasks.task import Curves, Words

NAME = TRUTH = "detect"
SUMMARY = "object detection: boxes with a class and a score"
WORDS = Words(
    kind="detector",
    marks="boxes",
    shown="boxes at the deployment threshold",
    counted="detections",
    counting="How many detections each model makes",
    held="even where its mAP held",
    tried_by="AP50",
    score="F1 at the card's confidence",
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
    truths="true boxes",
    example="for box, score, number in zip(found.boxes, found.scores, found.classes):\n"
    "    print(card.classes[number], score, box)      # x1 y1 x2 y2 in pixels of the image",
    no_truth="no image holds a true box of a class the model knows",
    no_reference="no detection of the float model",
)
MORE_CLASSES = False
REFUSE_LOW = False

check_reference = check_detector


def classes_of(truth: Truth) -> NDArray[np.int64]:
    """(n,) the class of each true box."""
    return np.zeros(0, np.int64) if truth is None else labels([truth])[0].classes


def translate(truth: Truth, target: NDArray[np.int64]) -> Truth:
    """The true boxes with class i as target[i], those of a target of -1 left out."""
    if truth is None:
        return None
    (known,) = labels([truth])
    classes = target[known.classes]
    return replace(known, classes=classes).take(np.flatnonzero(classes >= 0))


def truth_text(truth: Truth) -> str:
    """The bytes of the true boxes; "None" where nothing is known."""
    if truth is None:
        return str(None)
    (known,) = labels([truth])
    parts = (known.boxes, known.classes, known.crowd, known.area, known.points, known.corners)
    whole = [np.ascontiguousarray(part).tobytes().hex() for part in parts if part is not None]
    return " ".join((*whole, *(["masks", str(_digest_of(known.masks))] if known.masks else [])))


def _digest_of(masks: Sequence[Mask | Outline | None]) -> str:
    """A text that differs where masks differ."""
    digest = hashlib.blake2b(digest_size=16)
    for mask in masks:
        parts = (
            () if mask is None else (mask.runs, *getattr(mask, "polygons", ()), getattr(mask, "packed", b""))
        )
        for part in (str(len(parts)).encode(), *parts):
            digest.update(part + b"/")
    return digest.hexdigest()


def store(predictions: Sequence[Prediction]) -> dict[str, NDArray[np.generic]]:
    """counts (N,), boxes (n, 4), scores (n,), classes (n,), the boxes of all images one after the other.

    Where there are any, points (n, P, 3) and corners (n, 4, 2) of them, and the masks: sizes (n,) in runs,
    the runs one after the other, shapes (n, 2) of the images.
    """
    found = detections(predictions)
    stored: dict[str, NDArray[np.generic]] = {
        "counts": np.array([len(p) for p in found], np.int64),
        "boxes": np.concatenate([p.boxes for p in found]).reshape(-1, 4),
        "scores": np.concatenate([p.scores for p in found]),
        "classes": np.concatenate([p.classes for p in found]),
    }
    for name in ("points", "corners"):
        parts = [part for p in found if (part := getattr(p, name)) is not None]
        stored |= {name: np.concatenate(parts)} if parts else {}
    if found and found[0].masks is not None:
        masks = [mask for p in found for mask in p.masks or ()]
        stored["mask_runs"] = np.frombuffer(b"".join(m.runs for m in masks), np.uint32)
        stored["mask_sizes"] = np.array([len(m.runs) // 4 for m in masks], np.int64)
        stored["mask_shapes"] = np.array([m.shape for m in masks], np.int64).reshape(-1, 2)
    return stored


def restore(arrays: Mapping[str, NDArray[Any]]) -> list[Prediction]:
    """The detections of each image."""
    cuts = np.cumsum(arrays["counts"])[:-1]
    names = [name for name in ("boxes", "scores", "classes", "points", "corners") if name in arrays]
    columns = [np.split(arrays[name], cuts) for name in names]
    found = [Detections(**dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]
    if "mask_runs" not in arrays:
        return [*found]
    runs = np.split(arrays["mask_runs"], np.cumsum(arrays["mask_sizes"])[:-1])
    shapes = [(int(h), int(w)) for h, w in arrays["mask_shapes"]]
    masks = [Mask(r.tobytes(), shape) for r, shape in zip(runs, shapes, strict=False)]
    starts = [0, *cuts, len(masks)]
    return [
        replace(p, masks=tuple(masks[a:b])) for p, a, b in zip(found, starts[:-1], starts[1:], strict=True)
    ]


def against_truth(
    predictions: Sequence[Prediction], truths: Sequence[Truth], card: Card, overlap: Overlap = box_overlap
) -> Matches:
    """The detections matched with the true boxes, or by another overlap with what is true."""
    found, known = detections(predictions), labels(truths)
    return match(found, known, len(card.classes), card.conf, card.max_detections, overlap)


def against_reference(
    predictions: Sequence[Prediction],
    reference: Sequence[Prediction],
    card: Card,
    overlap: Overlap = box_overlap,
) -> Matches:
    """The detections matched with the float model's, as far as those reach the card's confidence."""
    found, floats = detections(predictions), detections(reference)
    return match_reference(found, floats, len(card.classes), card.conf, card.max_detections, overlap)


def as_truths(reference: Sequence[Prediction], card: Card) -> list[Truth]:
    """The detections at or above the card's confidence as true boxes."""
    return [as_truth(r.above(card.conf)) for r in detections(reference)]


def tally(evidence: Matches, weights: NDArray[np.int64]) -> DetectionTally:
    """The matches counted under `weights` (R, N)."""
    return DetectionTally(evidence, weights)


def official(
    predictions: Sequence[Prediction], truths: Sequence[Truth], evidence: Matches, card: Card
) -> tuple[dict[str, float], Curves]:
    """The AP values reported, which are faster-coco-eval's; AP and misses by class, precision by recall, F1
    by confidence, sizes, the confusion matrix."""
    found, known = detections(predictions), labels(truths)
    result = coco.evaluate(found, known, len(card.classes), card.max_detections)
    return result.values, {**curves_of(result, evidence), **confusion_curves(found, known, card.conf)}


def curves_of(result: coco.CocoResult, evidence: Matches) -> Curves:
    """AP and misses by class, precision by recall, F1 by confidence, sizes."""
    return {
        **class_curves(evidence),
        "ap_per_class": _floats(result.class_ap),
        "pr_recall": _floats(RECALLS),
        "pr_precision": _floats(result.precision),
        **detection_curves(evidence),
    }


def class_curves(evidence: Matches) -> Curves:
    """AP50-95 and misses by class; nan where a class has no truth."""
    once = DetectionTally(evidence, np.ones((1, evidence.n_images), np.int64))
    return {
        "ap_per_class": _floats(once.ap()[0].mean(axis=0)),
        "miss_rate_per_class": _floats(class_miss_rates(once)[0]),
    }


def image_scores(evidence: Matches) -> NDArray[np.float64]:
    """(N,) F1 at the card's confidence; nan where an image holds neither a truth nor a detection."""
    return f1_of_images(evidence)


def disagreement(a: Sequence[Prediction], b: Sequence[Prediction], conf: float) -> NDArray[np.float64]:
    """(N,) the confidence of what one lacks, and the change of confidence of what both have."""
    return detection_gaps(detections(a), detections(b), conf)


def confidences(prediction: Prediction) -> NDArray[np.floating]:
    """(n,) the score of each box."""
    (found,) = detections([prediction])
    return found.scores


def card_evidence(
    predictions: Sequence[Prediction], truths: Sequence[Truth], *, with_classes: bool
) -> PooledBoxes:
    """The pooled matches of the images with true boxes."""
    return box_evidence(predictions, truths, with_classes=with_classes)


def unclassed(truth: Truth) -> Truth:
    """The true boxes, all of class 0."""
    return pooled.unclassed(truth) if isinstance(truth, Labels) else None


def found_classes(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Counter[int]:
    """The classes of true boxes that a confident detection falls on."""
    true = np.array([c for t in truths if isinstance(t, Labels) for c in t.classes], np.int64)
    matches = box_evidence(predictions, truths, with_classes=False).matches
    return Counter(true[matches.found_score >= pooled.CONFIDENT].tolist())


def draw(
    canvas: Canvas, prediction: Prediction, card: Card, place: Callable[[NDArray[Any]], NDArray[Any]]
) -> Canvas:
    """The boxes at the card's confidence."""
    (found,) = detections([prediction])
    return draw_boxes(canvas, found, card, place)


def draw_pair(
    canvas: Canvas, a: Prediction, b: Prediction, truth: Truth, card: Card, scale: float
) -> tuple[str, Canvas, Canvas]:
    """The boxes missed, new and of another class stand out; the truth is dashed."""
    one, other = detections([a, b])
    return draw_changes(canvas, one, other, truth, card, scale)


def _floats(values: NDArray[np.generic]) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


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
