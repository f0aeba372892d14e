"""A data set's classes become the model's: by name, or by index where names say nothing.

In maps of classes, pixels of a class that the model does not know are its background where it has one: it was
trained to call them so, and an area found there is a false one. Only pixels of no class are left out.
Source: Everingham et al., The Pascal VOC Challenge, 2010, section 4.2; torchvision's
references/segmentation/coco_utils.py makes the same of COCO's other classes for the 21 of VOC.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.errors import DataError
from paredown.metrics import uses_truth
from paredown.preprocessing.prompts import takes_prompts
from paredown.sample import Dataset, Sample
from paredown.tasks import TASKS

# Spellings of the same class in COCO, VOC, Open Images and darknet lists, as `_plain` writes them.
_SAME = (
    ("motorcycle", "motorbike"),
    ("airplane", "aeroplane", "plane"),
    ("couch", "sofa"),
    ("tv", "tvmonitor", "television"),
    ("pottedplant", "houseplant"),
    ("diningtable", "kitchendiningroomtable"),
    ("donut", "doughnut"),
    ("hairdrier", "hairdryer"),
    ("cellphone", "mobilephone"),
)
_CANONICAL = {word: group[0] for group in _SAME for word in group}
_BACKGROUND = ("background", "bg", "none")
_VOID = ("unlabeled", "unlabelled", "void", "ignore", "ignored")  # names of what is no class


def align(dataset: Dataset, card: Card) -> tuple[Dataset, tuple[str, ...]]:
    """The data set with its truth in the card's class indices, and what had to be done, a sentence each.

    Truths of classes that the model does not know are dropped, their images stay; pixels of such classes are
    background for a segmenter that has one. Doing it twice is harmless.
    Raises: DataError where the model and the data set share no class, or are about different tasks.
    """
    if not dataset.has_truth:
        return dataset, ()
    if not uses_truth(card.task):
        unused = f"the images' truth is not used: {TASKS[card.task].WORDS.no_truth}"
        samples = tuple(replace(s, truth=None) for s in dataset)
        return replace(dataset, samples=samples, notes=(*dataset.notes, unused)), (unused,)
    if dataset.task != TASKS[card.task].TRUTH:
        raise DataError(
            f"the model's task is {card.task!r}, the data set {dataset.name!r} holds truth for another",
            got=dataset.task,
            expected=TASKS[card.task].TRUTH,
            hint="give images with the right kind of truth, or a plain folder of images",
        )
    task = TASKS[card.task]
    if takes_prompts(card):  # what an object is called has no part in it
        return replace(dataset, classes=card.classes), ()
    if dataset.classes == card.classes:
        return (dataset, ()) if task.NAME == task.TRUTH else _usable(dataset, card)
    before = np.concatenate([task.classes_of(s.truth) for s in dataset]).astype(np.int64)
    used = np.unique(before)
    names = dataset.classes or tuple(str(i) for i in range(int(used.max(initial=-1)) + 1))
    target, note = class_map(names, card)
    if len(used) and (target[used] < 0).all():
        raise _nothing_shared(names, card)
    target, outside = _outside_is_background(names, target, used, card)
    samples = tuple(replace(s, truth=task.translate(s.truth, target)) for s in dataset)
    dropped = int(np.count_nonzero(target[before] < 0))
    unknown = [names[i] for i in used if target[i] < 0]
    notes = note + outside + _dropped_note(dropped, task.WORDS.left_out, unknown)
    notes += _unused_note(dataset, samples, card)
    return replace(dataset, classes=card.classes, samples=samples, notes=dataset.notes + notes), notes


def _usable(dataset: Dataset, card: Card) -> tuple[Dataset, tuple[str, ...]]:
    """The data set with the truth that says something about the task, and a note on the rest."""
    same = np.arange(len(card.classes))
    samples = tuple(replace(s, truth=TASKS[card.task].translate(s.truth, same)) for s in dataset)
    note = _unused_note(dataset, samples, card)
    return replace(dataset, samples=samples, notes=dataset.notes + note), note


def _unused_note(dataset: Dataset, samples: Sequence[Sample], card: Card) -> tuple[str, ...]:
    """A note on images whose truth says nothing about the task."""
    pairs = zip(dataset, samples, strict=True)
    unused = sum(before.truth is not None and after.truth is None for before, after in pairs)
    if not unused:
        return ()
    return (
        f"the truth of {unused} images says nothing about {TASKS[card.task].WORDS.marks} and is not used; "
        f'`task = "{TASKS[card.task].TRUTH}"` in the card judges what it does say',
    )


def class_map(names: Sequence[str], card: Card) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """(len(names),) the card's index of each class, -1 for none; and a note where names did not decide."""
    known = card.classes
    if all(n.strip().isdigit() for n in names) and not _names_are_numbers(names, known):
        indices = np.array([int(n) for n in names], np.int64)
        # every pixel of a map has a number: the background has been counted already
        counted = card.task == "segment"
        shift = 0 if counted else _background_offset(known, int(indices.max(initial=-1)) + 1)
        note = (f"class numbers were moved by {shift}, past the model's background class",) if shift else ()
        moved = indices + shift
        return np.where(moved < len(known), moved, -1), note
    places = _by_place(names, known)
    if places is not None:
        return places, ()
    same = _same_order(names, known)
    if same is not None:  # two classes of the list may have the same name, so names are not asked
        return np.arange(len(names)) + same, ()
    named = by_name(names, known)
    if (named >= 0).any() or not all(_is_placeholder(k) for k in known):
        return named, _moved_note(names, named, len(known))
    shift = _background_offset(known, len(names))
    if len(names) + shift != len(known):
        return named, ()
    return (
        np.arange(len(names)) + shift,
        ("the model does not name its classes: the data set's were taken in their order",),
    )


def _outside_is_background(
    names: Sequence[str], target: NDArray[np.int64], used: NDArray[np.int64], card: Card
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The target with a segmenter's background for classes it does not know; a note of those in the images.

    Names of no class (`_VOID`) stay out.
    """
    if card.task != "segment" or not card.classes or _plain(card.classes[0]) not in _BACKGROUND:
        return target, ()
    void = np.array([_plain(n) in _VOID for n in names], bool)
    outside = (target < 0) & ~void
    unknown = [names[i] for i in used if outside[i]]
    note = f"pixels of classes that the model does not know are its {card.classes[0]}: {_listed(unknown)}"
    return np.where(outside, 0, target), (note,) if unknown else ()


def _moved_note(names: Sequence[str], target: NDArray[np.int64], n_known: int) -> tuple[str, ...]:
    """What was done where the data set's classes have other numbers than the model's."""
    moved = np.flatnonzero((target >= 0) & (target != np.arange(len(names))))
    if len(moved) == 0:
        return ()
    found = np.count_nonzero(target >= 0)
    some = ", ".join(f"{names[i]} {i} -> {target[i]}" for i in moved[:3])
    more = ", ..." if len(moved) > 3 else ""
    return (
        f"found by name among the model's {n_known} classes: {found} of the data set's {len(names)}, "
        f"{len(moved)} of them under another number ({some}{more})",
    )


def _by_place(names: Sequence[str], known: Sequence[str]) -> NDArray[np.int64] | None:
    """(len(names),) each class's own place where the list names only some of them and numbers the others.

    None where no name is its own number, or most of the other names stand elsewhere in the model's list.
    """
    numbered = np.array([n == str(i) for i, n in enumerate(names)], bool)
    if not numbered.any() or _names_are_numbers(names, known):
        return None
    moved = np.arange(len(names)) + _background_offset(known, len(names))
    places = np.where(moved < len(known), moved, -1)
    named = by_name(names, known)
    found = ~numbered & (named >= 0)
    elsewhere = np.count_nonzero(named[found] != places[found])
    return None if 2 * elsewhere > np.count_nonzero(found) else places


def _names_are_numbers(names: Sequence[str], known: Sequence[str]) -> bool:
    """Whether digits are the classes' names (speed signs "30", "50") and not their places in the list."""
    in_order = tuple(str(i) for i in range(len(known)))
    return tuple(known) != in_order and set(names) <= set(known)


def _background_offset(known: Sequence[str], n_used: int) -> int:
    """1 where the model's first class is a background that labels from 0 to n_used - 1 leave out, else 0."""
    named = bool(known) and _plain(known[0]) in _BACKGROUND
    by_count = len(known) == 1001  # ImageNet's 1000 classes and a background
    return 1 if (named or by_count) and n_used < len(known) else 0


def by_name(names: Sequence[str], known: Sequence[str]) -> NDArray[np.int64]:
    """(len(names),) the index of the one class of that name ("tench" finds "tench, Tinca tinca"), else -1."""
    whole: dict[str, int] = {}
    partly: dict[str, set[int]] = {}
    for i, name in enumerate(known):
        whole.setdefault(_plain(name), i)
        for part in name.split(","):
            partly.setdefault(_plain(part), set()).add(i)

    def find(name: str) -> int:
        if _plain(name) in whole:
            return whole[_plain(name)]
        found = set[int]().union(*(partly.get(_plain(part), set()) for part in name.split(",")))
        return found.pop() if len(found) == 1 else -1

    return np.array([find(n) for n in names], np.int64)


def _same_order(names: Sequence[str], known: Sequence[str]) -> int | None:
    """How many places (0 or 1) before the same names the model's list starts; None where names differ."""
    return next((s for s in (0, 1) if tuple(known[s : s + len(names)]) == tuple(names)), None)


def _plain(name: str) -> str:
    """The name without case, spaces and punctuation, in its usual spelling."""
    word = re.sub(r"[\W_]+", "", name.casefold())
    return _CANONICAL.get(word, word)


def _is_placeholder(name: str) -> bool:
    """Whether a class name says no more than its number, or that it is the background."""
    return re.fullmatch(r"(class|label|cls|id)?[ _-]*\d+", name.strip().casefold()) is not None or (
        _plain(name) in _BACKGROUND
    )


def _dropped_note(dropped: int, what: str, unknown: list[str]) -> tuple[str, ...]:
    if dropped == 0:
        return ()
    counted = f"1 {what} was" if dropped == 1 else f"{dropped} {what}s were"
    return (f"{counted} left out: the model does not know {_listed(unknown)}",)


def _nothing_shared(names: Sequence[str], card: Card) -> DataError:
    return DataError(
        "the data set and the model share no class",
        got=f"data set: {_listed(names)}",
        expected=f"model: {_listed(card.classes)}",
        hint="write the model's class names, in its order, as `classes` in a card.toml beside the model",
    )


def _listed(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
