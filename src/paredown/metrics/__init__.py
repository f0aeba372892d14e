"""Metrics: pure functions of a model's answers. `METRICS` is the table; one file and one line add to it.

Every metric is computed from a tally (`metrics.tally`) for many weightings of the images at once, so each
gets its confidence interval without knowing of it.
"""

from __future__ import annotations

from paredown.metrics import classification as cls
from paredown.metrics import detection as det
from paredown.metrics import fidelity as fid
from paredown.metrics.metric import Metric

_TABLE = (
    Metric(
        "map50_95", "detect", "truth", det.map50_95, "higher", "mean AP over IoU 0.50 to 0.95 (COCO's AP)"
    ),
    Metric("map50", "detect", "truth", det.map50, "higher", "mean AP at IoU 0.50"),
    Metric("map75", "detect", "truth", det.map75, "higher", "mean AP at IoU 0.75"),
    Metric("ap_small", "detect", "truth", det.ap_small, "higher", "mAP50-95 of objects under 32x32 pixels"),
    Metric("ap_medium", "detect", "truth", det.ap_medium, "higher", "mAP50-95 of objects in between"),
    Metric("ap_large", "detect", "truth", det.ap_large, "higher", "mAP50-95 of objects over 96x96 pixels"),
    Metric("fitness", "detect", "truth", det.fitness, "higher", "0.1 mAP50 + 0.9 mAP50-95"),
    Metric("precision", "detect", "truth", det.precision, "higher", "right detections, at the best F1"),
    Metric("recall", "detect", "truth", det.recall, "higher", "found objects, at the best F1"),
    Metric("f1", "detect", "truth", det.f1, "higher", "best F1 over all confidences, IoU 0.5"),
    Metric("best_confidence", "detect", "truth", det.best_confidence, "neither", "confidence of the best F1"),
    Metric("miss_rate", "detect", "truth", det.miss_rate, "lower", "objects missed at the card's confidence"),
    Metric(
        "fidelity_map50_95", "detect", "reference", det.map50_95, "higher", "mAP50-95 against the float model"
    ),
    Metric("fidelity_map50", "detect", "reference", det.map50, "higher", "mAP50 against the float model"),
    Metric("fidelity_map75", "detect", "reference", det.map75, "higher", "mAP75 against the float model"),
    Metric("fidelity_f1", "detect", "reference", det.f1, "higher", "best F1 against the float model"),
    Metric(
        "fidelity_miss_rate",
        "detect",
        "reference",
        det.miss_rate,
        "lower",
        "float detections that are missed",
    ),
    Metric(
        "fidelity_extra_rate",
        "detect",
        "reference",
        fid.extra_rate,
        "lower",
        "detections the float model has not",
    ),
    Metric(
        "fidelity_iou",
        "detect",
        "reference",
        fid.matched_iou,
        "higher",
        "mean IoU with the float model's boxes",
    ),
    Metric(
        "confidence_shift",
        "detect",
        "reference",
        fid.confidence_shift,
        "neither",
        "mean change of confidence of the float model's detections",
        limits=(-1.0, 1.0),
    ),
    Metric("top1", "classify", "truth", cls.top1, "higher", "true class first"),
    Metric("top5", "classify", "truth", cls.top5, "higher", "true class among the first five"),
    Metric(
        "mean_confidence",
        "classify",
        "truth",
        cls.mean_confidence,
        "neither",
        "probability of the first class",
    ),
    Metric(
        "fidelity_top1", "classify", "reference", cls.top1, "higher", "same first class as the float model"
    ),
    Metric(
        "top1_confidence_shift",
        "classify",
        "reference",
        cls.confidence_shift,
        "neither",
        "mean change of the probability of the float model's first class",
        limits=(-1.0, 1.0),
    ),
)

METRICS: dict[str, Metric] = {m.name: m for m in _TABLE}
