"""Metrics of semantic segmentation: IoU of each class over all pixels, its mean, the share of right pixels.

    IoU_c = pixels of c that are said to be c / pixels that are c or are said to be,    mIoU = mean over c

Source: Everingham et al., The Pascal VOC Challenge, 2010, section 4.2 (pixels of all images are pooled; those
of no class are left out). A class that neither is nor is said anywhere has no IoU and no part in the mean.

Shapes: N images, C classes, R weightings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from paredown.detections import ClassMap
from paredown.errors import DataError
from paredown.metrics.tally import ratio

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Overlaps:
    """Pixels of each image and class, all (N, C): right, said and true ones."""

    right: NDArray[np.int64]
    said: NDArray[np.int64]
    true: NDArray[np.int64]

    @property
    def n_images(self) -> int:
        return len(self.right)

    @property
    def n_counts(self) -> int:
        return self.right.size


def overlaps(said: Sequence[ClassMap], wanted: Sequence[ClassMap], n_classes: int) -> Overlaps:
    """The pixels of one model's maps and of what is wanted, image by image.

    Raises DataError where a map does not have the size of the wanted one.
    """
    if len(said) != len(wanted):
        raise DataError("there must be one map for each image", got=len(said), expected=len(wanted))
    counts = np.zeros((3, len(said), n_classes), np.int64)
    for i, (mine, other) in enumerate(zip(said, wanted, strict=True)):
        if mine.shape != other.shape:
            raise DataError(
                "a map of classes has another size than the image", got=mine.shape, expected=other.shape
            )
        a, b = mine.classes, other.classes
        known = (b >= 0) & (b < n_classes)
        a, b = a[known], b[known]
        for row, values in enumerate((b[a == b], a[(a >= 0) & (a < n_classes)], b)):
            counts[row, i] = np.bincount(values, minlength=n_classes)
    return Overlaps(*counts)


@dataclass(frozen=True)
class OverlapTally:
    """Overlaps counted under `weights` (R, N)."""

    overlaps: Overlaps
    weights: NDArray[np.int64]

    @cached_property
    def iou(self) -> Values:
        """(R, C) of each class; nan where it neither is nor is said."""
        right, said, true = (
            self.weights @ part for part in (self.overlaps.right, self.overlaps.said, self.overlaps.true)
        )
        return ratio(right, said + true - right)

    @cached_property
    def right(self) -> Values:
        """(R,) share of the pixels of known class that are right."""
        right, true = (self.weights @ part.sum(axis=1) for part in (self.overlaps.right, self.overlaps.true))
        return ratio(right, true)


def miou(t: OverlapTally) -> Values:
    """(R,) mean IoU of the classes that are or are said."""
    known = ~np.isnan(t.iou)
    return ratio(np.where(known, t.iou, 0.0).sum(axis=1), known.sum(axis=1))


def pixel_accuracy(t: OverlapTally) -> Values:
    """(R,) share of right pixels."""
    return t.right


def image_miou(found: Overlaps) -> Values:
    """(N,) mIoU of each image by itself."""
    return miou(OverlapTally(found, np.eye(found.n_images, dtype=np.int64)))
