"""Is one way of feeding a model better than another on the same labelled images? Beyond chance, or not.

Detectors: average precision at IoU 0.5 of all detections pooled (steadier on few images than a mean over
classes). Classifiers: how often the first class is right; where that does not differ, the mean log
probability of the truth, by which a saturated net loses: it is wrong with certainty.

Source: M. D. Smucker, J. Allan, B. Carterette, A comparison of statistical significance tests for
information retrieval evaluation, CIKM 2007, section 2.4 (paired randomisation: the two answers to an image
change places).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from paredown.analyze.bootstrap import Interval, interval, resample_weights
from paredown.analyze.paired import sign_flip_test
from paredown.detections import ClassScores, Detections, Prediction
from paredown.metrics.average_precision import average_precision
from paredown.metrics.matching import Matches, match
from paredown.metrics.outcomes import probabilities
from paredown.sample import Labels, Truth

Number = TypeVar("Number", bound=np.generic)

LEVEL = 0.01  # of each comparison; there are a handful of them
FLIPS = 1000
RESAMPLES = 300
_MOST_COUNTS = 20_000_000  # weightings x detections held at once: some 300 MB
_MOST_DETECTIONS = 100  # per image, as COCO counts them
CONFIDENT = 0.5  # detections that tell which class a nameless detector finds
_LEAST_PROBABILITY = 1e-7  # of a truth, so that one image cannot outweigh all others


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the images with truth say about one candidate. N: images.

    `matches` of a detector, all classes pooled; `right` and `log_probability` (N,) of a classifier.
    """

    matches: Matches | None
    right: NDArray[np.float64]
    log_probability: NDArray[np.float64]

    @property
    def n_images(self) -> int:
        return len(self.right) if self.matches is None else self.matches.n_images

    @property
    def value(self) -> float:
        """AP50, or the share of right first classes; 0 where there is nothing to count."""
        if self.matches is not None:
            return float(pooled_ap50(self.matches, np.ones((1, self.n_images), np.int64))[0])
        return float(self.right.mean()) if len(self.right) else 0.0

    @property
    def score(self) -> tuple[float, float]:
        """What candidates are put in order by: the value, then how probable the truth was."""
        return self.value, float(self.log_probability.mean()) if len(self.log_probability) else 0.0


def evidence(predictions: Sequence[Prediction], truths: Sequence[Truth], *, with_classes: bool) -> Evidence:
    """The evidence of the images that have a truth; without classes every box is of the same one."""
    pairs = list(zip(predictions, truths, strict=True))
    classes = [(p, t) for p, t in pairs if isinstance(p, ClassScores) and isinstance(t, int)]
    boxes = [(p, t) for p, t in pairs if isinstance(p, Detections) and isinstance(t, Labels)]
    if classes:
        chances = [np.nan_to_num(probabilities(p)) for p, _ in classes]
        right = [float(c.argmax() == t) for c, (_, t) in zip(chances, classes, strict=True)]
        truth = [max(float(c[t]), _LEAST_PROBABILITY) for c, (_, t) in zip(chances, classes, strict=True)]
        return Evidence(None, np.array(right), np.log(truth))
    nothing = np.zeros(0)
    return Evidence(_pooled(boxes, with_classes), nothing, nothing)


def interval_of(found: Evidence, seed: int = 0) -> Interval:
    """The value with its 95 % interval, by resampling images."""
    weights = resample_weights(found.n_images, RESAMPLES, seed)
    return interval(found.value, _resampled(found, weights), (0.0, 1.0))


def gap_of(a: Evidence, b: Evidence, seed: int = 0) -> Interval:
    """a - b on the same images with its 95 % interval, by resampling images."""
    weights = resample_weights(a.n_images, RESAMPLES, seed)
    return interval(a.value - b.value, _resampled(a, weights) - _resampled(b, weights))


@lru_cache(maxsize=128)
def p_value(a: Evidence, b: Evidence, seed: int = 0) -> float:
    """Two-sided, of a being no better than b: of the headline, or of the log probability where that agrees.

    1 where what is measured points in both directions.
    """
    if a.matches is not None and b.matches is not None:
        return _randomised(a.matches, b.matches, seed)
    headline = sign_flip_test(a.right - b.right, seed)
    probability = a.log_probability - b.log_probability
    if headline <= LEVEL or a.value < b.value or probability.mean() < 0:
        return headline if a.value > b.value else 1.0
    return min(headline, sign_flip_test(probability, seed))


def better(a: Evidence, b: Evidence) -> bool:
    """Whether a is better than b by more than chance."""
    return a.score > b.score and p_value(a, b) <= LEVEL


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


def matches_of(predictions: Sequence[Prediction], truths: Sequence[Truth], *, with_classes: bool) -> Matches:
    """The matches of the images with true boxes, pooled into one class after or before matching."""
    pairs = zip(predictions, truths, strict=True)
    boxes = [(p, t) for p, t in pairs if isinstance(p, Detections) and isinstance(t, Labels)]
    return _pooled(boxes, with_classes)


def unclassed(truth: Labels) -> Labels:
    """The truth with all boxes of one class."""
    return replace(truth, classes=np.zeros_like(truth.classes))


def _pooled(pairs: Sequence[tuple[Detections, Labels]], with_classes: bool) -> Matches:
    if not with_classes:
        pairs = [(replace(p, classes=np.zeros_like(p.classes)), unclassed(t)) for p, t in pairs]
    found = match([p for p, _ in pairs], [t for _, t in pairs], 1, CONFIDENT, _MOST_DETECTIONS)
    one, one_truth = np.zeros_like(found.class_), np.zeros_like(found.truth_class)
    return replace(found, class_=one, truth_class=one_truth)


def _resampled(found: Evidence, weights: NDArray[np.int64]) -> NDArray[np.float64]:
    if found.matches is not None:
        return pooled_ap50(found.matches, weights)
    return weights @ found.right / max(1, found.n_images)


def _randomised(a: Matches, b: Matches, seed: int) -> float:
    """The p-value of a's and b's AP50 being equal: their answers change places image by image at random."""
    n = a.n_images
    if n == 0:
        return 1.0
    stay = np.random.default_rng(seed).integers(0, 2, (FLIPS, n))
    stay[0] = 1  # as it was seen
    both = _joined(a, b)
    first = pooled_ap50(both, np.concatenate([stay, 1 - stay], axis=1))
    second = pooled_ap50(both, np.concatenate([1 - stay, stay], axis=1))
    gaps = abs(first - second)
    return float((gaps >= gaps[0] * (1 - 1e-9)).mean())


def _joined(a: Matches, b: Matches) -> Matches:
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
