"""Card files: whole, partial, and wrong in every way a person can get one wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from made_up_models import CELLS_320, model, yolov8_model
from paredown.errors import CardError, StorageError, UnknownName
from paredown.families.card_text import write_card
from paredown.families.cards import card_beside, read_card, recognise_with_card
from paredown.families.recognition import recognise
from paredown.graph.notes import FROM_TFLITE, NOTES


def written(folder: Path, text: str) -> Path:
    path = folder / "card.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_written_reads_back_equal(tmp_path: Path) -> None:
    for made in (yolov8_model(), model({"o": ((1, 10), ())})):
        card = recognise(made).best().cards[-1]
        write_card(card, tmp_path / "card.toml")
        assert read_card(tmp_path / "card.toml", made) == card
    assert [p.name for p in tmp_path.iterdir()] == ["card.toml"]


def test_a_partial_card_overrides_only_what_it_says(tmp_path: Path) -> None:
    path = written(tmp_path, 'conf = 0.4\n[input]\ncolour = "bgr"\npad = 0\n')
    card = read_card(path, yolov8_model())
    assert (card.family, card.conf, card.iou) == ("yolov8", 0.4, 0.7)
    assert (card.preprocess.colour, card.preprocess.pad) == ("bgr", 0.0)
    assert card.origin["preprocessing"].startswith("card.toml: colour, pad; the rest: the convention of")


def test_what_is_settled_is_not_tried(tmp_path: Path) -> None:
    made = model({"o": ((1, 10), ())})
    open_cards = recognise(made).best().cards
    path = written(tmp_path, "[input]\nmean = [0, 0, 0]\nstd = [1, 1, 1]\nscale = 1\n")
    left = recognise_with_card(path, made).best().cards
    assert len(left) == 2 < len(open_cards)  # rgb and bgr
    assert {c.preprocess.colour for c in left} == {"rgb", "bgr"}


def test_the_family_decides_a_tie_and_the_argument_goes_first(tmp_path: Path) -> None:
    tie = model({"o": ((1, CELLS_320, 85), ("Sigmoid", "Mul", "Concat"))}, parts=4)
    path = written(tmp_path, 'family = "yolov6"\n')
    assert read_card(path, tie).family == "yolov6"
    assert recognise_with_card(path, tie, "yolov8").resolve().family == "yolov8"


def test_classes_from_a_text_file(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n".join(f"n{i}" for i in range(80)) + "\n")
    card = read_card(written(tmp_path, 'classes = "names.txt"'), yolov8_model())
    assert card.classes[79] == "n79"
    assert card.origin["classes"] == "card.toml"


def test_an_open_input_size_is_given_by_the_card(tmp_path: Path) -> None:
    made = model(
        {"o": ((1, 84, None), ("Sigmoid", "Mul", "Concat"))}, input_shape=(1, 3, None, None), parts=2
    )
    assert read_card(written(tmp_path, "[input]\nsize = [96, 160]"), made).preprocess.size == (96, 160)


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("famly = 'yolov8'", UnknownName, "family"),
        ("[input]\ncolor = 'rgb'", UnknownName, "colour"),
        ("[decode]\nstride = 3", UnknownName, "stride"),
        ("family = 'yolov88'", UnknownName, "yolov8"),
        ("family = 7", CardError, "text"),
        ("task = 'classify'", CardError, "task"),
        ("conf = 'high'", CardError, "a number"),
        ("conf = 2", CardError, "0..1"),
        ("max_detections = 0", CardError, "at least 1"),
        ("max_detections = true", CardError, "whole number"),
        ("classes = ['a']", CardError, "80"),
        ("classes = []", CardError, "empty"),
        ("classes = [1]", CardError, "text"),
        ("classes = 'no.txt'", CardError, "no.txt"),
        ("input = 3", CardError, "table"),
        ("[input]\nsize = [320]", CardError, "list of 2"),
        ("[input]\nsize = [640, 640]", CardError, "does not fit the model"),
        ("[input]\nlayout = 'nhwc'", CardError, "does not fit the model"),
        ("[input]\nfit = 'squash'", CardError, "letterbox"),
        ("[input]\ncolour = 'grey'", CardError, "channels"),
        ("[input]\nmean = [1.0]", CardError, "3 values"),
        ("[input]\nstd = [1, 0, 1]", CardError, "must not be 0"),
        ("conf = = 3", CardError, "no TOML"),
        ("[origin]\nfamily = 3", CardError, "text"),
    ],
)
def test_wrong_cards(tmp_path: Path, text: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        read_card(written(tmp_path, text), yolov8_model())


def test_layout_and_type_are_a_tflite_files_own(tmp_path: Path) -> None:
    """The card beside it is that of the ONNX file that it was made from."""
    made = yolov8_model(input_shape=(1, 320, 320, 3), metadata={NOTES: FROM_TFLITE})
    text = "[input]\nlayout = 'nchw'\ndtype = 'uint8'\ncolour = 'bgr'"
    how = read_card(written(tmp_path, text), made).preprocess
    assert (how.layout, how.dtype, how.colour) == ("nhwc", "float32", "bgr")


def test_where_a_tflite_file_has_its_channels_is_its_own(tmp_path: Path) -> None:
    """In its outputs as well: a map of 21 classes, last where the ONNX file has them first."""
    shape = {"o": ((1, 320, 320, 21), ("Resize",))}
    made = model(shape, (1, 320, 320, 3), {NOTES: FROM_TFLITE})
    text = "family = 'segmenter'\ntask = 'segment'\n[decode]\nchannels = 'first'"
    assert read_card(written(tmp_path, text), made).decode["channels"] == "last"
    assert read_card(written(tmp_path, text), model(shape)).decode["channels"] == "first"


def test_a_card_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="cannot read"):
        read_card(tmp_path / "none.toml", yolov8_model())
    (tmp_path / "card.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CardError, match="no TOML"):
        read_card(tmp_path / "card.toml", yolov8_model())


def test_a_card_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write"):
        write_card(recognise(yolov8_model()).resolve(), tmp_path / "none" / "card.toml")


def test_which_card_belongs_to_a_model(tmp_path: Path) -> None:
    assert card_beside(tmp_path / "m.onnx") is None
    (tmp_path / "card.toml").touch()
    assert card_beside(tmp_path / "m.onnx") == tmp_path / "card.toml"
    (tmp_path / "m.card.toml").touch()
    assert card_beside(tmp_path / "m.onnx") == tmp_path / "m.card.toml"


@pytest.mark.parametrize("way", ["up", "absolute", "link", "device"])
def test_class_names_come_from_the_cards_own_folder(tmp_path, way):
    secret = tmp_path / "secret.txt"
    secret.write_text("a\n" * 80)
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "link.txt").symlink_to(secret)
    named = {"up": "../secret.txt", "absolute": str(secret), "link": "link.txt", "device": "/dev/zero"}
    with pytest.raises(CardError, match="own folder"):
        read_card(written(folder, f"classes = '{named[way]}'"), yolov8_model())
