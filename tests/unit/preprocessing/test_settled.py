"""What a file settles about its input: arithmetic at the graph's start, image metadata, the input's type."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from made_up_models import model
from paredown.families.family import Match
from paredown.families.features import find_features
from paredown.families.recognition import recognise
from paredown.model import Model, TensorSpec
from paredown.preprocessing.values import describe_values, parse_values, same_values, with_values

IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
PIXEL_MEAN, CAFFE_MEAN = [123.675, 116.28, 103.53], [103.94, 116.78, 123.68]
Op = tuple[str, object]


def starting_with(ops: Sequence[Op], dtype: str = "float32", channels_last: bool = False) -> Model:
    """A classifier whose graph does these operations with the image first."""
    shape = (1, 64, 64, 3) if channels_last else (1, 3, 64, 64)
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    x = "image"
    for i, (op, value) in enumerate(ops):
        inputs = [x]
        more: dict[str, object] = {}
        if op == "Cast":
            more["to"] = TensorProto.FLOAT
        elif op == "Transpose":
            more["perm"] = [0, 3, 1, 2]
        elif op == "BatchNormalization":
            mean, variance = value  # type: ignore[misc]
            for name, v in (("s", [1, 1, 1]), ("b", [0, 0, 0]), ("m", mean), ("v", variance)):
                weights.append(numpy_helper.from_array(np.array(v, np.float32), f"{name}{i}"))
                inputs.append(f"{name}{i}")
        elif op == "Gather":
            more["axis"] = 3 if channels_last else 1
            weights.append(numpy_helper.from_array(np.array(value), f"c{i}"))
            inputs.append(f"c{i}")
        else:
            array = np.array(value, np.float32)
            if array.ndim and not channels_last:
                array = array.reshape(1, -1, 1, 1)
            weights.append(numpy_helper.from_array(array, f"c{i}"))
            inputs.append(f"c{i}")
        nodes.append(helper.make_node(op, inputs, [f"x{i}"], **more))
        x = f"x{i}"
    nodes.append(helper.make_node("Conv", [x, "w"], ["y"]))
    nodes.append(helper.make_node("GlobalAveragePool", ["y"], ["scores"]))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, (1, 10, 1, 1))
    graph = helper.make_graph(nodes, "g", [image], [scores], weights)
    outputs = (TensorSpec("scores", (1, 10, 1, 1), "float32"),)
    data = helper.make_model(graph).SerializeToString()
    return Model(data, (TensorSpec("image", shape, dtype),), outputs, "m", {})


def best(made: Model) -> Match:
    return recognise(made).best()


def values_of(match: Match) -> str:
    return describe_values(match.cards[0].preprocess)


@pytest.mark.parametrize(
    ("ops", "values", "colour"),
    [
        ([("Sub", PIXEL_MEAN), ("Div", [58.395, 57.12, 57.375])], "0..255", "rgb"),
        ([("Sub", CAFFE_MEAN)], "0..255", "bgr"),
        ([("Add", [-123.68, -116.78, -103.94]), ("Mul", 0.017)], "0..255", "rgb"),
        ([("Div", 255.0), ("Sub", IMAGENET[0]), ("Div", IMAGENET[1])], "0..255", "rgb"),
        ([("Mul", 1 / 255)], "0..255", "rgb"),
        ([("Div", 127.5), ("Sub", 1.0)], "0..255", "rgb"),
        ([("Sub", IMAGENET[0]), ("Div", IMAGENET[1])], "0..1", "rgb"),
        ([("Sub", IMAGENET[0][::-1]), ("Div", IMAGENET[1][::-1])], "0..1", "bgr"),
        ([("Mul", 2.0), ("Sub", 1.0)], "0..1", "rgb"),
        ([("Mul", 255.0), ("Sub", CAFFE_MEAN)], "0..1", "bgr"),
        ([("Cast", None), ("Sub", PIXEL_MEAN)], "0..255", "rgb"),
        ([("BatchNormalization", (PIXEL_MEAN, [3400.0, 3200.0, 3300.0]))], "0..255", "rgb"),
        ([("BatchNormalization", (IMAGENET[0], [0.052, 0.05, 0.05]))], "0..1", "rgb"),
        ([("Gather", [2, 1, 0]), ("Sub", PIXEL_MEAN)], "0..255", "bgr"),
    ],
)  # fmt: skip
def test_normalisation_inside_settles_the_values(ops: list[Op], values: str, colour: str) -> None:
    match = best(starting_with(ops))
    assert values_of(match) == values
    assert match.cards[0].preprocess.colour == colour
    assert match.settled
    assert "normalises by itself" in match.cards[0].origin["preprocessing"]


def test_nhwc_with_normalisation_and_a_transpose() -> None:
    ops: list[Op] = [("Sub", PIXEL_MEAN), ("Transpose", None)]
    match = best(starting_with(ops, channels_last=True))
    assert (values_of(match), match.cards[0].preprocess.layout) == ("0..255", "nhwc")


@pytest.mark.parametrize(
    "ops",
    [
        [],
        [("Cast", None)],
        [("Mul", 1.0)],
        [("Sub", [0.0, 0.0, 0.0])],
        [("Mul", 3.0)],  # any scale factor of a net's own
        [("BatchNormalization", ([0.0, 0.1, -0.1], [1.0, 1.0, 1.0]))],  # of what is normalised already
        [("Gather", [0, 1, 2]), ("Sub", PIXEL_MEAN)],  # what follows a choice of channels is not the input
    ],
)
def test_what_tells_nothing_settles_nothing(ops: list[Op]) -> None:
    match = best(starting_with(ops))
    assert not match.settled
    assert len(match.cards) == 6


def test_an_input_of_whole_numbers_settles_its_values() -> None:
    match = best(starting_with([("Cast", None)], dtype="uint8"))
    assert match.settled
    assert "uint8" in match.cards[0].origin["preprocessing"]
    assert values_of(match) == "0..255"


def test_image_metadata_settles_values_and_order() -> None:
    said = {"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "Normalized_1_1"}
    features = find_features(model({"o": ((1, 10), ())}, metadata=said))
    assert features is not None
    assert (features.settled.values, features.settled.colour) == ("-1..1", "bgr")
    match = best(model({"o": ((1, 10), ())}, metadata=said))
    assert (match.settled, len(match.cards)) == (True, 1)
    assert match.cards[0].preprocess.colour == "bgr"
    assert not best(model({"o": ((1, 10), ())}, metadata={"Image.BitmapPixelFormat": "Rgb8"})).settled


def test_the_graph_goes_before_a_convention() -> None:
    """A YOLO that divides by 255 itself takes pixels, whatever its family usually takes."""
    from made_up_models import yolov8_model

    made = yolov8_model()
    proto = onnx.load_model_from_string(made.data)
    for node in proto.graph.node:
        node.input[:] = ["scaled" if name == "image" else name for name in node.input]
    proto.graph.initializer.append(numpy_helper.from_array(np.array(255, np.float32), "c"))
    proto.graph.node.insert(0, helper.make_node("Div", ["image", "c"], ["scaled"]))
    changed = Model(proto.SerializeToString(), made.inputs, made.outputs, "m", {"names": str(["a"] * 80)})
    card = best(changed).cards[0]
    assert same_values(card.preprocess, with_values(card.preprocess, parse_values("0..255")))


def test_an_exported_ultralytics_classifier_says_how_it_is_fed() -> None:
    names = {i: f"n{i}" for i in range(10)}
    match = best(model({"o": ((1, 10), ())}, metadata={"task": "classify", "names": str(names)}))
    assert (match.settled, len(match.cards), values_of(match)) == (True, 1, "0..1")
    assert "metadata" in match.cards[0].origin["preprocessing"]
