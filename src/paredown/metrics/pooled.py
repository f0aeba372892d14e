"""Average precision at IoU 0.5 of all detections pooled: steadier on few images than a mean over classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from paredown.detections import Detections
from paredown.metrics.average_precision import average_precision
from paredown.metrics.matching import Matches, match
from paredown.sample import Labels

Number = TypeVar("Number", bound=np.generic)

CONFIDENT = 0.5  # detections that tell which class a nameless detector finds
_MOST_COUNTS = 20_000_000  # weightings x detections held at once: some 300 MB
_MOST_DETECTIONS = 100  # per image, as COCO counts them


def pooled(pairs: Sequence[tuple[Detections, Labels]], *, with_classes: bool) -> Matches:
    """The matches of the images as of one class; without classes every box matches any other."""
    if not with_classes:
        pairs = [(replace(p, classes=np.zeros_like(p.classes)), unclassed(t)) for p, t in pairs]
    found = match([p for p, _ in pairs], [t for _, t in pairs], 1, CONFIDENT, _MOST_DETECTIONS)
    one, one_truth = np.zeros_like(found.class_), np.zeros_like(found.truth_class)
    return replace(found, class_=one, truth_class=one_truth)


def unclassed(truth: Labels) -> Labels:
    """The truth with all boxes of one class."""
    return replace(truth, classes=np.zeros_like(truth.classes))


def pooled_ap50(matches: Matches, weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """(R,) AP at IoU 0.5 of pooled matches under weightings (R, N) of the images; 0 without truth."""
    if not matches.counted[0].any():
        return np.zeros(len(weights))
    at_half = replace(matches, hit=matches.hit[:, :1], ignored=matches.ignored[:, :1])
    parts = np.array_split(weights, max(1, len(weights) * len(matches.score) // _MOST_COUNTS))
    values: NDArray[np.float64] = np.nan_to_num(
        np.concatenate([average_precision(at_half, part)[:, 0, 0] for part in parts])
    )
    return values


def joined(a: Matches, b: Matches) -> Matches:
    """Both as one set of 2 N images, those of b behind those of a."""
    score = np.concatenate([a.score, b.score])
    order = np.argsort(-score, kind="stable")
    return Matches(
        n_images=a.n_images + b.n_images,
        n_classes=1,
        conf=a.conf,
        image=_both(a.image, b.image + a.n_images)[order],
        class_=_both(a.class_, b.class_)[order],
        score=score[order],
        hit=_both(a.hit, b.hit)[..., order],
        ignored=_both(a.ignored, b.ignored)[..., order],
        truth_image=_both(a.truth_image, b.truth_image + a.n_images),
        truth_class=_both(a.truth_class, b.truth_class),
        truth_score=_both(a.truth_score, b.truth_score),
        counted=_both(a.counted, b.counted),
        found_score=_both(a.found_score, b.found_score),
        found_iou=_both(a.found_iou, b.found_iou),
    )


def _both(a: NDArray[Number], b: NDArray[Number]) -> NDArray[Number]:
    return np.concatenate([a, b], axis=-1)
