"""What must hold of metrics and fronts whatever the numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from paredown.analyze.pareto import pareto_front
from paredown.detections import Detections
from paredown.metrics import METRICS
from paredown.metrics.matching import as_truth, match
from paredown.metrics.tally import DetectionTally

grid = st.integers(0, 6).map(float)


@st.composite
def detections(draw):
    n = draw(st.integers(0, 8))
    corner, size = (
        draw(arrays(np.float32, (n, 2), elements=grid)),
        draw(arrays(np.float32, (n, 2), elements=grid)),
    )
    scores = draw(arrays(np.float32, n, elements=st.floats(0.0, 1.0, width=32)))
    return Detections(
        np.hstack([corner, corner + size + 1]), scores, draw(arrays(np.int64, n, elements=st.integers(0, 2)))
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(detections(), detections()), min_size=1, max_size=4), st.integers(0, 99))
def test_metrics_keep_to_their_limits_and_images_have_no_order(pairs, seed):
    predictions, truths = [p for p, _ in pairs], [as_truth(t) for _, t in pairs]
    weights = np.random.default_rng(seed).integers(0, 3, (4, len(pairs)))
    t = DetectionTally(match(predictions, truths, 3, 0.25), weights)
    back = DetectionTally(match(predictions[::-1], truths[::-1], 3, 0.25), weights[:, ::-1])
    for metric in METRICS.values():
        if metric.task != "detect" or metric.against != "truth":
            continue
        values = metric.compute(t)
        known = values[~np.isnan(values)]
        low, high = metric.limits
        assert ((known >= low) & (known <= high + 1e-12)).all()
        if len({float(s) for p in predictions for s in p.scores}) == sum(map(len, predictions)):
            np.testing.assert_allclose(values, metric.compute(back), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(detections(), min_size=1, max_size=4))
def test_no_truth_is_taken_twice(found):
    m = match(found, [as_truth(f) for f in found], 3, 0.25)
    assert (m.hit[0].sum(axis=-1) <= m.counted[0].sum()).all()
    assert not (m.hit & m.ignored).any()
    assert (np.diff(m.score) <= 0).all()


points = st.lists(st.tuples(*[st.sampled_from([0.0, 1.0, 2.0, float("nan")])] * 3), max_size=12)


@given(points)
def test_a_pareto_set_is_non_dominated_and_dominates_the_rest(rows):
    better = ("lower", "higher", "lower")
    cost = np.array(rows, np.float64).reshape(-1, 3) * [1, -1, 1]
    front = pareto_front(rows, better)

    def beats(i, j):
        return (cost[i] <= cost[j]).all() and (cost[i] < cost[j]).any()

    assert not any(beats(i, j) for i in front for j in front)
    for j in set(range(len(rows))) - set(front):
        assert np.isnan(cost[j]).any() or any(beats(i, j) for i in front)
