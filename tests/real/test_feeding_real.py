"""The real models, fed as their provenance states: with truth by trying, without it by convention, or asked.

Nothing of the file's own metadata is used here: export tools lose it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from paredown import data
from paredown._measure.feeding.probe import untried, weigh
from paredown.card import Preprocess
from paredown.families.recognition import recognise
from paredown.graph.load import load_model
from paredown.model import Model
from paredown.preprocessing.values import name_of
from paredown.targets import target

MATERIAL = os.environ.get("PAREDOWN_MATERIAL")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        MATERIAL is None, reason="PAREDOWN_MATERIAL does not point at the real models and images"
    ),
]
COCO, IMAGENET, CIFAR = "coco_calib", "imagenet_sample/calib.csv", "cifar10/calib.zip"
RIGHT = {
    "yolov8n": ("rgb", "0..1", "letterbox"),
    "yolov5n": ("rgb", "0..1", "letterbox"),
    "yolo26n": ("rgb", "0..1", "letterbox"),
    "yolov8n_pose_224": ("rgb", "0..1", "letterbox"),
    "yolox_nano": ("bgr", "0..255", "letterbox-corner"),
    "nanodet_m_320": ("bgr", "imagenet", "letterbox"),
    "nanodet_m_416": ("bgr", "imagenet", "letterbox"),
    "picodet_s_416_coco": ("rgb", "imagenet", "stretch"),
    "yolo_fastest_1_1_xl": ("rgb", "0..1", "stretch"),
    "yolo_lite_coco": ("rgb", "0..1", "stretch"),
    "person_ssd_retail_0013": ("bgr", "0..255", "stretch"),
    "ssdlite_mobilenet_v2_coco": ("rgb", "-1..1", "stretch"),
    "resnet20_cifar10": ("rgb", "imagenet", "crop"),
    "squeezenet1_1": ("bgr", "caffe", "crop"),
    "squeezenet1_0_deepcompressed": ("bgr", "caffe", "crop"),
    "mobilenet_v2": ("rgb", "-1..1", "crop"),
    "mobilenet_v2_torchvision": ("rgb", "imagenet", "crop"),
}
ASKED = {
    "person_ssd_retail_0013",
    "ssdlite_mobilenet_v2_coco",
    "resnet20_cifar10",
    "squeezenet1_1",
    "squeezenet1_0_deepcompressed",
    "mobilenet_v2",
    "mobilenet_v2_torchvision",
}


def bare(name: str) -> Model:
    return replace(load_model(Path(MATERIAL or "") / "models" / f"{name}.onnx"), metadata={})


def said(how: Preprocess) -> tuple[str, str | None, str]:
    return how.colour, name_of(how), how.fit


@pytest.mark.parametrize("name", RIGHT)
def test_without_truth_it_is_the_convention_or_asked(name: str) -> None:
    match = recognise(bare(name)).best()
    choice = untried(match, match.cards[0], "the images have no truth")
    assert (choice.refusal is not None) == (name in ASKED)
    if choice.refusal is None:
        assert said(choice.card.preprocess) == RIGHT[name]
    else:  # the right way is among those that are offered
        assert RIGHT[name] in [said(card.preprocess) for card in choice.open_cards]
        assert "--" in str(choice.refusal)
        assert len(str(choice.refusal).splitlines()) < 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "images"),
    [
        ("mobilenet_v2_torchvision", IMAGENET),
        ("squeezenet1_0_deepcompressed", IMAGENET),
        ("picodet_s_416_coco", COCO),
        ("yolo_lite_coco", COCO),
        ("yolov5n", COCO),
        ("resnet20_cifar10", CIFAR),
    ],
)
def test_with_truth_it_is_what_the_provenance_states(name: str, images: str) -> None:
    model = bare(name)
    session = target("local").compile(model.data, threads=1)
    dataset = data.read_dataset(str(Path(MATERIAL or "") / "data" / images))
    choice = weigh(recognise(model), session, dataset)
    assert choice.refusal is None
    assert said(choice.card.preprocess) == RIGHT[name]


def test_a_division_in_front_changes_what_a_model_takes() -> None:
    """The same net in a graph that divides by 255 itself: pixels go in, whatever the convention is."""
    model = bare("yolov5n")
    proto = onnx.load_model_from_string(model.data)
    first = proto.graph.input[0].name
    for node in proto.graph.node:
        node.input[:] = ["divided" if n == first else n for n in node.input]
    proto.graph.initializer.append(onnx.helper.make_tensor("by", onnx.TensorProto.FLOAT, (), [255.0]))
    proto.graph.node.insert(0, onnx.helper.make_node("Div", [first, "by"], ["divided"]))
    match = recognise(replace(model, data=proto.SerializeToString())).best()
    choice = untried(match, match.cards[0], "the images have no truth")
    assert said(choice.card.preprocess) == ("rgb", "0..255", "letterbox")
