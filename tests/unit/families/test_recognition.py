"""Models are told apart by metadata, shapes and tails, never by names."""

from __future__ import annotations

import numpy as np
import pytest

from made_up_models import CELLS_320, V8_TAIL, model, yolov8_model
from paredown.card import Card, Preprocess
from paredown.errors import CardError, UnknownName
from paredown.families import FAMILIES
from paredown.families.label_maps import read_names
from paredown.families.recognition import predict, recognise
from paredown.model import Model
from paredown.preprocessing.tensor import preprocess
from paredown.tasks import TASKS

RAW = ("Sigmoid", "Concat")
ARITHMETIC = ("Sigmoid", "Mul", "Concat")
EXP = ("Exp", "Sigmoid", "Mul", "Concat")
PLUS = CELLS_320 + 25
NAMES = {"names": str({i: f"n{i}" for i in range(80)}), "task": "detect"}


@pytest.mark.parametrize(
    ("family", "made"),
    [
        ("yolov8", yolov8_model()),
        ("yolov8", model({"o": ((1, CELLS_320, 84), V8_TAIL)}, parts=2)),
        ("yolov8", model({"o": ((1, 84, None), V8_TAIL)}, parts=2)),
        ("yolov5", model({"o": ((1, 3 * CELLS_320, 85), ARITHMETIC)}, parts=3)),
        ("darknet", model({"o": ((1, 1500, 85), EXP)}, parts=2)),
        ("yolox", model({"o": ((1, CELLS_320, 85), RAW)}, parts=3)),
        ("yolox", model({"o": ((1, CELLS_320, 85), EXP)}, parts=3)),
        ("yolov6", model({"o": ((1, CELLS_320, 85), ARITHMETIC)}, parts=3)),
        ("nanodet", model({"o": ((1, PLUS, 112), RAW)}, parts=2)),
        ("end2end", model({"o": ((1, 300, 6), ARITHMETIC)})),
        ("classifier", model({"o": ((1, 1000), ("Softmax",))})),
        ("classifier", model({"o": ((1, 10, 1, 1), ())})),
        ("ssd", model({"b": ((1, 4420, 4), ("Mul", "Concat")), "a": ((1, 4420, 2), ("Softmax",))})),
        ("ssd", model({"b": ((1, 4420, 2), ("Softmax",)), "a": ((1, 4420, 4), ("Mul", "Concat"))})),
        ("detr", model({"l": ((1, 300, 80), ()), "b": ((1, 300, 4), ("Sigmoid",))})),
    ],
)
def test_recognised(family: str, made: Model) -> None:
    assert recognise(made).resolve().family == family


def test_rescaling_of_dynamic_quantization_is_no_decode() -> None:
    tail = ("ConvInteger", "Cast", "Mul", "Add", "Sigmoid", "Concat")
    found = recognise(model({"o": ((1, CELLS_320, 85), tail)}, parts=3)).resolve()
    assert (found.family, found.decode["decoded"]) == ("yolox", False)


def test_metadata_names_the_classes() -> None:
    card = recognise(yolov8_model(metadata=NAMES)).resolve()
    assert card.classes[:2] == ("n0", "n1")
    assert card.origin["classes"] == "metadata"
    assert len(recognise(yolov8_model(metadata=NAMES)).best().cards) == 1


def test_metadata_that_does_not_fit_is_said() -> None:
    card = recognise(yolov8_model(metadata={"names": "['a', 'b']"})).resolve()
    assert card.classes[0] == "class 0"
    assert "metadata names 2" in card.origin["classes"]


def test_nanodet_grids_are_paired_by_size_and_told_apart_by_the_sigmoid() -> None:
    outputs = {}
    for i, n in enumerate((100, 1600, 400)):
        outputs[f"x{i}"] = ((n, 32), ("Sigmoid",))  # 32 classes: only the sigmoid tells
        outputs[f"y{i}"] = ((n, 32), ())
    how = recognise(model(outputs)).resolve().decode
    assert how["classes"] == (2, 4, 0)
    assert how["boxes"] == (3, 5, 1)
    assert how["strides"] == (8, 16, 32)


def test_a_tie_is_not_decided() -> None:
    tie = model({"o": ((1, CELLS_320, 85), ARITHMETIC)}, parts=4)
    assert recognise(tie).undecided
    with pytest.raises(CardError, match="--family") as raised:
        recognise(tie).resolve()
    assert "yolov6" in str(raised.value)
    assert "yolov8" in str(raised.value)
    assert recognise(tie, "yolov6").resolve().family == "yolov6"


def test_unknown_and_unfitting_families() -> None:
    with pytest.raises(UnknownName, match="yolov8"):
        recognise(yolov8_model(), "yolo8")
    with pytest.raises(CardError, match="does not look like"):
        recognise(yolov8_model(), "classifier")


@pytest.mark.parametrize(
    "made",
    [
        model({"o": ((1, 21, 9, 9), ())}),
        model({"o": ((1, 84, 77), V8_TAIL)}, parts=2),
        yolov8_model(metadata={"task": "pose"}),
    ],
)
def test_what_no_family_reads_is_raw_and_a_family_that_was_named_or_told_is_not(made: Model) -> None:
    card = recognise(made).resolve()
    assert (card.family, card.task, card.classes) == ("raw", "raw", ("o",))
    assert "NOTHING SAYS" in card.origin["preprocessing"]
    with pytest.raises(CardError, match="does not look like"):
        recognise(made, "yolov8")
    with pytest.raises(CardError, match="no known model family"):
        recognise(made, said={"units": "fractions"}).resolve()


def test_nothing_fits_without_an_image_input() -> None:
    made = model({"o": ((1, 84, CELLS_320), V8_TAIL)}, parts=2, input_shape=(1, 5, 320, 320))
    with pytest.raises(CardError, match="no known model family"):
        recognise(made).resolve()


def test_a_known_model_is_only_raw_where_that_is_said() -> None:
    assert [m.cards[0].family for m in recognise(yolov8_model()).matches] == ["yolov8"]
    assert recognise(yolov8_model(), "raw").resolve().task == "raw"


def test_an_open_size_comes_from_metadata_or_is_given() -> None:
    made = {"outputs": {"o": ((1, 84, None), V8_TAIL)}, "input_shape": (1, 3, None, None), "parts": 2}
    assert not recognise(model(**made)).matches  # type: ignore[arg-type]
    told = model(**made, metadata={"imgsz": "[320, 640]"})  # type: ignore[arg-type]
    assert recognise(told).resolve().preprocess.size == (320, 640)
    assert recognise(model(**made), size=(96, 64)).resolve().preprocess.size == (96, 64)  # type: ignore[arg-type]


def test_integer_and_grey_inputs() -> None:
    made = model({"o": ((1, 10), ())}, input_shape=(1, 32, 32, 1), dtype="uint8")
    cards = recognise(made).best().cards
    how = cards[0].preprocess
    assert (how.layout, how.colour, how.dtype, how.scale) == ("nhwc", "grey", "uint8", 1.0)
    assert (how.mean, len(cards)) == ((0.0,), 1)


def test_the_table_keeps_its_names() -> None:
    for name, family in FAMILIES.items():
        assert name == family.NAME
        assert family.TASK in TASKS
        assert len(family.SUMMARY) < 80


def test_an_open_size_is_asked_for() -> None:
    found = recognise(model({"y": ((None, 10), ["Flatten"])}, input_shape=(None, 3, None, None)))
    with pytest.raises(CardError, match="leaves the size of its input open") as caught:
        found.resolve()
    assert "size = [height, width]" in str(caught.value.hint)


def test_a_class_name_that_no_file_can_hold_is_refused() -> None:
    assert read_names({"names": "{0: 'dog', 1: 'chién'}"}).names == ("dog", "chién")
    with pytest.raises(CardError, match="that no file can hold"):
        read_names({"names": "{0: 'dog', 1: 'c\\ud800t'}"})
    with pytest.raises(CardError, match=r"class 1: 'c\\ud800t'"):
        read_names({"names": '["dog", "c\\ud800t"]'})


@pytest.mark.parametrize("strides", [(0, 8, 16), (0,), (-8, 16, 32), (8,), (), (1 << 30,), (1,)])
@pytest.mark.parametrize("family", ["nanodet", "yolox"])
def test_strides_that_do_not_fit_the_answer_are_a_card_error(family: str, strides: tuple[int, ...]) -> None:
    decode = {
        "nanodet": {"classes": (), "boxes": (), "activated": True, "centred": False},
        "yolox": {"decoded": False},
    }
    card = Card(
        family, "detect", Preprocess((64, 64)), ("a", "b"), decode={**decode[family], "strides": strides}
    )
    columns = {"nanodet": 2 + 4 * 8, "yolox": 5 + 2}[family]
    frame = preprocess(np.zeros((64, 64, 3), np.uint8), card.preprocess)[1]
    outputs = {"out": np.ones((1, 84, columns), np.float32)}
    with pytest.raises(CardError, match="cannot be read as its card says"):
        predict(outputs, card, frame, 0.1)
