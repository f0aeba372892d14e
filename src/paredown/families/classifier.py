"""Image classifiers: one score for each class.

Output (1, C) or (1, C, 1, 1): logits or probabilities. Nothing in the file tells the preprocessing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.card import Card, Task
from paredown.detections import ClassScores
from paredown.families.clues import Clues, Match, spell
from paredown.families.preprocess import Frame

NAME = "classifier"
TASK: Task = "classify"
SUMMARY = "image classifiers: one score for each class"


def decode(
    outputs: Mapping[str, Any], card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> ClassScores:
    """The scores as the model gives them; the thresholds have no part in it."""
    (answer,) = outputs.values()
    return ClassScores(np.asarray(answer, np.float32).reshape(-1))


def matches(clues: Clues) -> Match | None:
    """The match of one output with nothing but classes."""
    if len(clues.outputs) != 1 or clues.task not in (None, "classify"):
        return None
    output = clues.outputs[0]
    if len(output.shape) not in (2, 4) or any(d != 1 for d in output.shape[2:]):
        return None
    n_classes = output.shape[1]
    if n_classes is None or n_classes < 2:
        return None
    why = f"output shape {spell([output])}: {n_classes} class scores"
    cards = clues.cards(NAME, TASK, n_classes, _INPUTS, why=why)
    return Match(cards, 0.8, why, settled=False)


_IMAGENET: dict[str, Any] = {
    "fit": "crop",
    "scale": 1 / 255,
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
}
_HALF: dict[str, Any] = {"fit": "crop", "scale": 1.0, "mean": (127.5,) * 3, "std": (127.5,) * 3}
_CAFFE: dict[str, Any] = {"fit": "crop", "scale": 1.0, "colour": "bgr", "mean": (104.0, 117.0, 123.0)}
_INPUTS = (
    _IMAGENET,  # torchvision, timm, most CIFAR training code
    _HALF,  # TensorFlow: -1..1
    _CAFFE,
    {"fit": "crop", "scale": 1 / 255},
    {"fit": "crop", "scale": 1.0},
    {"fit": "crop", "scale": 1.0, "colour": "bgr"},
)
