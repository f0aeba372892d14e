"""Made-up sessions that answer with boxes we know, in every layout a head can have; images with that truth.

Each image has its own objects: its corner says which image it is, so a session knows what is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from paredown.model import TensorSpec
from paredown.sample import Dataset, Labels, Sample

SIZE = 320
IMAGES = 8
CLASSES = ("cat", "dog", "bird", "fish")
HEIGHT = 240  # the images are wider than high, so a letterbox has borders above and below


@dataclass(frozen=True)
class Objects:
    """boxes (n, 4) xyxy in image pixels, classes (n,), scores (n,) falling."""

    boxes: np.ndarray
    classes: np.ndarray
    scores: np.ndarray


def objects(i: int, n: int = 12) -> Objects:
    """The objects of image i, anywhere in it."""
    rng = np.random.default_rng(i)
    w, h = rng.uniform(20, 90, n), rng.uniform(20, 60, n)
    x, y = rng.uniform(0, SIZE - w), rng.uniform(0, HEIGHT - h)
    boxes = np.stack([x, y, x + w, y + h], axis=1)
    return Objects(boxes, rng.integers(0, len(CLASSES), n), np.sort(rng.uniform(0.3, 0.99, n))[::-1])


def images(with_truth: bool = True, classes: tuple[str, ...] = CLASSES) -> Dataset:
    """Eight images, each with its number in the top left corner and a black bottom right corner."""

    def sample(i: int) -> Sample:
        image = np.full((HEIGHT, SIZE, 3), 100, np.uint8)
        image[:60, :40] = 10 * i
        image[120:, 280:] = 0
        o = objects(i)
        area = (o.boxes[:, 2:] - o.boxes[:, :2]).prod(axis=1).astype(np.float32)
        truth = Labels(o.boxes.astype(np.float32), o.classes, np.zeros(len(o.classes), bool), area)
        return Sample(f"{i}.png", lambda: image, lambda: str(i), truth if with_truth else None)

    return Dataset(
        "made", "plain", "", classes if with_truth else (), tuple(sample(i) for i in range(IMAGES))
    )


Answer = Callable[[Objects], Mapping[str, np.ndarray]]


@dataclass
class Head:
    """A session that sees which image it is fed, how it was fitted and whether it is mirrored, and answers by
    `answer`."""

    answer: Answer
    inputs = (TensorSpec("image", (1, 3, SIZE, SIZE), "float32"),)
    outputs = ()

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        plane = feeds["image"][0, 1].astype(np.float64)
        mirrored = plane[200, 20] != plane[100, 150]  # where a mirror puts the black corner
        plane = plane[:, ::-1] if mirrored else plane
        black = plane[200, 300]
        pixels = (plane - black) / (plane[100, 150] - black) * 100  # whatever the values were made into
        o = objects(round(pixels[50, 20] / 10))
        boxes = o.boxes * (1, SIZE / HEIGHT, 1, SIZE / HEIGHT)  # stretched
        if pixels[10, 150] > 105 or pixels[310, 150] > 105:  # a border
            boxes = o.boxes + np.array([0, 40, 0, 40]) * (pixels[10, 150] > 105)
        boxes = boxes if not mirrored else np.abs(boxes[:, [2, 1, 0, 3]] - (SIZE, 0, SIZE, 0))
        return dict(self.answer(Objects(boxes, o.classes, o.scores)))


def rows(
    o: Objects, columns: str, *, n: int = 300, fractions: bool = False, first_class: int = 0
) -> np.ndarray:
    """(1, n, K) finished detections in the order of the columns, zeros behind them."""
    x1, y1, x2, y2 = (o.boxes / (SIZE if fractions else 1)).T
    values = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "score": o.scores, "class": o.classes + first_class}
    values |= {"cx": (x1 + x2) / 2, "cy": (y1 + y2) / 2, "w": x2 - x1, "h": y2 - y1}
    words = columns.split()
    out = np.zeros((1, n, len(words)), np.float32)
    out[0, : len(x1)] = np.stack([values[word] for word in words], axis=1)
    return out


def grid(o: Objects, n: int, *, form: str = "cx cy w h") -> tuple[np.ndarray, np.ndarray]:
    """(n, 4) boxes and (n, C) scores of a raw head: the objects at places of their own, else low noise."""
    rng = np.random.default_rng(len(o.scores))
    boxes, scores = np.zeros((n, 4)), rng.uniform(0, 0.02, (n, len(CLASSES)))
    middle = rng.uniform(40, SIZE - 40, (n, 2))
    boxes[:] = np.concatenate([middle - 10, middle + 10], axis=1)
    places = rng.permutation(n)[: len(o.scores)]
    boxes[places], scores[places, o.classes] = o.boxes, o.scores
    as_objects = Objects(boxes, np.zeros(n, int), np.zeros(n))
    return rows(as_objects, form, n=n)[0], scores.astype(np.float32)
