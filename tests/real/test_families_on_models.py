"""The real models get the preprocessing, layout and classes that their provenance file states."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paredown import data
from paredown._measure.feeding.probe import choose_card
from paredown.card import Card
from paredown.families.recognition import recognise
from paredown.graph.load import load_model
from paredown.targets import target

MATERIAL = os.environ.get("PAREDOWN_MATERIAL")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        MATERIAL is None, reason="PAREDOWN_MATERIAL does not point at the real models and images"
    ),
]
COCO, IMAGENET, CIFAR = "coco_calib", "imagenet_sample/calib.csv", "cifar10/calib.zip"
NANODET_MEAN, CAFFE_MEAN = (103.53, 116.28, 123.675), (104.0, 117.0, 123.0)
IMAGENET_MEAN, HALF, ZERO = (0.485, 0.456, 0.406), (127.5,) * 3, (0.0,) * 3


def chosen(name: str, images: str) -> Card:
    folder = Path(MATERIAL or "")
    model = load_model(folder / "models" / f"{name}.onnx")
    session = target("local").compile(model.data, threads=1)
    return choose_card(recognise(model), session, data.read_dataset(str(folder / "data" / images)))


@pytest.mark.parametrize(
    ("name", "images", "family", "fit", "colour", "scale", "mean", "classes", "first"),
    [
        ("yolov8n", COCO, "yolov8", "letterbox", "rgb", 1 / 255, ZERO, 80, "person"),
        ("yolov5n", COCO, "yolov5", "letterbox", "rgb", 1 / 255, ZERO, 80, "person"),
        ("yolox_nano", COCO, "yolox", "letterbox-corner", "bgr", 1.0, ZERO, 80, "person"),
        ("nanodet_m_320", COCO, "nanodet", "letterbox", "bgr", 1.0, NANODET_MEAN, 80, "person"),
        ("nanodet_m_416", COCO, "nanodet", "letterbox", "bgr", 1.0, NANODET_MEAN, 80, "person"),
        ("yolo_fastest_1_1_xl", COCO, "darknet", "stretch", "rgb", 1 / 255, ZERO, 80, "person"),
        ("person_ssd_retail_0013", COCO, "ssd", "stretch", "bgr", 1.0, ZERO, 1, "person"),
        ("squeezenet1_1", IMAGENET, "classifier", "crop", "bgr", 1.0, CAFFE_MEAN, 1000, "0"),
        ("mobilenet_v2", IMAGENET, "classifier", "crop", "rgb", 1.0, HALF, 1001, "background"),
        ("resnet20_cifar10", CIFAR, "classifier", "crop", "rgb", 1 / 255, IMAGENET_MEAN, 10, "airplane"),
    ],
)
def test_the_card_is_that_of_the_provenance(
    name: str,
    images: str,
    family: str,
    fit: str,
    colour: str,
    scale: float,
    mean: tuple[float, ...],
    classes: int,
    first: str,
) -> None:
    card = chosen(name, images)
    how = card.preprocess
    assert (card.family, how.fit, how.colour, how.scale) == (family, fit, colour, scale)
    assert how.mean == mean
    assert (len(card.classes), card.classes[0]) == (classes, first)


def test_a_segmentation_model_is_read_as_classes_of_pixels() -> None:
    model = load_model(Path(MATERIAL or "") / "models" / "deeplabv3_mnv2_dm05_voc.onnx")
    card = recognise(model).matches[0].cards[0]
    assert (card.family, card.task) == ("segmenter", "segment")
