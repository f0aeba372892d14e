"""A data set looked over: what it holds, copies in it and between two, labels that are slips."""

from __future__ import annotations

import cv2
import numpy as np

from paredown.cli.check import _findings, _shared
from paredown.data.survey import difference_hash, shared, survey
from paredown.sample import Dataset, Labels, Sample

RNG = np.random.default_rng(0)


def picture(seed: int) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    return cv2.resize(small, (120, 90), interpolation=cv2.INTER_CUBIC)


def labels(*boxes, classes=None) -> Labels:
    b = np.array(boxes, np.float32).reshape(-1, 4)
    kinds = np.array(classes if classes is not None else [0] * len(b), np.int64)
    return Labels(b, kinds, np.zeros(len(b), bool), (b[:, 2:] - b[:, :2]).prod(-1))


def dataset(*samples: tuple[str, np.ndarray, str, object]) -> Dataset:
    made = tuple(Sample(n, lambda i=i: i, lambda d=d: d, t) for n, i, d, t in samples)
    return Dataset("made up", "coco", "", ("cat", "dog", "cow"), made)


GOOD = labels([0, 0, 50, 50], [60, 60, 80, 80], classes=[0, 1])


def test_what_it_holds():
    images = dataset(
        ("a", picture(1), "1", GOOD),
        ("b", picture(2), "2", labels()),
        ("c", picture(3), "3", None),
        ("d", picture(4), "4", labels([0, 0, 50, 1], [9, 9, 40, 40], [9, 9, 40, 40.5])),
    )
    found = survey(images)
    assert found.counts == {"cat": 4, "dog": 1}
    assert found.unused == ("cow",)
    assert (found.empty, found.unlabelled, found.thin, found.doubled) == (("b",), ("c",), ("d",), ("d",))
    assert found.sizes == {"small": 4, "medium": 1, "large": 0}
    assert found.pixels == ((120, 120), (90, 90))
    said = "\n".join(_findings(images, found))
    assert "1 image has two boxes of a class on one object: d" in said
    assert "2 classes have fewer than 10 examples, so that their figures are chance: cat (4), dog (1)" in said


def test_copies_and_near_copies_are_told_apart():
    squeezed = cv2.imdecode(cv2.imencode(".jpg", picture(1), [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 1)
    images = dataset(
        ("a", picture(1), "1", GOOD), ("same", picture(1), "1", GOOD),
        ("again", squeezed, "2", GOOD), ("other", picture(9), "3", GOOD),
    )  # fmt: skip
    found = survey(images)
    assert found.copies == (("a", "same"),)
    assert set(found.near) == {("a", "again"), ("same", "again")}


def test_images_of_the_calibration_set_that_are_judged_on():
    smaller = cv2.resize(picture(2), (60, 45), interpolation=cv2.INTER_AREA)
    judged = survey(dataset(("a", picture(1), "1", GOOD), ("b", picture(2), "2", GOOD)))
    calib = survey(
        dataset(("x", picture(1), "1", None), ("y", smaller, "8", None), ("z", picture(7), "9", None))
    )
    assert shared(calib, judged) == ((("x", "a"),), (("y", "b"),))
    assert _shared(calib, judged) == [
        "1 calibration image is also judged on: x = a",
        "1 calibration image looks like one that is judged on: y = b",
    ]


def test_pictures_without_any_slope_are_not_near_copies():
    flat = np.full((50, 50, 3), 90, np.uint8)
    assert difference_hash(flat) == 0
    assert survey(dataset(("a", flat, "1", None), ("b", flat, "2", None))).near == ()


def test_classes_of_whole_images_are_counted():
    images = dataset(("a", picture(1), "1", 1), ("b", picture(2), "2", 1))
    assert survey(images).counts == {"dog": 2}
