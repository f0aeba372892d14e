"""A decode file of the user's own, as it is run: `decode(outputs, size) -> boxes, scores, classes`.

outputs: name -> array, as the model gives them. size: (height, width) of the model's input. boxes: (n, 4)
x1 y1 x2 y2 in pixels of the input; scores: (n,) 0..1; classes: (n,) whole numbers from 0 on. Boxes of one
class that overlap by more than the card's `iou` are dropped afterwards: `iou = 1.0` keeps them all.

A file that gives more says so in a line of its own, `TASK = "instances"`, for what `PARTS` names:

    masks    (n, h, w) of each object, over the whole input: true or false, or 0..1; they count in their box
    points   (n, P, 3) key points, x y in pixels of the input and how sure, or (n, P, 2)
    corners  (n, 4, 2) of turned boxes, in pixels of the input
    map      (h, w) the class of every pixel, -1 for none, or (C, h, w) the scores of every class

The bundle's `detect.py` carries this file and runs the decode itself; elsewhere families/own.py runs it in a
process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from paredown.boxes.nms import nms
from paredown.boxes.turned import turned_nms
from paredown.card import Card
from paredown.detections import ClassMap, Detections
from paredown.families.boxes import Floats
from paredown.families.candidates import Candidates, detections_of
from paredown.families.masks import class_map, mask_within
from paredown.preprocessing.letterbox import Frame

FUNCTION, SAYS = "decode", "TASK"  # what a file defines
MAP = "map"
MOST_CLASSES = 32_767  # of a map
PARTS: Mapping[str, tuple[str, ...]] = {
    "detect": ("boxes", "scores", "classes"),
    "instances": ("boxes", "scores", "classes", "masks"),
    "pose": ("boxes", "scores", "classes", "points"),
    "oriented": ("boxes", "scores", "classes", "corners"),
    "segment": (MAP,),
}
"""What a decode gives, by the task that its file says."""
_SHAPES = {"boxes": "(n, 4)", "masks": "(n, h, w)", "points": "(n, P, 3)", "corners": "(n, 4, 2)"}
Answer = Mapping[str, Floats]


@dataclass(frozen=True)
class Decoder:
    """The function of a file, which gives the parts that its task has. Raises what its lines raise."""

    task: str
    function: Callable[[Mapping[str, Any], tuple[int, int]], Any]

    def __call__(self, outputs: Mapping[str, Any], size: tuple[int, int]) -> Answer:
        """The parts by name, their shapes checked. Raises ValueError."""
        found = self.function(outputs, size)
        if PARTS[self.task] == (MAP,):
            return {MAP: _map_of(found)}
        return _parts_of(found, self.task)


def load_decoder(source: str, name: str) -> Decoder:
    """The decoder of the source. Raises ValueError where it defines none, or what its lines raise."""
    space: dict[str, Any] = {"__name__": "paredown_decode", "__file__": name}
    exec(compile(source, name, "exec"), space)
    function, task = space.get(FUNCTION), space.get(SAYS, "detect")
    if not callable(function):
        raise ValueError(f"{name} defines no function {FUNCTION}(outputs, size)")
    if task not in PARTS:
        raise ValueError(f"{SAYS} = {task!r} is none of {', '.join(map(repr, PARTS))}")
    return Decoder(task, function)


def _parts_of(found: Any, task: str) -> dict[str, Floats]:
    """Boxes (n, 4), scores (n,), classes (n,) and what else the task has. Raises ValueError."""
    names = PARTS[task]
    if not isinstance(found, tuple | list) or len(found) != len(names):
        raise ValueError(f"decode gives {_kind(found)}, not {', '.join(names)}{_other(found, task)}")
    parts = {n: np.asarray(part, np.float32) for n, part in zip(names, found, strict=True)}
    n = parts["scores"].size
    shapes = {"boxes": (n, 4), "scores": (n,), "classes": (n,)}
    more = names[3:]
    fits = all(parts[p].size == np.prod(shape) for p, shape in shapes.items())
    if not fits or not all(_fits(parts[p], p, n) for p in more):
        given = ", ".join(str(part.shape) for part in parts.values())
        wanted = ", ".join(_SHAPES.get(p, "(n,)") for p in names)
        raise ValueError(f"decode gives arrays of shapes {given}, not {wanted}")
    if "masks" in parts and parts["masks"].min(initial=0) < 0:
        raise ValueError("masks hold values below 0: give true and false, or 0..1")
    return {**{p: parts[p].reshape(s) for p, s in shapes.items()}, **{p: _whole(parts[p], p) for p in more}}


def _fits(part: Floats, name: str, n: int) -> bool:
    """Whether an array is one row of that part for each of n boxes."""
    if n == 0:
        return part.size == 0
    shape = part.shape
    if len(shape) != 3 or shape[0] != n:
        return False
    return name == "masks" or (shape[1:] == (4, 2) if name == "corners" else shape[2] in (2, 3))


def _whole(part: Floats, name: str) -> Floats:
    """The part with the axes that it has where there are rows; key points with how sure."""
    if part.size == 0:
        return np.zeros({"masks": (0, 1, 1), "points": (0, 0, 3), "corners": (0, 4, 2)}[name], np.float32)
    if name == "points" and part.shape[2] == 2:
        return np.concatenate([part, np.ones_like(part[..., :1])], axis=2)
    return part


def _map_of(found: Any) -> Floats:
    """(h, w, C) scores, or (h, w, 1) class numbers. Raises ValueError."""
    if isinstance(found, tuple | list) and len(found) == 1:
        (found,) = found
    values: Floats = np.asarray(found, np.float32) if not isinstance(found, tuple) else np.zeros(0)
    if values.ndim == 3 and values.shape[0] == 1:
        values = values[0]
    if values.ndim not in (2, 3) or not values.size:
        raise ValueError(f"decode gives {_kind(found)}, not a map (h, w) or (C, h, w)")
    if values.ndim == 3:
        return values.transpose(1, 2, 0)
    if not (values == np.rint(values)).all() or values.min() < -1 or values.max() > MOST_CLASSES:
        raise ValueError(
            f"decode gives a map (h, w) of {values.min():.4g} .. {values.max():.4g}, not of class numbers"
        )
    return values[:, :, None]


def _kind(found: Any) -> str:
    """What a decode gave, in words."""
    if isinstance(found, tuple | list):
        return f"{len(found)} values"
    return f"an array of shape {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__


def _other(found: Any, task: str) -> str:
    """Which line of the file would say that this is meant, in words; "" where none would."""
    if isinstance(found, np.ndarray):
        return f'; {SAYS} = "segment" in the file says that it is a map of classes'
    if task == "detect" and isinstance(found, tuple | list) and len(found) == 4:
        ways = ", ".join(f'"{t}" ({p[3]})' for t, p in PARTS.items() if len(p) == 4)
        return f"; {SAYS} in the file says what the fourth is: {ways}"
    return ""


def candidates_of(answer: Answer) -> Candidates:
    """The boxes of an answer with what else is known of each but its mask."""
    points, turned = answer.get("points"), answer.get("corners")
    return Candidates(answer["boxes"], answer["scores"][:, None], answer["classes"], points, turned)


def finished(
    answer: Answer, card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> Detections | ClassMap:
    """The prediction of an answer in image pixels; of boxes, doubles of one class are taken out."""
    if MAP in answer:
        return class_map(np.asarray(answer[MAP], np.float32), frame, card.preprocess.size)
    found, scores, classes = candidates_of(answer), answer["scores"], answer["classes"]
    usable = np.flatnonzero((scores >= conf) & np.isfinite(found.boxes).all(axis=1) & (classes > -0.5))
    labels = np.rint(classes[usable]).astype(np.int64)
    if found.corners is None:
        keep = nms(found.boxes[usable], scores[usable], labels, iou=iou, max_detections=max_detections)
    else:
        keep = turned_nms(
            found.corners[usable], scores[usable], labels, iou=iou, max_detections=max_detections
        )
    rows = usable[keep]
    said = detections_of(found, rows, labels[keep], scores[rows], frame)
    if "masks" not in answer or card.task == "detect":
        return said
    size = card.preprocess.size
    masks = [answer["masks"][row] - 0.5 for row in rows]
    drawn = tuple(mask_within(m, b, frame, size) for m, b in zip(masks, said.boxes, strict=True))
    whole = replace(said, masks=drawn)
    return whole.take(np.array([i for i, m in enumerate(drawn) if m.area], np.int64))


_loaded: dict[str, Decoder] = {}


def decode(
    outputs: Mapping[str, Any], card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> Detections | ClassMap:
    """What the decode file in the card says of one image, run here."""
    source = str(card.decode["source"])
    if source not in _loaded:
        _loaded[source] = load_decoder(source, str(card.decode["file"]))
    answer = _loaded[source](outputs, card.preprocess.size)
    return finished(answer, card, frame, conf=conf, iou=iou, max_detections=max_detections)
