"""Average precision of many weightings of the same images at once.

A weighting says how often each image counts: all ones is the data set as it is, a bootstrap resample is a
row of counts. Matching is within an image, so it need not be done again; only the counting is.

Source: pycocotools `COCOeval.accumulate`: precision made non-increasing from the right, read at 101 recalls.

Letters: R weightings, N images, C classes, T IoU thresholds, D detections of one class, H hits among them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paredown.metrics.matching import Matches

RECALLS: NDArray[np.float64] = np.linspace(0, 1, 101)


def average_precision(matches: Matches, weights: NDArray[np.int64], area: int = 0) -> NDArray[np.float64]:
    """(R, T, C) AP per weighting, IoU threshold and class; nan where a class has no truth.

    weights: (R, N). `area` is an index into `matching.AREAS`.
    """
    hit, ignored = matches.hit[area], matches.ignored[area]
    result = np.full((len(weights), len(hit), matches.n_classes), np.nan)
    counted = matches.counted[area]
    for c in np.unique(matches.truth_class[counted]):
        n_truths = weights[:, matches.truth_image[counted & (matches.truth_class == c)]].sum(axis=1)
        of_class = np.flatnonzero(matches.class_ == c)
        counts = weights[:, matches.image[of_class]]  # (R, D)
        needed = _needed(n_truths)
        for t in range(len(hit)):
            result[:, t, c] = _area_under(counts, hit[t, of_class], ignored[t, of_class], needed)
        result[n_truths == 0, :, c] = np.nan
    return result


def _area_under(
    counts: NDArray[np.int64],
    hit: NDArray[np.bool_],
    ignored: NDArray[np.bool_],
    needed: NDArray[np.int64],
) -> NDArray[np.float64]:
    """(R,) mean precision at the 101 recalls. counts: (R, D) weight of each detection, best score first.

    needed: (R, 101) hits that reach each recall.

    Precision is looked at only behind hits: between two hits it falls, so no other place can be the maximum.
    """
    hits = np.flatnonzero(hit)
    if len(hits) == 0:
        return np.zeros(len(counts))
    upto = hits[-1] + 1
    before = np.cumsum(counts[:, :upto] * ~ignored[:upto], axis=1)[:, hits]  # (R, H) detections so far
    correct = np.cumsum(counts[:, hits], axis=1)  # (R, H)
    precision = np.divide(correct, before, out=np.zeros(correct.shape), where=before > 0)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    place = _first_at_least(correct, needed)  # (R, 101), H where the recall is never reached
    padded = np.concatenate([precision, np.zeros((len(precision), 1))], axis=1)
    area: NDArray[np.float64] = np.take_along_axis(padded, place, axis=1).mean(axis=1)
    return area


def _needed(n_truths: NDArray[np.int64]) -> NDArray[np.int64]:
    """(R, 101) the fewest hits whose recall, as a float64 quotient, reaches each of the recalls."""
    n = np.maximum(n_truths, 1)[:, None].astype(np.float64)
    k = np.ceil(RECALLS * n)
    k -= (k - 1) / n >= RECALLS  # rounding of the product can be one off in both directions
    k += k / n < RECALLS
    needed: NDArray[np.int64] = np.maximum(k, 1).astype(np.int64)
    return needed


def _first_at_least(rising: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """(R, k) index of the first element of each row of `rising` (R, H) that is at least `wanted` (R, k)."""
    rows, width = rising.shape
    step = int(max(rising.max(), wanted.max())) + 1  # lifts each row above the one before: one sorted line
    lift = np.arange(rows)[:, None] * step
    place = np.searchsorted((rising + lift).ravel(), (wanted + lift).ravel()).reshape(wanted.shape)
    first: NDArray[np.int64] = np.minimum(place - np.arange(rows)[:, None] * width, width)
    return first
