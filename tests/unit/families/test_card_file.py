"""The card written for people: it reads back, and what is not known stays a question."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from made_up_models import model, yolov8_model
from paredown.errors import CardError
from paredown.families.card_file import commented_card, uncertain_keys
from paredown.families.cards import read_card, recognise_with_card
from paredown.families.recognition import recognise
from paredown.preprocessing.values import describe

CLASSIFIER = model({"o": ((1, 10), ())})


def test_it_reads_back_as_the_card_and_explains_every_key(tmp_path: Path) -> None:
    made = yolov8_model()
    card = recognise(made).resolve()
    text = commented_card(card, made.name)
    (tmp_path / "card.toml").write_text(text)
    back = read_card(tmp_path / "card.toml", made)
    assert (back.preprocess, back.classes, back.conf) == (card.preprocess, card.classes, card.conf)
    table = tomllib.loads(text)
    for key in (*table, *table["input"], *table["decode"]):
        if key not in ("input", "decode"):
            before = text.split(f"\n{key} = ")[0].splitlines()[-1]
            assert before.startswith("#"), key


def test_what_is_open_stands_behind_a_hash_and_is_still_asked(tmp_path: Path) -> None:
    cards = recognise(CLASSIFIER).best().cards
    text = commented_card(cards[0], "m", cards)
    assert "NOT KNOWN" in text
    assert not {"colour", "scale", "mean", "std"} & set(tomllib.loads(text)["input"])
    (tmp_path / "card.toml").write_text(text)
    assert len(recognise_with_card(tmp_path / "card.toml", CLASSIFIER).best().cards) == len(cards)


@pytest.mark.parametrize("way", range(6))
def test_taking_the_hash_from_one_way_decides_it(way: int, tmp_path: Path) -> None:
    cards = recognise(CLASSIFIER).best().cards
    lines = commented_card(cards[0], "m", cards).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"# way {way + 1}:"))
    for i in range(start + 1, len(lines)):
        if lines[i] == "#":
            break
        lines[i] = lines[i].removeprefix("# ")
    (tmp_path / "card.toml").write_text("\n".join(lines))
    left = recognise_with_card(tmp_path / "card.toml", CLASSIFIER).best().cards
    assert [describe(c.preprocess) for c in left] == [describe(cards[way].preprocess)]


def test_names_that_nothing_gives_are_marked() -> None:
    card = recognise(yolov8_model()).resolve()
    assert "NOT KNOWN: unnamed" in commented_card(card, "m")
    assert "\n# classes = " in commented_card(card, "m")
    assert uncertain_keys([card]) == []
    assert "take out what you doubt" in commented_card(card, "m", doubt="the images have no truth")


def test_a_name_with_line_breaks_cannot_leave_its_comment() -> None:
    text = commented_card(recognise(yolov8_model()).resolve(), "m\nconf = 1\x1b[2J")
    assert tomllib.loads(text)["conf"] == 0.25
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('scale = "imagenet"\nmean = [0, 0, 0]', "says mean and std too"),
        ('scale = "big"', "imagenet"),
        ("mean = [123.7, 116.3, 103.5]", "scale = 1.0"),
    ],
)
def test_values_that_contradict_themselves(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "card.toml").write_text(f"[input]\n{text}\n")
    with pytest.raises(CardError, match=words):
        read_card(tmp_path / "card.toml", CLASSIFIER)


def test_a_scale_alone_means_no_mean(tmp_path: Path) -> None:
    (tmp_path / "card.toml").write_text("[input]\nscale = 1.0\ncolour = 'bgr'\n")
    (card,) = recognise_with_card(tmp_path / "card.toml", CLASSIFIER).best().cards
    assert describe(card.preprocess) == "BGR, 0..255, crop"
