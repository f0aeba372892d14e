"""The nouns a model's answer is turned into. numpy only: the bundle's `detect.py` carries this file as is."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Detections:
    """What a detector says about one image, best score first.

    boxes: (n, 4) float32 x1 y1 x2 y2 in pixels of the original image, clipped to it; scores: (n,) 0..1;
    classes: (n,) index into the card's classes.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, conf: float) -> Detections:
        keep = self.scores >= conf
        return Detections(self.boxes[keep], self.scores[keep], self.classes[keep])


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
