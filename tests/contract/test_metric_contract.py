"""What every line of METRICS must keep to."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.card import Card, Preprocess
from paredown.detections import ClassScores, Detections, Prediction
from paredown.metrics import METRICS
from paredown.metrics.metric import Metric
from paredown.metrics.tally import against_reference, against_truth, tally
from paredown.sample import Labels, Truth

IMAGES, CLASSES = 12, 7


def detections(rng: np.random.Generator) -> Detections:
    n = int(rng.integers(2, 9))
    corner = rng.uniform(0, 20, (n, 2))
    boxes = np.hstack([corner, corner + rng.uniform(10, 30, (n, 2))]).astype(np.float32)
    return Detections(boxes, rng.random(n).astype(np.float32), rng.integers(0, 2, n))


def evidence(metric: Metric):
    rng = np.random.default_rng(0)
    card = Card("any", metric.task, Preprocess((8, 8)), tuple("abcdefg"))
    made: list[list[Prediction]] = []
    truths: list[Truth] = []
    for _ in range(2):
        if metric.task == "detect":
            made.append([detections(rng) for _ in range(IMAGES)])
        else:
            made.append([ClassScores(rng.normal(0, 3, CLASSES).astype(np.float32)) for _ in range(IMAGES)])
    for p in made[1]:
        if isinstance(p, Detections):
            area = (p.boxes[:, 2:] - p.boxes[:, :2]).prod(axis=1)
            truths.append(Labels(p.boxes, p.classes, np.zeros(len(p), bool), area))
        else:
            truths.append(int(p.scores.argmax()))
    if metric.against == "truth":
        return against_truth(made[0], truths, card)
    return against_reference(made[0], made[1], card)


@pytest.mark.parametrize("name", METRICS)
def test_contract(name):
    metric = METRICS[name]
    found = evidence(metric)
    weights = np.random.default_rng(1).multinomial(IMAGES, np.full(IMAGES, 1 / IMAGES), size=5)
    values = metric.compute(tally(found, weights))
    assert metric.name == name
    assert metric.summary
    assert values.shape == (5,)
    assert values.dtype == np.float64
    known = values[~np.isnan(values)]
    assert ((known >= metric.limits[0]) & (known <= metric.limits[1])).all()
    # a weighting knows nothing of the others, and the answer is the same again
    alone = [metric.compute(tally(found, w[None]))[0] for w in weights]
    np.testing.assert_allclose(values, alone, atol=1e-12)
    # counting every image three times changes no mean
    once, thrice = (metric.compute(tally(found, np.full((1, IMAGES), k))) for k in (1, 3))
    np.testing.assert_allclose(once, thrice, atol=1e-12)
    # where no image counts there is no value
    assert np.isnan(metric.compute(tally(found, np.zeros((1, IMAGES), np.int64)))[0])


def test_every_metric_against_the_reference_says_so():
    for metric in METRICS.values():
        if metric.against == "reference":
            assert "float" in metric.summary
