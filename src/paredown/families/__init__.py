"""Model families: how to recognise one, feed it, and read its answer. One file each.

A family is a module with NAME, TASK, SUMMARY, matches(features), decode(outputs, card, frame, ...). The part
down to `decode` uses numpy and the plain nouns only: the bundle's `detect.py` carries it.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

from paredown.errors import UnknownName

if TYPE_CHECKING:
    from paredown.families.family import Family

_MODULES = (
    "yolov8",
    "yolov5",
    "darknet",
    "yolox",
    "yolov6",
    "nanodet",
    "dfl",
    "ssd",
    "end2end",
    "detr",
    "centernet",
    "grid",
    "anchored",
    "scrfd",
    "blazeface",
    "yunet",
    "yoloseg",
    "sam",
    "classifier",
    "segmenter",
    "own",
    "raw",
)


ALIASES = {
    "yolo11": "yolov8",
    "yolo12": "yolov8",
    "yolov9": "yolov8",
    "yolov11": "yolov8",
    "yolov12": "yolov8",
    "yolov3u": "yolov8",
    "yolov5u": "yolov8",
    "yolov10": "end2end",
    "yolo26": "end2end",
    "yolov7": "yolov5",
    "rtdetr": "detr",
    "rt-detr": "detr",
    "mobilesam": "sam",
    "efficientsam": "sam",
}
"""Names that people use -> the family whose head such a model has."""


class _Families(Mapping[str, "Family"]):
    """The table of families by name; a module is imported when it is asked for."""

    def __getitem__(self, name: str) -> Family:
        known = ALIASES.get(name.lower(), name)
        if known not in _MODULES:
            raise UnknownName("family", name, [*_MODULES, *ALIASES])
        return cast("Family", importlib.import_module(f"{__name__}.{known}"))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and ALIASES.get(name.lower(), name) in _MODULES

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


FAMILIES: Mapping[str, Family] = _Families()
