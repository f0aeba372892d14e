"""Metrics of promptable masks: the mean IoU over prompts, and how far it spreads when a box is moved.

    mIoU = mean over prompts of |said & wanted| / |said | wanted|
    spread = mean over objects of the standard deviation of the IoU over the object's box and moved boxes

Source: Kirillov et al., Segment Anything, 2023, arXiv 2304.02643, section 7.1 (mIoU over all predictions and
objects; an empty mask where the wanted one is empty is right).

Shapes: N images, P prompts of all images, G objects, R weightings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from faster_coco_eval.core import mask as coco_mask
from numpy.typing import NDArray

from paredown.detections import Mask
from paredown.metrics.overlaps import packed
from paredown.metrics.tally import ratio
from paredown.preprocessing.prompts import BOX, MOVED, POINT

Values = NDArray[np.float64]


@dataclass(frozen=True)
class PromptOverlaps:
    """The IoU of each prompt's mask with the one wanted, with its image and kind of prompt, all (P,).

    thing: which object of its image it asks for, -1 for none. boxes: the kinds that are boxes.
    """

    n_images: int
    image: NDArray[np.int64]
    kind: NDArray[np.int64]
    thing: NDArray[np.int64]
    iou: Values
    boxes: tuple[int, ...]

    @property
    def n_counts(self) -> int:
        return len(self.iou)

    @property
    def spread(self) -> tuple[NDArray[np.int64], Values]:
        """(G,) images and standard deviations over the boxes of each object that has several."""
        chosen = np.flatnonzero(np.isin(self.kind, self.boxes) & (self.thing >= 0))
        groups: dict[tuple[int, int], list[float]] = {}
        for i in chosen:
            groups.setdefault((int(self.image[i]), int(self.thing[i])), []).append(float(self.iou[i]))
        several = {key: values for key, values in groups.items() if len(values) > 1}
        images = np.array([image for image, _ in several], np.int64)
        return images, np.array([np.std(values) for values in several.values()], np.float64)


def mask_iou(said: Sequence[Mask], wanted: Sequence[Mask]) -> Values:
    """(n,) of each pair; 1 where both are empty."""
    pairs = zip(said, wanted, strict=True)
    return np.array([_one(a, b) for a, b in pairs], np.float64)


def _one(a: Mask, b: Mask) -> float:
    if not (a.area or b.area):
        return 1.0
    return float(np.asarray(coco_mask.iou([packed(a)], [packed(b)], [0])).ravel()[0])


@dataclass(frozen=True)
class PromptTally:
    """Overlaps counted under `weights` (R, N)."""

    overlaps: PromptOverlaps
    weights: NDArray[np.int64]

    def mean(self, *kinds: int) -> Values:
        """(R,) mean IoU over the prompts of these kinds, of all where none is given."""
        found = self.overlaps
        which = np.isin(found.kind, kinds) if kinds else np.ones(len(found.kind), np.bool_)
        return self._mean(found.image[which], found.iou[which])

    def spread(self) -> Values:
        """(R,) mean over objects of the spread of their boxes' IoU."""
        return self._mean(*self.overlaps.spread)

    def _mean(self, image: NDArray[np.int64], values: Values) -> Values:
        n = self.weights.shape[1]
        sums, counts = (np.bincount(image, v, minlength=n).astype(np.float64) for v in (values, None))
        return ratio(self.weights @ sums, self.weights @ counts)


def prompt_miou(t: PromptTally) -> Values:
    """(R,) over boxes and points as they are true, and points of a grid: all but moved boxes."""
    kinds = [k for k in range(int(t.overlaps.kind.max(initial=0)) + 1) if k != MOVED]
    return t.mean(*kinds)


def box_iou(t: PromptTally) -> Values:
    """(R,) over boxes."""
    return t.mean(BOX)


def point_iou(t: PromptTally) -> Values:
    """(R,) over points."""
    return t.mean(POINT)


def moved_iou(t: PromptTally) -> Values:
    """(R,) over moved boxes."""
    return t.mean(MOVED)


def prompt_spread(t: PromptTally) -> Values:
    """(R,) how far the IoU spreads over an object's boxes."""
    return t.spread()
