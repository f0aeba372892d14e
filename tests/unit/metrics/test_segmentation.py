"""IoU by class over all pixels, its mean and pixel accuracy, against what a page of arithmetic gives."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.detections import NO_CLASS, ClassMap
from paredown.errors import DataError
from paredown.metrics.segmentation import OverlapTally, image_miou, miou, overlaps, pixel_accuracy

TRUE = ClassMap.of(np.array([[0, 0, 1, 1], [0, 2, 1, NO_CLASS]]))
SAID = ClassMap.of(np.array([[0, 1, 1, 1], [0, 2, 0, 2]]))


def once(said: list[ClassMap], true: list[ClassMap], n: int = 4) -> OverlapTally:
    return OverlapTally(overlaps(said, true, n), np.ones((1, len(said)), np.int64))


def test_the_values_by_hand() -> None:
    t = once([SAID], [TRUE])
    np.testing.assert_allclose(t.iou[0], [2 / 4, 2 / 4, 1, np.nan])  # what has no class counts nowhere
    assert miou(t)[0] == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert pixel_accuracy(t)[0] == pytest.approx(5 / 7)


def test_pixels_of_all_images_are_pooled() -> None:
    t = once([SAID, TRUE], [TRUE, TRUE])
    np.testing.assert_allclose(t.iou[0, :2], [5 / 7, 5 / 7])
    assert image_miou(overlaps([SAID, TRUE], [TRUE, TRUE], 3))[1] == 1


def test_a_class_that_is_only_said_counts_against_the_model() -> None:
    true, said = ClassMap.of(np.zeros((2, 2), int)), ClassMap.of(np.array([[0, 0], [0, 1]]))
    assert miou(once([said], [true]))[0] == pytest.approx((3 / 4 + 0) / 2)


def test_maps_of_other_sizes_are_refused() -> None:
    with pytest.raises(DataError, match="another size"):
        overlaps([ClassMap.of(np.zeros((2, 3), int))], [ClassMap.of(np.zeros((3, 2), int))], 2)


def test_a_map_is_packed_and_comes_back() -> None:
    rng = np.random.default_rng(0)
    classes = rng.integers(-1, 300, (37, 53))
    np.testing.assert_array_equal(ClassMap.of(classes).classes, classes)
