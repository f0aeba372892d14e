"""COCO average precision by faster-coco-eval, in memory and without a word printed.

Differs from COCO's own summary: 300 detections an image instead of 100, as detectors are deployed today.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from faster_coco_eval import COCO
from faster_coco_eval.core.faster_eval_api import COCOeval_faster
from numpy.typing import NDArray

from paredown.detections import Detections
from paredown.metrics.matching import AREAS, MAX_DETECTIONS
from paredown.metrics.overlaps import packed
from paredown.sample import Labels


@dataclass(frozen=True)
class CocoResult:
    """COCO's numbers. `values` is keyed by metric name; a class without truth is nan.

    class_ap: (C,) AP50-95. precision: (101,) mean over classes at IoU 0.5, at recalls 0, 0.01 .. 1.
    """

    values: dict[str, float]
    class_ap: NDArray[np.float64]
    precision: NDArray[np.float64]


def evaluate(
    predictions: Sequence[Detections],
    truths: Sequence[Labels],
    n_classes: int,
    max_detections: int = MAX_DETECTIONS,
    kind: Literal["bbox", "segm"] = "bbox",
) -> CocoResult:
    """COCO's numbers for one model, of boxes or of masks. Without any truth every one of them is nan."""
    truth = COCO(_truth_json(truths, n_classes))
    found = truth.loadRes(_found_json(predictions, max_detections))
    evaluator = COCOeval_faster(truth, found, kind, print_function=_say_nothing)
    evaluator.params.maxDets = [max_detections]
    evaluator.evaluate()
    evaluator.accumulate()
    precision = np.array(evaluator.eval["precision"], np.float64)[..., -1]  # (T, 101, C, A), -1: no truth
    precision[precision < 0] = np.nan
    small, medium, large = (_mean(precision[..., AREAS.index(a)]) for a in ("small", "medium", "large"))
    everywhere = precision[..., 0]
    map50_95, map50 = _mean(everywhere), _mean(everywhere[0])
    values = {
        "map50_95": map50_95,
        "map50": map50,
        "map75": _mean(everywhere[5]),
        "ap_small": small,
        "ap_medium": medium,
        "ap_large": large,
        "fitness": 0.1 * map50 + 0.9 * map50_95,
    }
    known = ~np.isnan(everywhere[0, 0])
    curve = everywhere[0][:, known].mean(axis=1) if known.any() else np.full(precision.shape[1], np.nan)
    return CocoResult(values, everywhere.mean(axis=(0, 1)), curve)


def _truth_json(truths: Sequence[Labels], n_classes: int) -> dict[str, list[dict[str, object]]]:
    annotations: list[dict[str, object]] = []
    for i, t in enumerate(truths):
        boxes = _xywh(t.boxes)
        masks = [{} if m is None else {"segmentation": packed(m)} for m in t.masks or [None] * len(boxes)]
        for box, c, crowd, area, mask in zip(boxes, t.classes, t.crowd, t.area, masks, strict=True):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i + 1,
                    "category_id": int(c) + 1,
                    "bbox": box,
                    "area": float(area),
                    "iscrowd": int(crowd),
                    **mask,
                }
            )
    return {
        "images": [{"id": i + 1, "width": 0, "height": 0} for i in range(len(truths))],
        "categories": [{"id": c + 1, "name": str(c)} for c in range(n_classes)],
        "annotations": annotations,
    }


def _found_json(predictions: Sequence[Detections], max_detections: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for i, p in enumerate(predictions):
        best = p.take(np.argsort(-p.scores, kind="stable")[:max_detections])
        masks = [[] if m is None else packed(m) for m in best.masks or [None] * len(best)]
        for box, score, c, mask in zip(_xywh(best.boxes), best.scores, best.classes, masks, strict=True):
            found.append(
                {
                    "image_id": i + 1,
                    "category_id": int(c) + 1,
                    "bbox": box,
                    "score": float(score),
                    "segmentation": mask,  # [] else a polygon is made for every box, in vain
                }
            )
    return found


def _xywh(boxes: NDArray[np.float32]) -> list[list[float]]:
    b = boxes.astype(np.float64).reshape(-1, 4)
    xywh: list[list[float]] = np.concatenate([b[:, :2], b[:, 2:] - b[:, :2]], axis=1).tolist()
    return xywh


def _mean(precision: NDArray[np.float64]) -> float:
    """Mean of what is not nan, nan where nothing is left."""
    known = precision[~np.isnan(precision)]
    return float(known.mean()) if known.size else float("nan")


def _say_nothing(*words: object) -> None:
    """Takes the place of faster-coco-eval's print."""
