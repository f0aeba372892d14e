"""Pictures of what two models say: which boxes changed, and how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from paredown.card import Card, Preprocess
from paredown.detections import ClassScores, Detections
from paredown.differences import MOST_BYTES, differing_pairs, side_by_side
from paredown.sample import Dataset, Labels, Sample
from paredown.tasks.marks import CHANGED


def card(task: str = "detect") -> Card:
    return Card("any", task, Preprocess((64, 64)), ("cat", "dog", "cow"))


def detections(*rows: tuple[Sequence[float], float, int]) -> Detections:
    boxes, scores, classes = zip(*rows, strict=True) if rows else ((), (), ())
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(classes, np.int64)
    )


def one_image(image: np.ndarray, truth: object = None) -> Dataset:
    sample = Sample("a.jpg", lambda: image, lambda: "00", truth)  # type: ignore[arg-type]
    return Dataset("d", "plain", "", ("cat", "dog", "cow"), (sample,))


def near(data: bytes, colour: tuple[int, int, int]) -> int:
    """Pixels of about that RGB colour."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1].astype(int)
    return int((np.abs(picture - np.array(colour)).max(axis=2) < 40).sum())


GREY = np.full((400, 500, 3), 128, np.uint8)
A, B, C = ([50, 60, 150, 200], [250, 60, 350, 200], [50, 250, 150, 350])


def test_missed_and_new_boxes_stand_out_and_the_same_ones_do_not() -> None:
    floats = detections((A, 0.9, 0), (B, 0.8, 1))
    other = detections((A, 0.7, 0), (C, 0.6, 0))
    (pair,) = differing_pairs(one_image(GREY), [floats], [other], card())
    assert pair.why == "1 of 2 boxes missed or changed, 1 new or changed"
    assert near(pair.first, CHANGED["missed"]) > 500 > near(pair.first, CHANGED["new"])
    assert near(pair.second, CHANGED["new"]) > 500 > near(pair.second, CHANGED["missed"])
    assert not pair.truth


def test_a_box_that_changed_its_class_is_no_missed_box() -> None:
    (pair,) = differing_pairs(one_image(GREY), [detections((A, 0.9, 0))], [detections((A, 0.9, 1))], card())
    for picture in (pair.first, pair.second):
        assert near(picture, CHANGED["class"]) > 500
        assert near(picture, CHANGED["missed"]) < 100


def test_the_truth_is_dashed_where_it_is_known() -> None:
    truth = Labels(np.array([[300, 250, 450, 380]], np.float32), np.array([0]), np.zeros(1, bool), np.ones(1))
    floats, other = detections((A, 0.9, 0)), detections()
    (known,) = differing_pairs(one_image(GREY, truth), [floats], [other], card())
    (unknown,) = differing_pairs(one_image(GREY), [floats], [other], card())
    assert known.truth
    assert near(known.second, (255, 255, 255)) > 50 > near(unknown.second, (255, 255, 255))


@pytest.mark.parametrize("shape", [(32, 32), (2000, 3000), (10, 900)])
def test_pictures_stay_small_and_can_be_read(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    whole = [0.0, 0.0, float(shape[1]), float(shape[0])]
    (pair,) = differing_pairs(one_image(noise), [detections((whole, 0.9, 0))], [detections()], card())
    for data in (pair.first, pair.second):
        assert len(data) <= MOST_BYTES
        assert max(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape) >= 250
    assert side_by_side(pair)


def test_a_classifiers_picture_says_which_class_became_which() -> None:
    before, after = ClassScores(np.array([3, 1, 0], np.float32)), ClassScores(np.array([1, 3, 0], np.float32))
    (pair,) = differing_pairs(one_image(GREY, 0), [before], [after], card("classify"))
    assert pair.why == "cat became dog"
    assert near(pair.second, CHANGED["missed"]) > 500 > near(pair.first, CHANGED["missed"])
