"""Image classifiers: one score for each class.

Output (1, C) or (1, C, 1, 1): logits or probabilities. The preprocessing has no convention: it is asked for
where neither metadata, nor the graph, nor images with truth tell it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.card import Card
from paredown.detections import ClassScores
from paredown.families.family import Match
from paredown.families.features import Features
from paredown.families.outputs import spell
from paredown.preprocessing.letterbox import Frame
from paredown.preprocessing.values import IMAGENET_MEAN, IMAGENET_STD

NAME = "classifier"
TASK = "classify"
SUMMARY = "image classifiers: one score for each class"


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> ClassScores:
    """The scores of all classes, as the model gives them."""
    (answer,) = outputs.values()
    return ClassScores(np.asarray(answer, np.float32).reshape(-1))


def decode(
    outputs: Mapping[str, Any], card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> ClassScores:
    """The scores as the model gives them; the thresholds have no part in it."""
    return candidates(outputs, card, conf)


def matches(features: Features) -> Match | None:
    """The match of one output with nothing but classes."""
    if len(features.outputs) != 1 or features.task not in (None, "classify"):
        return None
    output = features.outputs[0]
    if len(output.shape) not in (2, 4) or any(d != 1 for d in output.shape[2:]):
        return None
    n_classes = output.shape[1]
    if n_classes is None or n_classes < 2 or "NonMaxSuppression" in output.tail:  # rows of detections
        return None
    why = f"output shape {spell([output])}: {n_classes} class scores"
    # Ultralytics, `classify_transforms`: pixels / 255 for its classifiers, whose metadata says the task.
    exported = features.task == "classify" and len(features.names) == n_classes
    inputs = (_UNIT,) if exported else _INPUTS
    settled = exported or bool(features.values_known)  # then RGB is the custom
    cards = features.cards(NAME, TASK, n_classes, inputs, settled=settled, why=why)
    return Match(cards, 0.8, why, settled=settled)


_UNIT: dict[str, Any] = {"fit": "crop", "scale": 1 / 255}
_IMAGENET: dict[str, Any] = {**_UNIT, "mean": IMAGENET_MEAN, "std": IMAGENET_STD}
_HALF: dict[str, Any] = {"fit": "crop", "scale": 1.0, "mean": (127.5,) * 3, "std": (127.5,) * 3}
_CAFFE: dict[str, Any] = {"fit": "crop", "scale": 1.0, "colour": "bgr", "mean": (104.0, 117.0, 123.0)}
_INPUTS = (
    _IMAGENET,  # torchvision, timm, most CIFAR training code
    _HALF,  # TensorFlow: -1..1
    _CAFFE,
    _UNIT,
    {"fit": "crop", "scale": 1.0},
    {"fit": "crop", "scale": 1.0, "colour": "bgr"},
)
