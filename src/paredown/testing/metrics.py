"""What every metric must do.

    @pytest.mark.parametrize("check", metrics.CHECKS)
    def test_my_metric(check):
        check(MY_METRIC, metrics.counted(MY_METRIC))

A metric of a task of your own brings its evidence itself: a function that gives the tally of weights (R, N).
R: weightings of the N images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card, Preprocess
from paredown.detections import ClassMap, ClassScores, Detections, Mask, Prediction, RawAnswer
from paredown.metrics.metric import Metric
from paredown.tasks import TASKS

IMAGES, CLASSES = 12, 7
Weights = NDArray[np.int64]
Counted = Callable[[Weights], Any]
"""Weights (R, N) -> the tally that `Metric.compute` takes."""


def counted(metric: Metric) -> Counted:
    """The tally of made-up answers to `IMAGES` images of the metric's task, one of `ANSWERS`."""
    task, answer, rng = TASKS[metric.task], ANSWERS[metric.task], np.random.default_rng(0)
    card = Card("any", metric.task, Preprocess((8, 8)), tuple("abcdefg"))
    said, other = ([answer(rng) for _ in range(IMAGES)] for _ in range(2))
    if metric.against == "truth":
        evidence = task.against_truth(said, task.as_truths(other, replace(card, conf=0.0)), card)
    else:
        evidence = task.against_reference(said, other, card)
    return lambda weights: task.tally(evidence, weights)


def it_is_named_and_explained(metric: Metric, counted: Counted) -> None:
    """In the table's words: a title, a sentence, and "float" where it is held against the float model."""
    assert metric.name and metric.title and metric.summary, metric  # noqa: PT018
    says = metric.against == "truth" or "float" in metric.summary
    assert says, f"held against the float model, and the summary does not say so: {metric.summary}"


def it_gives_a_number_within_its_limits_for_every_weighting(metric: Metric, counted: Counted) -> None:
    values = metric.compute(counted(_resampled()))
    assert values.shape == (5,), values.shape
    assert values.dtype == np.float64, values.dtype
    low, high = metric.limits
    known = values[~np.isnan(values)]
    assert len(known), "no number for any weighting of made-up answers"
    assert ((known >= low) & (known <= high)).all(), f"{known} outside {metric.limits}"


def a_weighting_knows_nothing_of_the_others(metric: Metric, counted: Counted) -> None:
    weights = _resampled()
    alone = [metric.compute(counted(row[None]))[0] for row in weights]
    np.testing.assert_allclose(metric.compute(counted(weights)), alone, atol=1e-12)


def counting_every_image_thrice_changes_nothing(metric: Metric, counted: Counted) -> None:
    once, thrice = (metric.compute(counted(np.full((1, IMAGES), k))) for k in (1, 3))
    np.testing.assert_allclose(once, thrice, atol=1e-12)


def where_no_image_counts_there_is_no_value(metric: Metric, counted: Counted) -> None:
    (value,) = metric.compute(counted(np.zeros((1, IMAGES), np.int64)))
    assert np.isnan(value), value


CHECKS: tuple[Callable[[Metric, Counted], None], ...] = (
    it_is_named_and_explained,
    it_gives_a_number_within_its_limits_for_every_weighting,
    a_weighting_knows_nothing_of_the_others,
    counting_every_image_thrice_changes_nothing,
    where_no_image_counts_there_is_no_value,
)


def _resampled() -> Weights:
    """(5, IMAGES) bootstrap weights."""
    return np.random.default_rng(1).multinomial(IMAGES, np.full(IMAGES, 1 / IMAGES), size=5)


def _detections(rng: np.random.Generator) -> Detections:
    n = int(rng.integers(2, 9))
    corner = rng.uniform(0, 20, (n, 2))
    sides = rng.choice([20, 60, 150], (n, 1)) * rng.uniform(0.8, 1.2, (n, 2))  # small, medium and large
    boxes = np.hstack([corner, corner + sides]).astype(np.float32)
    return Detections(boxes, rng.random(n).astype(np.float32), rng.integers(0, 2, n))


def _instances(rng: np.random.Generator) -> Detections:
    found, shape = _detections(rng), (200, 200)
    masks = []
    for x1, y1, x2, y2 in np.rint(found.boxes).astype(int):
        pixels = np.zeros(shape, np.bool_)
        pixels[y1:y2, x1:x2] = True
        masks.append(Mask.of(pixels))
    return replace(found, masks=tuple(masks))


def _promptable(rng: np.random.Generator) -> Detections:
    """As many masks for each of four objects as it has prompts, in the order of the kinds."""
    kinds, shape = (0, 1, 2, 2, 2), (40, 40)
    masks, boxes = [], []
    for i in range(4):
        for _ in kinds:
            pixels = np.zeros(shape, np.bool_)
            x, y = rng.integers(1, 9, 2)
            pixels[y : y + 20, x + i : x + i + 16] = True
            masks.append(Mask.of(pixels))
            boxes.append((x + i, y, x + i + 16, y + 20))
    scores = rng.random(len(masks)).astype(np.float32)
    return Detections(np.array(boxes, np.float32), scores, np.tile(kinds, 4), tuple(masks))


def _pose(rng: np.random.Generator) -> Detections:
    found = _detections(rng)
    across = np.stack([np.linspace(0.1, 0.9, 17), np.linspace(0.9, 0.1, 17)], axis=1)
    points = found.boxes[:, None, :2] + across * (found.boxes[:, None, 2:] - found.boxes[:, None, :2])
    sure = rng.random((len(found), 17, 1))
    return replace(found, points=np.concatenate([points, sure], axis=2).astype(np.float32))


def _oriented(rng: np.random.Generator) -> Detections:
    found = _detections(rng)
    x1, y1, x2, y2 = found.boxes.T
    middle_x, middle_y = (x1 + x2) / 2, (y1 + y2) / 2
    sides = (np.stack(p, axis=1) for p in ((middle_x, y1), (x2, middle_y), (middle_x, y2), (x1, middle_y)))
    return replace(found, corners=np.stack([*sides], axis=1))


def _scores(rng: np.random.Generator) -> ClassScores:
    return ClassScores(rng.normal(0, 3, CLASSES).astype(np.float32))


def _raw(rng: np.random.Generator) -> RawAnswer:
    values = (rng.normal(0, 3, 40).astype(np.float32), rng.integers(0, 5, 6))
    return RawAnswer(values, ((1, 4, 10), (1, 6)))


def _map(rng: np.random.Generator) -> ClassMap:
    return ClassMap.of(rng.integers(0, 3, (6, 8)))


ANSWERS: dict[str, Callable[[np.random.Generator], Prediction]] = {
    "detect": _detections,
    "classify": _scores,
    "segment": _map,
    "instances": _instances,
    "pose": _pose,
    "oriented": _oriented,
    "promptable": _promptable,
    "raw": _raw,
}
