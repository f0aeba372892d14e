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
    real = weights.astype(np.float64)  # counts below 2**53 stay exact, and products of matrices are fast
    for c in np.unique(matches.truth_class[counted]):
        n_truths = weights[:, matches.truth_image[counted & (matches.truth_class == c)]].sum(axis=1)
        of_class = np.flatnonzero(matches.class_ == c)
        reached, image = _recalls_reached(n_truths), matches.image[of_class]
        for t in range(len(hit)):
            result[:, t, c] = _area_under(real, image, hit[t, of_class], ignored[t, of_class], reached)
        result[n_truths == 0, :, c] = np.nan
    return result


def _area_under(
    weights: NDArray[np.float64],
    image: NDArray[np.int64],
    hit: NDArray[np.bool_],
    ignored: NDArray[np.bool_],
    reached: NDArray[np.int64],
) -> NDArray[np.float64]:
    """(R,) mean precision at the 101 recalls. weights: (R, N). image, hit, ignored: (D,), best score first.

    reached: (R, hits + 1) how many of the recalls so many hits reach.

    Precision is looked at only behind hits: between two hits it falls, so no other place can be the maximum.
    What each image adds from one hit to the next (N, H) does not depend on the weighting, so that all
    weightings are counted by one product of matrices.
    """
    hits = np.flatnonzero(hit)
    if len(hits) == 0:
        return np.zeros(len(weights))
    upto = np.flatnonzero(~ignored[: hits[-1] + 1])
    added = np.zeros((weights.shape[1], len(hits)))
    np.add.at(added, (image[upto], np.searchsorted(hits, upto)), 1.0)
    before = np.cumsum(weights @ added, axis=1)  # (R, H) detections so far
    correct = np.cumsum(weights[:, image[hits]], axis=1)  # (R, H)
    precision = np.divide(correct, before, out=np.zeros(correct.shape), where=before > 0)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recalls = np.take_along_axis(reached, correct.astype(np.int64), axis=1)
    area: NDArray[np.float64] = (precision * np.diff(recalls, axis=1, prepend=0)).sum(axis=1)
    return area / len(RECALLS)


def _recalls_reached(n_truths: NDArray[np.int64]) -> NDArray[np.int64]:
    """(R, max truths + 1) how many recalls are at most hits / truths, as float64 quotients; 0 for no hit."""
    totals, row = np.unique(n_truths, return_inverse=True)
    hits = np.arange(totals[-1] + 1)
    recall = hits / np.maximum(totals, 1)[:, None]
    reached = np.searchsorted(RECALLS, recall.ravel(), side="right").reshape(recall.shape)
    reached[:, 0] = 0
    every: NDArray[np.int64] = reached[row]
    return every
