"""What inputs beside the image are fed: said in the card or an .npz file, or asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nets
from paredown.card import Preprocess
from paredown.errors import CardError, UnknownName
from paredown.families.card_text import card_text, write_card
from paredown.families.cards import read_card, recognise_with_card
from paredown.families.hints import Hints, recognise_file
from paredown.families.recognition import recognise
from paredown.model import Model, TensorSpec
from paredown.preprocessing.feeds import feed
from paredown.preprocessing.npz import read_others

HOW = Preprocess((16, 16), image="image")
IMAGE = np.full((20, 20, 3), 255, np.uint8)
INPUTS = (
    TensorSpec("image", (1, 3, 16, 16), "float32"),
    TensorSpec("size", (None, 2), "int64"),
    TensorSpec("twin", (3, 16, 16), "float32"),
)


def test_values_and_the_image_again() -> None:
    feeds, _ = feed(IMAGE, replace(HOW, others=(("size", (20.0, 30.0)), ("twin", "image"))), INPUTS)
    assert feeds["size"].tolist() == [[20, 30]]
    assert feeds["size"].dtype == np.int64
    np.testing.assert_array_equal(feeds["twin"], feeds["image"][0])


def test_one_number_fills_an_input() -> None:
    feeds, _ = feed(IMAGE, replace(HOW, others=(("size", (7.0,)), ("twin", (0.5,)))), INPUTS)
    assert feeds["size"].tolist() == [[7, 7]]
    assert feeds["twin"].shape == (3, 16, 16)


def test_what_is_unsaid_is_asked_for_with_the_lines_to_write() -> None:
    with pytest.raises(CardError) as caught:
        feed(IMAGE, replace(HOW, others=(("twin", "image"),)), INPUTS)
    assert '"size" = 0.0  # int64 ?x2' in str(caught.value.hint)
    with pytest.raises(CardError, match="do not fill") as caught:
        feed(IMAGE, replace(HOW, others=(("size", (1.0,) * 3), ("twin", "image"))), INPUTS)
    assert "2 for size" in str(caught.value.expected)


def test_several_images_at_once_are_refused_with_the_way_out() -> None:
    with pytest.raises(CardError) as caught:
        feed(IMAGE, Preprocess((16, 16)), (TensorSpec("x", (8, 3, 16, 16), "float32"),))
    assert "--input 1x3x16x16" in str(caught.value.hint)


def two_images() -> Model:
    net = nets.Net()
    left, right = (net.node("Relu", net.conv(name, 3, 4)) for name in ("left", "right"))
    x = net.node("Mul", net.node("Add", left, right), "gain")
    return net.model(
        net.conv(x, 4, 2), inputs={"left": [1, 3, 16, 16], "right": [1, 3, 16, 16], "gain": [1, 1, 1, 1]}
    )


def test_two_images_are_told_apart_by_the_card(tmp_path: Path) -> None:
    model = two_images()
    with pytest.raises(CardError, match="several inputs could take the image") as caught:
        recognise(model).best()
    assert 'image = "left"' in str(caught.value.hint)
    file = tmp_path / "card.toml"
    file.write_text('[input]\nimage = "right"\n[input.others]\nleft = "image"\ngain = [[2.0]]\n')
    card = recognise_with_card(file, model, "raw").resolve()
    assert card.preprocess.image == "right"
    assert dict(card.preprocess.others) == {"left": "image", "gain": (2.0,)}
    assert feed(IMAGE, card.preprocess, model.inputs)[0]["gain"].item() == 2
    write_card(card, tmp_path / "again.toml")
    assert read_card(tmp_path / "again.toml", model) == card
    assert "[input.others]" in card_text(card)
    file.write_text('[input.others]\nlefd = "image"\n')
    with pytest.raises(UnknownName, match="lefd"):
        recognise_with_card(file, model)


def test_an_npz_file_says_it_too(tmp_path: Path) -> None:
    file = tmp_path / "card.toml"
    file.write_text('family = "raw"\n[input]\nimage = "left"\n')
    stored = tmp_path / "inputs.npz"
    np.savez(stored, right=np.zeros((1, 3, 16, 16), np.float32), gain=np.full((1, 1, 1, 1), 3.0))
    found = recognise_file(two_images(), tmp_path / "m.onnx", Hints(card=file, inputs=stored))
    assert dict(found.resolve().preprocess.others) == {"right": (0.0,), "gain": (3.0,)}
    np.savez(stored, right=np.arange(200_000))
    with pytest.raises(CardError, match="too much"):
        read_others(stored, two_images().inputs)
    np.savez(stored, wrong=np.zeros(1))
    with pytest.raises(UnknownName, match="wrong"):
        read_others(stored, two_images().inputs)
    stored.write_bytes(b"no zip")
    with pytest.raises(CardError, match="cannot be read"):
        read_others(stored, two_images().inputs)


def test_a_bundle_feeds_them_alike(tmp_path: Path) -> None:
    from paredown.deploy.device_card import read_complete_card

    file = tmp_path / "card.toml"
    file.write_text('family = "raw"\n[input]\nimage = "left"\n[input.others]\nright = "image"\ngain = 1.5\n')
    card = read_card(file, two_images())
    write_card(card, file)
    assert read_complete_card(file) == card
