"""Names of classes: as metadata gives them, and the published lists that models are trained on.

Source of COCO's numbers: `annotations/instances_val2017.json`, 80 categories with ids 1..90, ten ids unused;
TensorFlow's `mscoco_label_map.pbtxt` and RF-DETR keep those ids as class numbers.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass

from paredown.errors import CardError

COCO_NAMES = tuple(
    """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant,
stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe,
backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball
bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork, knife,
spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair,
couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard, cell phone,
microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear, hair drier,
toothbrush
""".replace("\n", " ")
    .strip()
    .split(", ")
)
COCO_UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)  # ids between 1 and 90 that no category has
MOST_CLASSES = 100_000
NAME_KEYS = ("names", "class_names", "classes", "labels")


@dataclass(frozen=True)
class Names:
    """Class names in the order of their numbers. numbers: which they are; 0, 1, 2, ... in most files."""

    names: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()

    @property
    def by_number(self) -> tuple[str, ...]:
        """A name for every number from 0 on: numbers that have none stand for themselves."""
        named = dict(zip(self.numbers, self.names, strict=True))
        return tuple(named.get(i, f"class {i}") for i in range(max(self.numbers, default=-1) + 1))


def read_names(metadata: Mapping[str, str]) -> Names:
    """The class names in a model's metadata: a Python or JSON list, or a dict keyed by number.

    JSON has only text for keys, so "10" counts as the number 10. What is neither is no list of names.

    Raises: CardError for a name with half a character ("\\ud800"), which no file and no picture can hold.
    """
    for key in NAME_KEYS:
        found = _names(metadata.get(key, ""))
        for number, name in zip(found.numbers, found.names, strict=True):
            if any("\ud800" <= c <= "\udfff" for c in name):
                raise CardError(
                    f"the model's metadata {key!r} has a class name that no file can hold",
                    got=f"class {number}: {ascii(name)[:80]}",
                    expected="text",
                    hint="export the model again with names of whole characters",
                )
        if found.names:
            return found
    return Names()


def _names(text: str) -> Names:
    value = _parsed(text)
    if isinstance(value, list | tuple):
        return Names(tuple(str(v) for v in value), tuple(range(len(value))))
    if not isinstance(value, dict):
        return Names()
    try:
        numbered = {int(str(key).strip()): str(name) for key, name in value.items()}
    except ValueError:
        return _inverted(value)
    if len(numbered) != len(value) or not all(0 <= n < MOST_CLASSES for n in numbered):
        return Names()
    numbers = tuple(sorted(numbered))
    return Names(tuple(numbered[n] for n in numbers), numbers)


def _inverted(value: Mapping[object, object]) -> Names:
    """Names from a dict of numbers keyed by name: {"person": 0, "car": 1}."""
    if all(type(n) is int for n in value.values()) and len(set(value.values())) == len(value):
        return _names(json.dumps({str(n): name for name, n in value.items()}))
    return Names()


def _parsed(text: str) -> object:
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    return None


def unnamed_classes(count: int) -> tuple[str, ...]:
    """What stands for the names of classes that nothing names."""
    return tuple(f"class {i}" for i in range(count))


def coco_by_id(first: int, count: int) -> tuple[str, ...]:
    """`count` names for COCO's ids from `first` on; ids that no category has stand for themselves."""
    names = iter(COCO_NAMES)
    named = {i: next(names) for i in range(1, 91) if i not in COCO_UNUSED}
    return tuple(named.get(i, "background" if i == 0 else f"class {i}") for i in range(first, first + count))
