"""A decode file of the user's own, as it is run: `decode(outputs, size) -> boxes, scores, classes`.

outputs: name -> array, as the model gives them. size: (height, width) of the model's input. boxes: (n, 4)
x1 y1 x2 y2 in pixels of the input; scores: (n,) 0..1; classes: (n,) whole numbers from 0 on. Boxes of one
class that overlap by more than the card's `iou` are dropped afterwards: `iou = 1.0` keeps them all.

The bundle's `detect.py` carries this file and runs the decode itself; elsewhere families/own.py runs it in a
process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from paredown.boxes.nms import nms
from paredown.card import Card
from paredown.detections import Detections
from paredown.families.boxes import Floats
from paredown.families.candidates import Candidates
from paredown.preprocessing.letterbox import Frame

FUNCTION = "decode"
Decoder = Callable[[Mapping[str, Any], tuple[int, int]], Any]


def load_decoder(source: str, name: str) -> Decoder:
    """The function `decode` of the source. Raises ValueError where it has none, or what its lines raise."""
    space: dict[str, Any] = {"__name__": "paredown_decode", "__file__": name}
    exec(compile(source, name, "exec"), space)
    found = space.get(FUNCTION)
    if not callable(found):
        raise ValueError(f"{name} defines no function {FUNCTION}(outputs, size)")
    return found  # type: ignore[no-any-return]


def boxes_of(answer: Any) -> tuple[Floats, Floats, Floats]:
    """Boxes (n, 4), scores (n,) and classes (n,) of what a decode gave. Raises ValueError."""
    if not isinstance(answer, tuple | list) or len(answer) != 3:
        raise ValueError(f"decode gives {type(answer).__name__}, not boxes, scores, classes")
    boxes, scores, classes = (np.asarray(part, np.float32) for part in answer)
    n = scores.size
    if boxes.size != 4 * n or classes.size != n:
        shapes = ", ".join(str(part.shape) for part in (boxes, scores, classes))
        raise ValueError(f"decode gives arrays of shapes {shapes}, not (n, 4), (n,), (n,)")
    return boxes.reshape(n, 4), scores.reshape(n), classes.reshape(n)


def finished(found: Candidates, frame: Frame, *, conf: float, iou: float, max_detections: int) -> Detections:
    """The detections of candidates with class numbers, doubles of one class taken out, in image pixels."""
    scores = found.scores[:, 0]
    classes = np.zeros(len(scores)) if found.labels is None else found.labels
    usable = np.flatnonzero((scores >= conf) & np.isfinite(found.boxes).all(axis=1) & (classes > -0.5))
    boxes, scores, labels = found.boxes[usable], scores[usable], np.rint(classes[usable]).astype(np.int64)
    keep = nms(boxes, scores, labels, iou=iou, max_detections=max_detections)
    return Detections(frame.to_image(boxes[keep]), scores[keep].astype(np.float32), labels[keep])


_loaded: dict[str, Decoder] = {}


def decode(
    outputs: Mapping[str, Any], card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> Detections:
    """Detections of one image by the decode file in the card, run here."""
    source = str(card.decode["source"])
    if source not in _loaded:
        _loaded[source] = load_decoder(source, str(card.decode["file"]))
    boxes, scores, classes = boxes_of(_loaded[source](outputs, card.preprocess.size))
    found = Candidates(boxes, scores[:, None], classes)
    return finished(found, frame, conf=conf, iou=iou, max_detections=max_detections)
