"""Made-up images with truth and detections, for the tests of metrics."""

from __future__ import annotations

import numpy as np

from paredown.detections import Detections
from paredown.sample import Labels


def found(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    """Detections from rows x1, y1, x2, y2, score, class."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(
        table[:, :4].astype(np.float32), table[:, 4].astype(np.float32), table[:, 5].astype(np.int64)
    )


def true(*rows: tuple[float, float, float, float, int], crowd: tuple[int, ...] = ()) -> Labels:
    """Labels from rows x1, y1, x2, y2, class; `crowd` are indices of rows."""
    table = np.array(rows, np.float64).reshape(-1, 5)
    boxes = table[:, :4].astype(np.float32)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return Labels(boxes, table[:, 4].astype(np.int64), np.isin(np.arange(len(table)), crowd), area)


def random_scenes(
    seed: int, images: int = 25, classes: int = 5, coarse: bool = False
) -> tuple[list[Detections], list[Labels]]:
    """Random images. `coarse`: boxes on a grid and scores in tenths, so that nearly everything ties."""
    rng = np.random.default_rng(seed)
    predictions, truths = [], []
    for _ in range(images):
        n = int(rng.integers(0, 10))
        boxes = _boxes(rng, n, coarse)
        c = rng.integers(0, classes, n)
        area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) * rng.uniform(0.5, 1, n)
        truths.append(Labels(boxes, c, rng.random(n) < 0.1, area.astype(np.float32)))
        again = rng.integers(0, n, 2 * n) if n else np.zeros(0, np.int64)
        size = np.tile((boxes[:, 2:] - boxes[:, :2])[again], 2)
        near = boxes[again] + (
            rng.integers(-1, 2, size.shape) * 4 if coarse else rng.normal(0, 0.07, size.shape) * size
        )
        stray = _boxes(rng, int(rng.integers(0, 30)), coarse)
        every = np.concatenate([near, stray]).astype(np.float32)
        every[:, 2:] = np.maximum(every[:, 2:], every[:, :2] + 1)
        score = rng.beta(1, 2, len(every)).astype(np.float32)
        kind = np.concatenate([c[again], rng.integers(0, classes, len(stray))])
        predictions.append(Detections(every, score.round(1) if coarse else score, kind))
    return predictions, truths


def _boxes(rng: np.random.Generator, n: int, coarse: bool) -> np.ndarray:
    corner, size = rng.uniform(0, 300, (n, 2)), np.exp(rng.uniform(2, 5.5, (n, 2)))
    if coarse:
        corner, size = corner // 60 * 8, size // 40 * 8 + 8
    return np.concatenate([corner, corner + size], axis=1).astype(np.float32)
