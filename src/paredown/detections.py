"""The nouns a model's answer is turned into. numpy only: the bundle's `detect.py` carries this file as is."""

from __future__ import annotations

from dataclasses import dataclass

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


Prediction = Detections | ClassScores | RawAnswer
