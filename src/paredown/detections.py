"""The nouns a model's answer is turned into. numpy only: the bundle's `detect.py` carries this file as is."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Mask:
    """Which pixels belong to one object: lengths of runs down the columns, off and on in turns, as in COCO.

    runs: uint32 bytes, the first run is off. shape: (H, W).
    """

    runs: bytes = field(repr=False)
    shape: tuple[int, int]

    @classmethod
    def of(cls, pixels: NDArray[np.bool_]) -> Self:
        """The mask of (H, W) pixels."""
        flat = np.asarray(pixels, np.bool_).ravel(order="F")
        turns = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        bounds = [0, *([0] if flat.size and flat[0] else []), *turns, flat.size]
        return cls(np.diff(bounds).astype(np.uint32).tobytes(), (int(pixels.shape[0]), int(pixels.shape[1])))

    @property
    def pixels(self) -> NDArray[np.bool_]:
        """(H, W)."""
        runs = np.frombuffer(self.runs, np.uint32)
        return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(self.shape, order="F")

    @property
    def area(self) -> int:
        """Pixels that belong to it."""
        return int(np.frombuffer(self.runs, np.uint32)[1::2].sum())


@dataclass(frozen=True)
class Detections:
    """What a detector says about one image, best score first.

    boxes: (n, 4) float32 x1 y1 x2 y2 in pixels of the original image, clipped to it; scores: (n,) 0..1;
    classes: (n,) index into the card's classes. Of models that say more, else None: masks: one for each box,
    of the image's size; points: (n, P, 3) key points x, y in pixels of the image and how sure, 0..1; corners:
    (n, 4, 2) of turned boxes, around which `boxes` lie.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    masks: tuple[Mask, ...] | None = None
    points: NDArray[np.float32] | None = None
    corners: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, conf: float) -> Detections:
        return self.take(np.flatnonzero(self.scores >= conf))

    def take(self, rows: NDArray[np.integer[Any]]) -> Detections:
        """Those detections, in that order."""
        return Detections(
            self.boxes[rows],
            self.scores[rows],
            self.classes[rows],
            None if self.masks is None else tuple(self.masks[int(i)] for i in rows),
            None if self.points is None else self.points[rows],
            None if self.corners is None else self.corners[rows],
        )


@dataclass(frozen=True)
class ClassScores:
    """What a classifier says about one image: (n_classes,) float32, as the model gives them."""

    scores: NDArray[np.float32]


@dataclass(frozen=True)
class RawAnswer:
    """What a model whose answer nobody reads says about one image: a flat array for each output, in order.

    Floats as float32, all else as int64. `shapes`: of the outputs as the model gave them.
    """

    values: tuple[NDArray[np.generic], ...]
    shapes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ClassMap:
    """The class of every pixel of one image, as a model says it or as it is true. Packed: a map is large.

    packed: (H, W) int16, compressed by zlib; NO_CLASS where no class is known.
    """

    task: ClassVar[str] = "segment"
    packed: bytes = field(repr=False)
    shape: tuple[int, int]

    @classmethod
    def of(cls, classes: NDArray[np.integer[Any]]) -> Self:
        """The map of (H, W) class numbers below 32768."""
        data = zlib.compress(np.ascontiguousarray(classes, np.int16).tobytes(), 1)
        return cls(data, (int(classes.shape[0]), int(classes.shape[1])))

    @property
    def classes(self) -> NDArray[np.int16]:
        """(H, W) class numbers, NO_CLASS for none."""
        return np.frombuffer(zlib.decompress(self.packed), np.int16).reshape(self.shape)


NO_CLASS = -1
Prediction = Detections | ClassScores | RawAnswer | ClassMap
