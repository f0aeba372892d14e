"""The device's card reader against the one that writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from paredown.card import Card, Preprocess
from paredown.deploy.device_card import read_complete_card
from paredown.deploy.sources import DeviceError
from paredown.families.card_text import write_card

CARDS = [
    Card("yolov8", "detect", Preprocess((640, 640)), ("person", 'a "quoted" név\n')),
    Card(
        "nanodet",
        "detect",
        Preprocess(
            (320, 416), "stretch", 0.0, "bgr", 1.0, (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)
        ),
        ("x",),
        conf=0.3,
        iou=0.6,
        max_detections=100,
        decode={"strides": (8, 16, 32), "activated": True, "classes": (), "kind": "pairs"},
        origin={"family": "shape (1, 84, 8400)"},
    ),
    Card(
        "classifier",
        "classify",
        Preprocess((224, 224), "crop", colour="grey", mean=(0.5,), std=(0.2,)),
        ("a", "b"),
    ),
]


@pytest.mark.parametrize("card", CARDS, ids=lambda c: c.family)
def test_what_write_card_writes_reads_back_equal(card: Card, tmp_path: Path) -> None:
    write_card(card, tmp_path / "card.toml")
    assert read_complete_card(tmp_path / "card.toml") == card


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("family = ", "no TOML file"),
        ('family = "yolov8"', "no complete card"),
        ('colour = "red"\n[input]\nsize = [1, 2]', "no complete card"),
    ],
)
def test_a_card_that_is_not_whole_is_named(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "card.toml"
    path.write_text(text)
    with pytest.raises(DeviceError, match=said):
        read_complete_card(path)
    with pytest.raises(DeviceError, match="cannot read"):
        read_complete_card(tmp_path / "absent.toml")
