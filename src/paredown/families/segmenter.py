"""Semantic segmentation: scores of every class for every pixel, or the class of every pixel.

Output (1, C, h, w) or (1, h, w, C), scores before or after a softmax; or whole numbers (1, h, w) or
(1, 1, h, w) after an ArgMax. h, w: the input's size or a whole part of it. Scores are brought to the image's
size before the best class is taken, as evaluations do: a map of classes brought there has stairs for edges.
Source: Chen et al., DeepLabv3, 2017, arXiv 1706.05587, section 4 (logits are upsampled, not the truth cut).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.detections import ClassMap
from paredown.families.family import Match
from paredown.families.features import Features
from paredown.families.masks import best_class, class_map
from paredown.families.outputs import Output, spell
from paredown.preprocessing.letterbox import Frame
from paredown.preprocessing.values import IMAGENET_MEAN, IMAGENET_STD

NAME = "segmenter"
TASK = "segment"
SUMMARY = "semantic segmentation: scores of every class, or its number, for every pixel"
MOST_STRIDE = 8  # of the maps; a coarser grid is the head of a detector
LEAST_SIDE = 32  # pixels of a map
MOST_INDEX_CLASSES = 256  # assumed of whole numbers where nothing names the classes
PICTURES = (1, 2, 3)  # channels of depth, mattes, flow and images: scores of classes have an activation there


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> ClassMap:
    """The class of every pixel of the map, as it lies in the input."""
    return ClassMap.of(best_class(_maps(outputs, card)))


def decode(
    outputs: Mapping[str, Any], card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> ClassMap:
    """The class of every pixel of the image; the thresholds have no part in it."""
    return class_map(_maps(outputs, card), frame, card.preprocess.size)


def matches(features: Features) -> Match | None:
    """The match of one dense map of scores or class numbers, as fine as an eighth of the input."""
    if len(features.outputs) != 1 or features.task not in (None, "segment"):
        return None
    found = _layout(features.outputs[0], features.size)
    if found is None:
        return None
    channels, n_classes = found
    why = f"output shape {spell(features.outputs)}: {n_classes or 'numbers of'} classes for every pixel"
    known = bool(features.values_known or features.names)
    usual = n_classes or len(features.named.by_number) or MOST_INDEX_CLASSES
    how = {"channels": channels}
    cards = features.cards(NAME, TASK, usual, _INPUTS, decode=how, settled=known, why=why)
    return Match(cards, 0.8, why, settled=known, open_classes=n_classes == 0)


def _layout(output: Output, size: tuple[int, int]) -> tuple[str, int] | None:
    """Which axis holds the classes, and how many; "none" and 0 of class numbers; None where it is no map."""
    shape = tuple(output.shape)
    if "int" in output.spec.dtype:
        places = tuple(d for d in shape[1:] if d != 1)
        return ("none", 0) if _is_map(places, size) else None
    if len(shape) != 4:
        return None
    for channels, count, places in (("first", shape[1], shape[2:]), ("last", shape[3], shape[1:3])):
        if count is None or not _is_map(places, size):
            continue
        if count in PICTURES and (count == 1 or not output.tail & {"Softmax", "LogSoftmax"}):
            continue
        return channels, count
    return None


def _is_map(places: tuple[int | None, ...], size: tuple[int, int]) -> bool:
    """Whether the places are those of the input, or of every second, fourth or eighth of its pixels."""
    if len(places) != 2 or None in places or min(d or 0 for d in places) < LEAST_SIDE:
        return False
    sides = [(d or 0, side) for d, side in zip(places, size, strict=True)]
    return any(all(abs(d - side / s) <= 1 for d, side in sides) for s in (1, 2, 4, MOST_STRIDE))


def _maps(outputs: Mapping[str, Any], card: Card) -> NDArray[np.float32]:
    """(h, w, C) scores, or (h, w, 1) class numbers."""
    (answer,) = outputs.values()
    values = np.asarray(answer, np.float32)
    if card.decode["channels"] == "none":
        rows, columns = (d for d in values.shape[1:] if d != 1)
        return values.reshape(rows, columns, 1)
    last = card.decode["channels"] == "last"
    return np.asarray(values[0] if last else values[0].transpose(1, 2, 0), np.float32)


_HALF: dict[str, Any] = {"scale": 1.0, "mean": (127.5,) * 3, "std": (127.5,) * 3, "pad": 127.5}
_INPUTS = (
    {"fit": "stretch", "mean": IMAGENET_MEAN, "std": IMAGENET_STD},  # torchvision, mmsegmentation
    {**_HALF, "fit": "letterbox-corner"},  # TensorFlow's DeepLab: the long side fitted, the rest grey
    {**_HALF, "fit": "stretch"},
    {"fit": "stretch"},
    {"fit": "letterbox"},
    {"fit": "stretch", "scale": 1.0},
)
