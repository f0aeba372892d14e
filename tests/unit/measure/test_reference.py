"""A float model that finds nothing, or the wrong things, is no reference: the truth says what is right."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from misread import CLASSES, Answer, Head, Objects, images, rows

from paredown._measure.predict import predict_all
from paredown._measure.reference import check_reference
from paredown.card import Card
from paredown.detections import ClassScores
from paredown.errors import CardError
from paredown.families.recognition import predict, recognise
from paredown.preprocessing.letterbox import Frame
from paredown.sample import Dataset, Sample

sys.path.insert(0, str(Path(__file__).parents[1] / "families"))
from made_up_models import model

NAMED = {"names": str(list(CLASSES)), "task": "detect"}
STRETCHED = model({"o": ((1, 300, 6), ("Sigmoid", "Mul", "Concat"))}, metadata=NAMED)


def card_of(**decode: object) -> Card:
    card = recognise(STRETCHED).resolve()
    return replace(card, decode={**card.decode, **decode})


def checked(answer: Answer, data: Dataset, card: Card | None = None) -> None:
    card, head = card or card_of(), Head(answer)
    check_reference(predict_all(head, card, data), data, card, head)


def finished(columns: str, **more: object) -> Answer:
    return lambda o: {"o": rows(o, columns, **more)}  # type: ignore[arg-type]


@pytest.mark.parametrize("with_truth", [True, False])
def test_a_model_that_finds_the_objects_passes(with_truth: bool) -> None:
    checked(finished("x1 y1 x2 y2 score class"), images(with_truth))


@pytest.mark.parametrize("with_truth", [True, False])
def test_a_model_that_finds_nothing_is_no_reference(with_truth: bool) -> None:
    with pytest.raises(CardError, match="finds nothing"):
        checked(lambda o: {"o": np.zeros((1, 300, 6), np.float32)}, images(with_truth))


def test_boxes_that_are_never_true_are_no_reference() -> None:
    def elsewhere(o: Objects) -> Mapping[str, np.ndarray]:
        boxes = np.tile([[300, 260, 310, 270]], (len(o.boxes), 1)) + np.arange(len(o.boxes))[:, None] % 5
        return {"o": rows(Objects(boxes + o.scores[:, None], o.classes, o.scores), "x1 y1 x2 y2 score class")}

    with pytest.raises(CardError, match="finds nothing"):
        checked(elsewhere, images())


@pytest.mark.parametrize(
    ("form", "looks_like"),
    [
        ("y1 x1 y2 x2", "y first"),
        ("x1 y1 w h", "left top"),
        ("cx cy w h", "centre"),
        ("x1 x2 y1 y2", "both x"),
    ],
)
def test_boxes_in_another_order_are_named_with_their_line(form: str, looks_like: str) -> None:
    columns = f"{form} score class"
    with pytest.raises(CardError, match=looks_like) as raised:
        checked(finished(columns), images())
    assert f'columns = "{columns}"' in str(raised.value)
    checked(finished(columns), images(), card_of(columns=columns))


def test_class_numbers_one_off_are_named() -> None:
    names = [*CLASSES, "horse"]
    made = model({"o": ((1, 300, 6), ("Mul",))}, metadata={"names": str(names), "task": "detect"})
    with pytest.raises(CardError, match="one off") as raised:
        checked(
            finished("x1 y1 x2 y2 score class", first_class=1),
            images(),
            recognise(made).resolve(),
        )
    assert "first_class = 1" in str(raised.value)


def test_a_class_beyond_the_list_is_a_card_error() -> None:
    answer = np.zeros((1, 300, 6), np.float32)
    answer[0, 0] = (10, 10, 50, 50, 0.9, 7)
    with pytest.raises(CardError, match="class number 7"):
        predict({"o": answer}, card_of(), Frame((240, 320), (1, 1), (0, 40)))


def test_a_classifier_that_is_never_right_is_no_reference() -> None:
    made = model({"o": ((1, 4), ("Softmax",))})
    card = replace(recognise(made).resolve(), classes=CLASSES)
    images_ = [np.full((32, 32, 3), i, np.uint8) for i in range(30)]
    samples = tuple(
        Sample(str(i), lambda image=image: image, lambda i=i: str(i), 0)  # type: ignore[misc]
        for i, image in enumerate(images_)
    )
    data = Dataset("d", "folders", "", CLASSES, samples)

    class Wrong:
        inputs = Head(lambda o: {}).inputs
        outputs = ()

        def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            shade = float(feeds["image"].mean())
            return {"o": np.array([[0.1, 0.5 + 0.01 * shade, 0.3, 0.1]], np.float32)}

    said = [ClassScores(Wrong().run({"image": np.array(i)})["o"][0]) for i in range(30)]
    with pytest.raises(CardError, match="never right"):
        check_reference(said, data, card, Wrong())
