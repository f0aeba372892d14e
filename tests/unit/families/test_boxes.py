"""Box arithmetic against slow obvious references."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.boxes.nms import nms
from paredown.families.boxes import expected_distances, grid_cells, select, sigmoid, softmax


def slow_nms(boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, iou: float) -> list[int]:
    def overlap(a: np.ndarray, b: np.ndarray) -> float:
        inner_w = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
        inner_h = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
        inner = inner_w * inner_h
        union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner
        return inner / union if union > 0 else 0.0

    kept: list[int] = []
    for i in sorted(range(len(scores)), key=lambda i: (-scores[i], i)):
        if all(classes[i] != classes[k] or overlap(boxes[i], boxes[k]) <= iou for k in kept):
            kept.append(i)
    return kept


@pytest.mark.parametrize("seed", range(8))
def test_nms_agrees_with_the_slow_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 200
    corners = rng.integers(0, 60, (n, 2)).astype(np.float64)
    boxes = np.concatenate([corners, corners + rng.integers(0, 40, (n, 2))], axis=1)
    scores = rng.integers(0, 50, n) / 50  # many equal scores
    classes = rng.integers(0, 3, n)
    for iou in (0.0, 0.45, 0.7):
        wanted = slow_nms(boxes, scores, classes, iou)
        assert nms(boxes, scores, classes, iou=iou, max_detections=1000).tolist() == wanted
        assert nms(boxes, scores, classes, iou=iou, max_detections=7).tolist() == wanted[:7]


def test_nms_of_nothing() -> None:
    nothing = np.zeros(0)
    assert len(nms(np.zeros((0, 4)), nothing, nothing.astype(int), iou=0.5, max_detections=9)) == 0


def test_every_class_of_a_box_is_a_candidate() -> None:
    boxes = np.array([[10.0, 10, 20, 20], [100, 100, 150, 150]])
    scores = np.array([[0.9, 0.6, 0.0], [0.0, 0.0, 0.7]])
    rows, classes = select(boxes, scores, conf=0.5, iou=0.5, max_detections=10)
    assert classes.tolist() == [0, 2, 1]
    assert rows.tolist() == [0, 1, 0]


def test_what_is_no_number_is_no_detection() -> None:
    boxes = np.array([[np.nan, 0, 1, 1], [0, 0, np.inf, 1], [0, 0, 5, 5]])
    scores = np.array([[0.9], [0.9], [np.nan]])
    assert len(select(boxes, scores, conf=0.1, iou=0.5, max_detections=10)[0]) == 0


def test_turned_boxes_fall_by_the_overlap_of_their_own_areas() -> None:
    def turned(x: float) -> list[list[float]]:
        return [[x, 0], [x + 100, 100], [x + 90, 110], [x - 10, 10]]

    corners = np.array([turned(10), turned(60), turned(13)], np.float32)
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    scores = np.array([[0.9], [0.8], [0.7]])
    rows, _ = select(boxes, scores, corners, conf=0.1, iou=0.3, max_detections=10)
    assert rows.tolist() == [0, 1]  # upright, the second overlaps by 0.375
    assert select(boxes, scores, conf=0.1, iou=0.3, max_detections=10)[0].tolist() == [0]


def test_grid_cells_go_row_by_row() -> None:
    cells, strides = grid_cells((20, 33), (16, 32))
    assert cells.tolist() == [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1], [0, 0], [1, 0]]
    assert strides.ravel().tolist() == [16] * 6 + [32] * 2


def test_softmax_sigmoid_and_their_mean_do_not_overflow() -> None:
    x = np.array([[-1e4, 0.0, 1e4]])
    np.testing.assert_allclose(softmax(x), [[0, 0, 1]])
    np.testing.assert_allclose(sigmoid(x), [[0, 0.5, 1]])
    bins = np.full((1, 4 * 8), -50.0, np.float32)
    bins[0, [0, 8 + 3, 16 + 7, 24 + 1]] = 50.0
    np.testing.assert_allclose(expected_distances(bins), [[0, 3, 7, 1]], atol=1e-5)


def test_no_candidate_at_all_has_no_distances():
    """An image on which nothing is sure enough is not a crash."""
    assert expected_distances(np.zeros((0, 32), np.float32)).shape == (0, 4)
