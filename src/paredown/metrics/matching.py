"""COCO matching of detections to truths, done once per image and counted as often as wanted afterwards.

Source: pycocotools `COCOeval.evaluateImg` (Lin et al. 2014, arXiv 1405.0312): per image and class, detections
by falling score each take the free truth of highest IoU at or above the threshold, the last of equals; crowd
regions and truths outside the area range are taken only where no other is left, and what takes them is
ignored, as is an unmatched detection outside the range.

Letters: N images, C classes, D detections of all images (best score first), G truths of all images,
A area ranges (all, small, medium, large), T IoU thresholds (0.50 .. 0.95).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from paredown.boxes.iou import box_iou
from paredown.detections import Detections
from paredown.errors import DataError
from paredown.sample import Labels

Number = TypeVar("Number", np.int64, np.float64)

THRESHOLDS: NDArray[np.float64] = np.linspace(0.5, 0.95, 10)
AREAS = ("all", "small", "medium", "large")
AREA_RANGES: NDArray[np.float64] = np.array(
    [[0, 1e10], [0, 32.0**2], [32.0**2, 96.0**2], [96.0**2, 1e10]], np.float64
)  # pixels squared, both ends inclusive, as COCO has them
MAX_DETECTIONS = 300  # per image; COCO's own 100 is too few for the crowded images of today's detectors


Overlap = Callable[[Detections, Labels], NDArray[np.float64]]
"""(n, m) how much each detection is each truth, 0..1: the IoU of boxes, of masks, OKS."""


def box_overlap(found: Detections, truth: Labels) -> NDArray[np.float64]:
    """(n, m) IoU of boxes; over the detection's own area for a crowd."""
    return box_iou(found.boxes.astype(np.float64), truth.boxes, truth.crowd)


@dataclass(frozen=True)
class Matches:
    """Which detection found which truth, for every area range and IoU threshold.

    `found_score`, `found_iou`: of the detection that takes a truth at IoU 0.5 (range "all"), else 0.
    `truth_score` is 1 for real truths, the reference's own confidence where a reference stands in for them.
    """

    n_images: int
    n_classes: int
    conf: float  # the threshold of deployment
    image: NDArray[np.int64]  # (D,)
    class_: NDArray[np.int64]  # (D,)
    score: NDArray[np.float64]  # (D,)
    hit: NDArray[np.bool_]  # (A, T, D) takes a truth that counts
    ignored: NDArray[np.bool_]  # (A, T, D) neither hit nor false alarm
    truth_image: NDArray[np.int64]  # (G,)
    truth_class: NDArray[np.int64]  # (G,)
    truth_score: NDArray[np.float64]  # (G,)
    counted: NDArray[np.bool_]  # (A, G) not crowd, and inside the area range
    found_score: NDArray[np.float64]  # (G,)
    found_iou: NDArray[np.float64]  # (G,)

    @property
    def n_counts(self) -> int:
        return len(self.score) + len(self.truth_image) * self.n_images  # sums over images up to each hit

    @property
    def known(self) -> NDArray[np.bool_]:
        """(C,) classes that have a truth which counts."""
        known = np.zeros(self.n_classes, np.bool_)
        known[self.truth_class[self.counted[0]]] = True
        return known


def match(
    predictions: Sequence[Detections],
    truths: Sequence[Labels],
    n_classes: int,
    conf: float,
    max_detections: int = MAX_DETECTIONS,
    overlap: Overlap = box_overlap,
) -> Matches:
    """The matches of one model's detections with the truths of the same images."""
    if len(predictions) != len(truths):
        raise DataError(
            "there must be one prediction for each image",
            got=f"{len(predictions)} predictions",
            expected=f"{len(truths)} images",
        )
    best = [_best(p, max_detections) for p in predictions]
    images = [_match_image(p, t, overlap) for p, t in zip(best, truths, strict=True)]
    score = _cat([p.scores for p in best], np.float64)
    order = np.argsort(-score, kind="stable")
    image = np.repeat(np.arange(len(best)), [len(p) for p in best])
    n_truths = [len(t.classes) for t in truths]
    return Matches(
        n_images=len(best),
        n_classes=n_classes,
        conf=conf,
        image=image[order],
        class_=_cat([p.classes for p in best], np.int64)[order],
        score=score[order],
        hit=_cat_last([i.hit for i in images], (len(AREAS), len(THRESHOLDS)))[..., order],
        ignored=_cat_last([i.ignored for i in images], (len(AREAS), len(THRESHOLDS)))[..., order],
        truth_image=np.repeat(np.arange(len(truths)), n_truths),
        truth_class=_cat([t.classes for t in truths], np.int64),
        truth_score=np.ones(sum(n_truths)),
        counted=_cat_last([i.counted for i in images], (len(AREAS),)),
        found_score=_cat([i.found_score for i in images], np.float64),
        found_iou=_cat([i.found_iou for i in images], np.float64),
    )


def match_reference(
    predictions: Sequence[Detections],
    reference: Sequence[Detections],
    n_classes: int,
    conf: float,
    max_detections: int = MAX_DETECTIONS,
    overlap: Overlap = box_overlap,
) -> Matches:
    """The matches with what a reference model detects at or above `conf`, taken for the truth."""
    confident = [r.above(conf) for r in reference]
    wanted = [as_truth(r) for r in confident]
    matches = match(predictions, wanted, n_classes, conf, max_detections, overlap)
    return replace(matches, truth_score=_cat([r.scores for r in confident], np.float64))


def as_truth(detections: Detections) -> Labels:
    """The detections as if they were true boxes."""
    boxes = detections.boxes
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    points = detections.points
    if points is not None:  # every point counts
        points = np.concatenate([points[..., :2], np.full_like(points[..., :1], 2)], axis=-1)
    none = np.zeros(len(boxes), np.bool_)
    return Labels(boxes, detections.classes, none, area, detections.masks, points, detections.corners)


@dataclass(frozen=True)
class _Image:
    """What `Matches` holds, for one image, in the order the image was given."""

    hit: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    found_score: NDArray[np.float64]
    found_iou: NDArray[np.float64]


def _match_image(found: Detections, truth: Labels, overlap: Overlap) -> _Image:
    n, m = len(found), len(truth.classes)
    boxes = found.boxes.astype(np.float64)
    outside = _outside((boxes[:, 2:] - boxes[:, :2]).prod(-1))  # (A, n)
    counted = ~_outside(truth.area) & ~truth.crowd
    hit = np.zeros((len(AREAS), len(THRESHOLDS), n), np.bool_)
    ignored = np.repeat(outside[:, None, :], len(THRESHOLDS), axis=1)
    found_score, found_iou = np.zeros(m), np.zeros(m)
    for c in np.intersect1d(found.classes, truth.classes):
        d, g = np.flatnonzero(found.classes == c), np.flatnonzero(truth.classes == c)
        iou = overlap(found.take(d), truth.take(g))
        taken = _match_class(iou, truth.crowd[g], counted[:, g])  # (A, T, d), index into g or -1
        is_taken = taken >= 0
        counts = np.take_along_axis(counted[:, None, g], np.maximum(taken, 0), axis=2)
        hit[..., d] = is_taken & counts
        ignored[..., d] = np.where(is_taken, ~counts, ignored[..., d])
        here = np.flatnonzero(hit[0, 0, d])
        found_score[g[taken[0, 0, here]]] = found.scores[d[here]]
        found_iou[g[taken[0, 0, here]]] = iou[here, taken[0, 0, here]]
    return _Image(hit, ignored, counted, found_score, found_iou)


def _match_class(
    iou: NDArray[np.float64], crowd: NDArray[np.bool_], counted: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """(A, T, d) the truth each detection takes, or -1. iou: (d, g) rows by falling score; counted: (A, g)."""
    n, m = iou.shape
    taken = np.full((len(counted), len(THRESHOLDS), n), -1, np.int64)
    free = np.ones((len(counted), len(THRESHOLDS), m), np.bool_)
    least = np.minimum(THRESHOLDS, 1 - 1e-10)[:, None]
    for i in np.flatnonzero(iou.max(axis=1) >= THRESHOLDS[0]):
        possible = free & (iou[i] >= least)  # (A, T, g)
        counts = possible & counted[:, None]
        possible = np.where(counts.any(-1, keepdims=True), counts, possible)
        best = m - 1 - np.where(possible, iou[i], -1.0)[..., ::-1].argmax(-1)  # the last of equals
        a, t = np.nonzero(possible.any(-1))
        taken[a, t, i] = best[a, t]
        free[a, t, best[a, t]] = crowd[best[a, t]]  # a crowd region stays free
    return taken


def _outside(area: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(A, n) whether an area lies outside each range."""
    low, high = AREA_RANGES[:, :1], AREA_RANGES[:, 1:]
    outside: NDArray[np.bool_] = (area.astype(np.float64) < low) | (area.astype(np.float64) > high)
    return outside


def _best(found: Detections, most: int) -> Detections:
    order = np.argsort(-found.scores, kind="stable")[:most]
    return found.take(order)


def _cat(parts: Sequence[NDArray[np.generic]], dtype: type[Number]) -> NDArray[Number]:
    return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype)


def _cat_last(parts: Sequence[NDArray[np.bool_]], head: tuple[int, ...]) -> NDArray[np.bool_]:
    return np.concatenate(parts, axis=-1) if parts else np.zeros((*head, 0), np.bool_)
