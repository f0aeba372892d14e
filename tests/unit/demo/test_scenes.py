"""Scenes: the same seed gives the same bytes, boxes are right, drawing is quick."""

from __future__ import annotations

import time

import numpy as np
import pytest

from paredown.demo import calibration_set, evaluation_set
from paredown.demo.scenes import CLASSES, SIZE, scene, scenes
from paredown.sample import Labels

SEEDS = range(40)


def test_the_same_seed_gives_the_same_bytes() -> None:
    for seed in (0, 5, 12345):
        (image, labels), (again, labels_again) = scene(seed), scene(seed)
        assert image.tobytes() == again.tobytes()
        assert labels.boxes.tobytes() == labels_again.boxes.tobytes()
        assert labels.classes.tobytes() == labels_again.classes.tobytes()


def test_another_seed_gives_another_scene() -> None:
    assert len({scene(seed)[0].tobytes() for seed in range(8)}) == 8


@pytest.mark.parametrize("size", [SIZE, (240, 320), (300, 500)])
def test_pictures_and_boxes_fit_the_size_asked_for(size: tuple[int, int]) -> None:
    for seed in range(12):
        image, labels = scene(seed, size)
        assert image.shape == (*size, 3)
        assert image.dtype == np.uint8
        _check(labels, size)


def _check(labels: Labels, size: tuple[int, int]) -> None:
    n = len(labels.classes)
    assert labels.boxes.shape == (n, 4)
    assert labels.boxes.dtype == np.float32
    assert labels.classes.dtype == np.int64
    assert labels.crowd.shape == labels.area.shape == (n,)
    assert (labels.boxes[:, :2] >= 0).all()
    assert (labels.boxes[:, 2] <= size[1]).all()
    assert (labels.boxes[:, 3] <= size[0]).all()
    sides = labels.boxes[:, 2:] - labels.boxes[:, :2]
    assert (sides > 0).all()
    assert (labels.area <= sides.prod(1)).all(), "an object's pixels lie inside its box"
    assert ((labels.classes >= 0) & (labels.classes < len(CLASSES))).all()


def test_every_class_and_a_fair_number_of_objects_appear() -> None:
    found = [scene(seed)[1].classes for seed in SEEDS]
    counts = np.bincount(np.concatenate(found), minlength=len(CLASSES))
    assert (counts >= 10).all(), counts
    assert 4 <= np.mean([len(f) for f in found]) <= 15


def test_scenes_differ_in_brightness_as_day_and_night_do() -> None:
    means = [float(scene(seed)[0].mean()) for seed in SEEDS]
    assert min(means) < 70
    assert max(means) > 130


def test_a_scene_is_drawn_quickly() -> None:
    scene(0)
    begun = time.process_time()
    for seed in range(20):
        scene(seed)
    assert (time.process_time() - begun) / 20 < 0.1, "about 0.025 s where nothing else runs"


def test_a_data_set_reads_what_its_truth_describes() -> None:
    data = scenes(3, seed=9)
    assert (len(data), data.format, data.classes, data.task) == (3, "demo", CLASSES, "detect")
    assert len({s.name for s in data}) == 3
    for sample in data:
        first = sample.read()
        first[:] = 0  # whoever writes into the picture does not change the next reading
        assert sample.read().any()
        assert len(sample.digest()) == 64
        assert isinstance(sample.truth, Labels)


def test_parts_of_a_seed_are_the_same_scenes() -> None:
    whole, part = scenes(4, seed=9), scenes(2, seed=9, first=2)
    assert [s.digest() for s in whole][2:] == [s.digest() for s in part]


def test_calibration_and_evaluation_share_no_scene() -> None:
    calibration, evaluation = calibration_set(8), evaluation_set(8)
    assert len(calibration) == len(evaluation) == 8
    assert not {s.digest() for s in calibration} & {s.digest() for s in evaluation}
