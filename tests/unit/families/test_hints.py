"""What the user says goes before everything: --scale, --colour, --fit; and the options that errors name."""

from __future__ import annotations

from pathlib import Path

import pytest

from made_up_models import model, yolov8_model
from paredown.errors import CardError, UnknownName
from paredown.families.family import Match
from paredown.families.hints import Hints, hinted, options_for, recognise_file
from paredown.families.recognition import recognise
from paredown.model import Model
from paredown.preprocessing.values import describe

CLASSIFIER = model({"o": ((1, 10), ())})
SSD = model({"b": ((1, 50, 4), ("Mul",)), "s": ((1, 50, 3), ("Softmax",))})


def left(made: Model, **said: str) -> list[str]:
    match = hinted(recognise(made), Hints(**said)).best()
    return [describe(c.preprocess) for c in match.cards]


def test_a_range_brings_the_usual_channel_order() -> None:
    assert left(CLASSIFIER, scale="0..1") == ["RGB, 0..1, crop"]
    assert left(CLASSIFIER, scale="caffe")[0].startswith("BGR, 0..255 minus (104, 117, 123)")
    assert left(CLASSIFIER, scale="0..255") == ["RGB, 0..255, crop", "BGR, 0..255, crop"]


def test_a_range_that_is_not_usual_goes_into_the_default() -> None:
    assert left(CLASSIFIER, scale="0..2") == ["RGB, 0..2, crop"]
    assert left(yolov8_model(), scale="imagenet") == [
        "RGB, ImageNet's mean and deviation (about -2.12..2.64), letterbox (pad 114)"
    ]


def test_order_and_fit_go_into_all() -> None:
    assert left(CLASSIFIER, scale="-1..1", colour="bgr", fit="stretch") == ["BGR, -1..1, stretch"]
    assert {w.split(",")[0] for w in left(CLASSIFIER, colour="bgr")} == {"BGR"}
    assert left(yolov8_model(), scale="0..1", fit="stretch") == ["RGB, 0..1, stretch", "BGR, 0..1, stretch"]


def test_the_origin_names_the_options() -> None:
    card = hinted(recognise(CLASSIFIER), Hints(scale="imagenet", fit="stretch")).resolve()
    assert card.origin["preprocessing"] == "said by --scale imagenet --fit stretch"


@pytest.mark.parametrize("made", [CLASSIFIER, SSD, yolov8_model()])
def test_the_options_proposed_for_each_way_lead_there(made: Model) -> None:
    match = recognise(made).best()
    for card in match.cards:
        words = options_for(match, card).split()
        said = {words[i].removeprefix("--"): words[i + 1] for i in range(0, len(words), 2)}
        assert set(left(made, **said)) == {describe(card.preprocess)}


def test_options_go_into_every_way_of_reading() -> None:
    made = model({"l": ((1, 100, 92), ()), "b": ((1, 100, 4), ("Sigmoid",))})
    match = hinted(recognise(made, "detr"), Hints(scale="imagenet")).best()
    ways = [match, *match.others]
    assert [w.cards[0].decode["background"] for w in ways] == ["none", "last"]
    assert all([c.preprocess.mean for c in w.cards] == [(0.485, 0.456, 0.406)] for w in ways)


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ({"colour": "rbg"}, UnknownName, "rgb"),
        ({"fit": "leterbox"}, UnknownName, "letterbox"),
        ({"scale": "big"}, CardError, "imagenet"),
    ],
)
def test_wrong_words(said: dict[str, str], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        left(CLASSIFIER, **said)


def test_what_the_input_cannot_be() -> None:
    with pytest.raises(CardError, match="one channel"):
        left(model({"o": ((1, 10), ())}, input_shape=(1, 1, 64, 64)), colour="bgr")
    with pytest.raises(CardError, match="whole numbers"):
        left(model({"o": ((1, 10), ())}, dtype="uint8"), scale="0..1")


def test_options_go_before_the_card_and_that_before_recognition(tmp_path: Path) -> None:
    (tmp_path / "m.card.toml").write_text('[input]\ncolour = "bgr"\nscale = "-1..1"\n')

    def found(hints: Hints) -> Match:
        return recognise_file(CLASSIFIER, tmp_path / "m.onnx", hints).best()

    assert [describe(c.preprocess) for c in found(Hints()).cards] == ["BGR, -1..1, crop"]
    assert describe(found(Hints(scale="0..1")).cards[0].preprocess) == "BGR, 0..1, crop"
    (tmp_path / "other.toml").write_text('[input]\ncolour = "rgb"\nscale = "-1..1"\n')
    assert describe(found(Hints(card=tmp_path / "other.toml")).cards[0].preprocess) == "RGB, -1..1, crop"
