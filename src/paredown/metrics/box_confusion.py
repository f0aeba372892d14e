"""Which class a detector takes for which: boxes matched by where they lie, whatever they are called.

Source: Ultralytics, `ConfusionMatrix.process_batch` (pairs of IoU above a threshold, the highest first, each
box and each truth once).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from paredown.boxes.iou import box_iou
from paredown.detections import Detections
from paredown.metrics.confusion import NONE
from paredown.sample import Labels

IOU = 0.5


def box_confusion(
    predictions: Sequence[Detections], truths: Sequence[Labels], conf: float
) -> dict[tuple[int, int], int]:
    """(true class, class said) -> boxes at or above `conf`; NONE as what is said of a truth that is missed,
    and as what is true of a false alarm. Crowd regions take part in nothing."""
    cells: Counter[tuple[int, int]] = Counter()
    for found, truth in zip(predictions, truths, strict=True):
        shown = found.above(conf)
        real = ~truth.crowd
        boxes, classes = truth.boxes[real], truth.classes[real]
        pairs = _pairs(shown, boxes)
        cells.update((int(classes[g]), int(shown.classes[d])) for d, g in pairs)
        missed = set(range(len(classes))) - {g for _, g in pairs}
        false = set(range(len(shown))) - {d for d, _ in pairs}
        cells.update((int(classes[g]), NONE) for g in missed)
        cells.update((NONE, int(shown.classes[d])) for d in false)
    return dict(sorted(cells.items()))


def confusion_curves(
    predictions: Sequence[Detections], truths: Sequence[Labels], conf: float
) -> dict[str, tuple[float, ...]]:
    """The cells as three curves of one length: confusion_true, confusion_said, confusion_count."""
    cells = box_confusion(predictions, truths, conf)
    columns = zip(*((t, s, n) for (t, s), n in cells.items()), strict=True) if cells else ((), (), ())
    return {
        f"confusion_{name}": tuple(float(v) for v in column)
        for name, column in zip(("true", "said", "count"), columns, strict=True)
    }


def _pairs(shown: Detections, boxes: np.ndarray) -> list[tuple[int, int]]:
    """(detection, truth) that lie in one place, the highest IoU first, none of them twice."""
    if not len(shown) or not len(boxes):
        return []
    iou = box_iou(shown.boxes.astype(np.float64), boxes.astype(np.float64), np.zeros(len(boxes), bool))
    detections, truths = np.nonzero(iou >= IOU)
    order = np.argsort(-iou[detections, truths], kind="stable")
    taken_d, taken_g, pairs = set[int](), set[int](), []
    for i in order:
        d, g = int(detections[i]), int(truths[i])
        if d not in taken_d and g not in taken_g:
            taken_d.add(d)
            taken_g.add(g)
            pairs.append((d, g))
    return pairs
