"""The real data sets give the counts that their provenance file states."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paredown import data
from paredown.sample import Dataset, Labels

MATERIAL = os.environ.get("PAREDOWN_MATERIAL")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        MATERIAL is None, reason="PAREDOWN_MATERIAL does not point at the real models and images"
    ),
]


def read(name: str) -> Dataset:
    return data.read_dataset(str(Path(MATERIAL or "") / "data" / name))


@pytest.mark.parametrize(
    ("name", "images", "boxes", "persons", "crowds", "present"),
    [("coco_eval", 197, 1610, 489, 15, 80), ("coco_calib", 206, 1618, 365, 6, 78)],
)
def test_coco_counts(name: str, images: int, boxes: int, persons: int, crowds: int, present: int) -> None:
    dataset = read(name)
    truths = [s.truth for s in dataset if isinstance(s.truth, Labels)]
    classes = [int(c) for t in truths for c in t.classes]
    assert (dataset.format, len(dataset), len(truths), len(dataset.classes)) == ("coco", images, images, 80)
    assert dataset.classes[:3] == ("person", "bicycle", "car")
    assert (len(classes), classes.count(0), len(set(classes))) == (boxes, persons, present)
    assert sum(int(t.crowd.sum()) for t in truths) == crowds
    assert dataset.notes == ()


def test_every_coco_image_can_be_read_in_the_size_its_labels_say() -> None:
    dataset = read("coco_eval")
    assert data.verify(dataset) is dataset


def test_calibration_and_evaluation_are_disjoint() -> None:
    assert data.overlap(read("coco_calib"), read("coco_eval")) == ()
    assert data.overlap(read("cifar10/calib.zip"), read("cifar10/eval.zip")) == ()


def test_imagenet_csv_indices_name_the_right_classes() -> None:
    calibration, judged = read("imagenet_sample/calib.csv"), read("imagenet_sample/eval.csv")
    assert (len(calibration), len(judged)) == (60, 120)
    assert calibration[0].truth == 5
    assert calibration.classes[5] == "electric ray"
    assert judged.classes[2] == "great white shark"
    assert data.verify(data.sample(judged, 10)).task == "classify"


def test_imagenet_folder_takes_the_evaluation_list() -> None:
    dataset = read("imagenet_sample")
    training = data.training_split(dataset)
    assert (dataset.format, dataset.split, len(dataset)) == ("csv", "eval", 120)
    assert training is not None
    assert (training.split, len(training)) == ("calib", 60)


def test_cifar_zip() -> None:
    dataset = read("cifar10/eval.zip")
    expected = (Path(MATERIAL or "") / "data" / "labels" / "cifar10.txt").read_text().split()
    assert (len(dataset), list(dataset.classes), dataset.task) == (1500, expected, "classify")
    assert len(read("cifar10/calib.zip")) == 300
    assert dataset[0].read().shape == (32, 32, 3)


def test_images_alone_have_no_truth() -> None:
    dataset = read("coco_eval/images")
    assert (dataset.format, len(dataset), dataset.has_truth) == ("plain", 197, False)
