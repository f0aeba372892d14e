"""The nouns `Sample`, `Dataset`, `Labels`: images and what is true about them.

Shapes: n boxes in one image; boxes are xyxy in pixels of the upright (EXIF-rotated) image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from paredown.detections import Mask


@dataclass(frozen=True)
class Outline:
    """The pixels of an object as an annotation gives them; `metrics.overlaps.drawn` makes a `Mask` of it.

    polygons: float32 x y x y ... in pixels, each; or packed: COCO's run lengths as text; or runs: as uint32.
    shape: (H, W) of the image; () where not known yet.
    """

    polygons: tuple[bytes, ...] = field(repr=False)
    shape: tuple[int, ...] = ()
    packed: bytes = field(default=b"", repr=False)
    runs: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Labels:
    """True boxes of one image, the truth of the task "detect".

    `classes` index into `Dataset.classes`; `crowd` regions are ignored in AP. What else is known of them:
    `masks`, None for one that has only a box; `points` (n, P, 3) x, y in pixels and 0 not marked, 1 hidden, 2
    seen; `corners` (n, 4, 2) of turned boxes.
    """

    task: ClassVar[str] = "detect"
    boxes: NDArray[np.float32]  # (n, 4) x1 y1 x2 y2, pixels
    classes: NDArray[np.int64]  # (n,)
    crowd: NDArray[np.bool_]  # (n,)
    area: NDArray[np.float32]  # (n,) pixels squared, of the object where known, else of the box
    masks: tuple[Mask | Outline | None, ...] | None = None
    points: NDArray[np.float32] | None = None
    corners: NDArray[np.float32] | None = None

    def take(self, rows: NDArray[np.integer[Any]]) -> Labels:
        """Those objects, in that order."""
        return Labels(
            self.boxes[rows],
            self.classes[rows],
            self.crowd[rows],
            self.area[rows],
            None if self.masks is None else tuple(self.masks[int(i)] for i in rows),
            None if self.points is None else self.points[rows],
            None if self.corners is None else self.corners[rows],
        )


Truth = object
"""What is true about one image: `Labels`, a class index, or what another task knows; None where nothing is
known. Only the task (`tasks/`) looks inside."""


@dataclass(frozen=True)
class Sample:
    """One image that is read when asked for. `name` is unique in its data set.

    `read()` gives (H, W, 3) uint8 RGB, upright, or raises ImageError naming the file.
    `digest()` gives the sha256 of the image file's bytes (to find the same image in two sets).
    """

    name: str
    read: Callable[[], NDArray[np.uint8]] = field(repr=False)
    digest: Callable[[], str] = field(repr=False)
    truth: Truth = field(default=None, repr=False)


@dataclass(frozen=True)
class Dataset(Sequence[Sample]):
    """Images in a fixed order. `classes` is empty where nothing names them."""

    name: str
    format: str  # which reader made it: "coco", "yolo", "voc", "folders", "csv", "plain", "zip", "demo"
    root: str
    classes: tuple[str, ...]
    samples: tuple[Sample, ...] = field(repr=False)
    split: str | None = None  # "train", "val", ... where the format names splits
    notes: tuple[str, ...] = ()  # what the reader put right or left out, one sentence each

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self.samples[index]

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    @property
    def has_truth(self) -> bool:
        return any(s.truth is not None for s in self.samples)

    @property
    def task(self) -> str | None:
        """The task whose truth the images hold ("detect", ...), or None without truth.

        A type of truth says its task; a bare number is a class, the truth of "classify".
        """
        first = next((s.truth for s in self.samples if s.truth is not None), None)
        return None if first is None else getattr(first, "task", "classify")
