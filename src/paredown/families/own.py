"""Any model whose answer a Python file of the user's own reads: `--decode FILE`, `[decode] file = "..."`.

The file (families/own_decode.py says what it defines) runs in a process of its own with a time limit for each
image and ends with the last card that it read for. Its text stands in the card, so that a study or a bundle
does not depend on where it lay.
"""

from __future__ import annotations

import ast
import weakref
from collections.abc import Mapping
from typing import Any

from paredown.card import Card
from paredown.detections import ClassMap, Detections
from paredown.errors import UnknownName
from paredown.families.candidates import Candidates
from paredown.families.family import Match, match_of
from paredown.families.features import Features
from paredown.families.masks import best_class
from paredown.families.outputs import spell
from paredown.families.own_decode import MAP, PARTS, SAYS, candidates_of, finished
from paredown.families.own_process import DecodeProcess
from paredown.preprocessing.letterbox import Frame
from paredown.preprocessing.values import IMAGENET_MEAN, IMAGENET_STD

NAME = "own"
TASK = "detect"
SUMMARY = "any detector or segmenter, read by a Python file of yours (--decode)"
ON_DEVICE = "own_decode"  # the module whose `decode` a bundle carries
COCO_CLASSES = 80  # assumed where nothing names the classes; a card or the data set says otherwise
MOST_INDEX_CLASSES = 256  # the same of a map
_running: weakref.WeakValueDictionary[str, DecodeProcess] = (
    weakref.WeakValueDictionary()
)  # by the file's text
_held: dict[int, DecodeProcess] = {}  # by the id of a living card: cards cannot be hashed


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> Candidates | ClassMap:
    """What the file gives: boxes, or the class of every place of a map. Raises CardError where it fails."""
    answer = _ask(outputs, card)
    return ClassMap.of(best_class(answer[MAP])) if MAP in answer else candidates_of(answer)


def decode(
    outputs: Mapping[str, Any], card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> Detections | ClassMap:
    """What the decode file in the card says of one image."""
    answer = _ask(outputs, card)
    return finished(answer, card, frame, conf=conf, iou=iou, max_detections=max_detections)


def matches(features: Features) -> Match | None:
    """The match where the card or the user names a file. Raises UnknownName on a task that it cannot have."""
    if "source" not in features.said:
        return None
    how = {"file": features.said["file"], "source": features.said["source"]}
    task = said_task(str(how["source"]))
    usual = len(features.named.by_number) or (MOST_INDEX_CLASSES if task == "segment" else COCO_CLASSES)
    settled = bool(features.values_known or features.names)
    why = f"outputs {spell(features.outputs)}, read by {how['file']}"
    inputs = [{"fit": fit, **values} for values in _VALUES for fit in ("letterbox", "stretch")]
    cards = features.cards(NAME, task, usual, inputs, iou=0.6, decode=how, settled=settled, why=why)
    return match_of([cards], 1.0, why, settled=settled, open_classes=not features.names)


def said_task(source: str) -> str:
    """The task that a line `TASK = "..."` of the source says, without running it; "detect" without one."""
    try:
        lines = ast.parse(source).body
    except (SyntaxError, ValueError):
        return TASK  # running it tells what is wrong
    task = TASK
    for line in lines:
        targets = getattr(line, "targets", [getattr(line, "target", None)])
        if isinstance(line, ast.Assign | ast.AnnAssign) and any(
            getattr(t, "id", "") == SAYS for t in targets
        ):
            value = line.value
            task = str(value.value) if isinstance(value, ast.Constant) else ast.unparse(line)
    if task not in PARTS:
        raise UnknownName(f"{SAYS} of a decode file", task, PARTS)
    return task


def _ask(outputs: Mapping[str, Any], card: Card) -> Mapping[str, Any]:
    """The file's answer. Raises CardError where it fails."""
    process = _process_for(card)
    try:
        return process(outputs, card.preprocess.size)
    except BaseException:  # also an interrupt: the next image must not be given this one's answer
        _running.pop(str(card.decode["source"]), None)
        process.close()
        raise


_IMAGENET: dict[str, Any] = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
_VALUES: tuple[dict[str, Any], ...] = (
    {},
    {"scale": 1.0},
    {"scale": 1.0, "colour": "bgr"},
    _IMAGENET,
    {"scale": 1.0, "mean": (127.5,) * 3, "std": (127.5,) * 3},
)


def _process_for(card: Card) -> DecodeProcess:
    """The process of the card's file, which lives as long as a card that it read for."""
    source, key = str(card.decode["source"]), id(card)
    process = _running.get(source)
    if process is None:
        _running[source] = process = DecodeProcess(source, str(card.decode["file"]))
    if _held.get(key) is not process:
        _held[key] = process
        weakref.finalize(card, _held.pop, key, None)
    return process
