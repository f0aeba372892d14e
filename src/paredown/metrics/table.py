"""`METRICS`: every metric, one row each: name, title, function, direction, summary.

Every metric is computed from a tally (`metrics.tally`) for many weightings of the images at once, so each
gets its confidence interval without knowing of it.
"""

from __future__ import annotations

from functools import partial

from paredown.metrics import classification as cls
from paredown.metrics import detection as det
from paredown.metrics import fidelity as fid
from paredown.metrics import prompted, signal, working
from paredown.metrics import segmentation as seg
from paredown.metrics.metric import Metric
from paredown.quantities import Unit

_boxes = partial(Metric, task="detect", against="truth")
_same_boxes = partial(Metric, task="detect", against="reference")
_class = partial(Metric, task="classify", against="truth")
_same_class = partial(Metric, task="classify", against="reference")
_map = partial(Metric, task="segment", against="truth")
_same_map = partial(Metric, task="segment", against="reference")
_same_values = partial(Metric, task="raw", against="reference")
_CHANGE = (-1.0, 1.0)
_SHARE = Unit("%", 100.0, 1)  # kept as 0..1, shown in per cent
_AGREEMENT = Unit("%", 100.0, 2)  # the same, with the decimals of points


def _shapes(task: str, name: str, title: str, what: str, of: str) -> tuple[Metric, ...]:
    """The metrics of a task whose boxes hold more. name: before AP; what: by what detections are matched."""
    truth = partial(Metric, task=task, against="truth")
    floats = partial(Metric, task=task, against="reference")
    over = f"mean AP over {what} 0.50 to 0.95"
    return (
        truth(f"{name}_map50_95", f"{title} mAP50-95", det.map50_95, "higher", over, headline=True),
        truth(f"{name}_map50", f"{title} mAP50", det.map50, "higher", f"mean AP at {what} 0.50"),
        truth(f"{name}_map75", f"{title} mAP75", det.map75, "higher", f"mean AP at {what} 0.75"),
        truth(f"{name}_miss_rate", "objects missed", det.miss_rate, "lower",
              f"share of objects missed at the card's confidence, {what} 0.50", look=_SHARE),
        floats(f"fidelity_{name}_map50_95", "agreement with the float model", det.map50_95, "higher",
               f"mAP50-95 by {what} against the float model's {of}", headline=True, look=_AGREEMENT),
        floats(f"fidelity_{name}_overlap", f"mean {what}", fid.matched_iou, "higher",
               f"mean {what} with the float model's {of}"),
        floats(f"fidelity_{name}_miss_rate", f"float {of} missed", det.miss_rate, "lower",
               f"share of the float model's {of} missed", look=_SHARE),
        floats(f"fidelity_{name}_extra_rate", f"{of} float has not", fid.extra_rate, "lower",
               f"share of {of} the float model lacks", look=_SHARE),
    )  # fmt: skip


_TABLE = (
    _boxes(
        "map50_95",
        "mAP50-95",
        det.map50_95,
        "higher",
        "mean AP over IoU 0.50 to 0.95 (COCO's AP)",
        headline=True,
    ),
    _boxes("map50", "mAP50", det.map50, "higher", "mean AP at IoU 0.50"),
    _boxes("map75", "mAP75", det.map75, "higher", "mean AP at IoU 0.75"),
    _boxes("ap_small", "AP small", det.ap_small, "higher", "mAP50-95 of objects under 32x32 pixels"),
    _boxes("ap_medium", "AP medium", det.ap_medium, "higher", "mAP50-95 of objects in between"),
    _boxes("ap_large", "AP large", det.ap_large, "higher", "mAP50-95 of objects over 96x96 pixels"),
    _boxes("fitness", "fitness", det.fitness, "higher", "0.1 mAP50 + 0.9 mAP50-95"),
    _boxes(
        "precision",
        "precision",
        det.precision,
        "higher",
        "share of detections that are right, at the best F1",
    ),
    _boxes("recall", "recall", det.recall, "higher", "share of objects that are found, at the best F1"),
    _boxes("f1", "best F1", det.f1, "higher", "best F1 over all confidences, IoU 0.5"),
    _boxes("best_confidence", "best confidence", det.best_confidence, "neither", "confidence of the best F1"),
    _boxes(
        "miss_rate",
        "objects missed",
        det.miss_rate,
        "lower",
        "share of objects missed at the card's confidence",
        look=_SHARE,
    ),
    _boxes(
        "map50_at_conf",
        "mAP50 at the working confidence",
        working.map50_at_conf,
        "higher",
        "mAP50 of the detections at or above the card's confidence",
    ),
    _boxes(
        "precision_at_conf",
        "precision at the working confidence",
        working.precision_at_conf,
        "higher",
        "share of detections that are right, at the card's confidence",
    ),
    _boxes(
        "small_false_alarms",
        "small false alarms an image",
        working.small_false_alarms,
        "lower",
        "detections under 32x32 pixels that find nothing, at the card's confidence",
        limits=(0.0, float("inf")),
    ),
    _same_boxes(
        "fidelity_map50_95",
        "agreement with the float model",
        det.map50_95,
        "higher",
        "mAP50-95 against the float model's detections",
        headline=True,
        look=_AGREEMENT,
    ),
    _same_boxes(
        "fidelity_map50",
        "agreement, mAP50",
        det.map50,
        "higher",
        "mAP50 against the float model's detections",
    ),
    _same_boxes(
        "fidelity_map75",
        "agreement, mAP75",
        det.map75,
        "higher",
        "mAP75 against the float model's detections",
    ),
    _same_boxes(
        "fidelity_f1", "agreement, best F1", det.f1, "higher", "best F1 against the float model's detections"
    ),
    _same_boxes(
        "fidelity_miss_rate",
        "float detections missed",
        det.miss_rate,
        "lower",
        "share of the float model's detections missed",
        look=_SHARE,
    ),
    _same_boxes(
        "fidelity_extra_rate",
        "detections float has not",
        fid.extra_rate,
        "lower",
        "share of detections the float model lacks",
        look=_SHARE,
    ),
    _same_boxes(
        "fidelity_iou", "mean IoU", fid.matched_iou, "higher", "mean IoU with the float model's boxes"
    ),
    _same_boxes(
        "confidence_shift",
        "confidence shift",
        fid.confidence_shift,
        "neither",
        "mean change of confidence of the float model's detections",
        limits=_CHANGE,
    ),
    _class(
        "top1", "top-1", cls.top1, "higher", "share of images whose true class comes first", headline=True
    ),
    _class("top5", "top-5", cls.top5, "higher", "share of images whose true class is among the first five"),
    _class(
        "mean_confidence",
        "mean confidence",
        cls.mean_confidence,
        "neither",
        "mean probability of the first class",
    ),
    _same_class(
        "fidelity_top1",
        "agreement with the float model",
        cls.top1,
        "higher",
        "share of images with the float model's first class",
        headline=True,
        look=_AGREEMENT,
    ),
    _same_class(
        "top1_confidence_shift",
        "confidence shift",
        cls.confidence_shift,
        "neither",
        "mean change of the probability of the float model's first class",
        limits=_CHANGE,
    ),
    _map("miou", "mIoU", seg.miou, "higher", "mean IoU of the classes, over all pixels", headline=True),
    _map(
        "pixel_accuracy", "pixel accuracy", seg.pixel_accuracy, "higher", "share of pixels of the true class"
    ),
    _same_map(
        "fidelity_miou",
        "agreement with the float model",
        seg.miou,
        "higher",
        "mean IoU with the float model's classes",
        headline=True,
        look=_AGREEMENT,
    ),
    _same_map(
        "fidelity_pixels",
        "agreement, pixels",
        seg.pixel_accuracy,
        "higher",
        "share of pixels of the float model's class",
    ),
    _same_values(
        "fidelity_signal",
        "agreement with the float model",
        signal.agreement,
        "higher",
        "1 - relative error against the float model's outputs, of the worst output",
        headline=True,
        look=_AGREEMENT,
    ),
    _same_values(
        "fidelity_decibel",
        "signal to noise",
        signal.decibel,
        "higher",
        "the float model's signal to the noise of the difference, of the worst output",
        unit="dB",
        limits=(-signal.MOST_DB, signal.MOST_DB),
    ),
    _same_values(
        "fidelity_cosine",
        "cosine",
        signal.cosine,
        "higher",
        "cosine with the float model's outputs, of the worst output",
        limits=_CHANGE,
    ),
)

_asked = partial(Metric, task="promptable", against="truth")
_same_asked = partial(Metric, task="promptable", against="reference")
_PROMPTED = (
    _asked("prompt_miou", "mIoU over prompts", prompted.prompt_miou, "higher",
           "mean IoU of the masks that boxes and points ask for", headline=True),
    _asked("box_miou", "mIoU, boxes", prompted.box_iou, "higher", "mean IoU of the masks of boxes"),
    _asked("point_miou", "mIoU, points", prompted.point_iou, "higher",
           "mean IoU of the masks of points, each the innermost of its object"),
    _asked("moved_miou", "mIoU, moved boxes", prompted.moved_iou, "higher",
           "mean IoU of the masks of boxes whose sides are moved by a tenth at random"),
    _asked("prompt_spread", "spread over prompts", prompted.prompt_spread, "lower",
           "standard deviation of the IoU over an object's box and moved boxes, mean over objects"),
    _same_asked("fidelity_prompt_miou", "agreement with the float model", prompted.prompt_miou, "higher",
                "mean IoU with the float model's masks for the same boxes and points",
                headline=True, look=_AGREEMENT),
    _same_asked("fidelity_moved_miou", "agreement, moved boxes", prompted.moved_iou, "higher",
                "mean IoU with the float model's masks for moved boxes"),
)  # fmt: skip

_SHAPED = (
    *_shapes("instances", "mask", "mask", "mask IoU", "masks"),
    *_shapes("pose", "pose", "pose", "OKS", "poses"),
    *_shapes("oriented", "turned", "turned", "turned IoU", "turned boxes"),
)

METRICS: dict[str, Metric] = {m.name: m for m in (*_TABLE, *_SHAPED, *_PROMPTED)}
