"""The words of [decode] columns: what they mean, and every way to get them wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_up_models import yolov8_model
from paredown.errors import CardError
from paredown.families.candidates import PLAIN, check_columns, class_count, corners, read_candidates, spread
from paredown.families.cards import read_card
from paredown.families.geometry import FORMS, _columns_of


def test_words_stand_for_columns_in_order() -> None:
    assert spread("cx cy w h objectness scores", 9)["scores"] == (5, 6, 7, 8)
    assert spread("class x1 y1 x2 y2 score", 6) | {} == {
        "class": (0,),
        "x1": (1,),
        "y1": (2,),
        "x2": (3,),
        "y2": (4,),
        "score": (5,),
    }
    assert spread("cx cy w h scores*1 keypoints*51", 56)["scores"] == (4,)
    assert spread("cx cy w h scores*2 keypoints", 20)["keypoints"] == tuple(range(6, 20))
    assert class_count({"columns": "cx cy w h scores", "background": "first"}, 8) == 3
    assert class_count({"columns": "x1 y1 x2 y2 score"}, 5) == 1
    assert class_count({"columns": "x1 y1 x2 y2 score class"}, 6) is None


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ("cx cy w h score5", "none of the words"),
        ("cx cy w scores", "the box must be"),
        ("cx cy w h w scores", "twice"),
        ("cx cy w h scores keypoints", "only one of"),
        ("cx cy w h scores*0", "a star and a number"),
        ("cx cy w h scores*9999999999", "a star and a number"),
        ("cx cy w h*2 scores", "one column"),
        ("x1 y1 x2 y2 class", "needs a column `score`"),
        ("x1 y1 x2 y2 score scores", "exclude"),
        ("x1 y1 x2 y2 score class ignore*3", "stand for 9 columns"),
    ],
)
def test_words_that_make_no_sense(columns: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check_columns(columns, 8)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('columns = "cx cy w h skores"', "none of the words"),
        ("columns = 4", "text"),
        ('units = "pixel"', "pixels, fractions"),
        ('activation = "relu"', "softmax"),
        ("background = true", "none, first, last"),
        ('columns = "cx cy w h scores*3"', "no known model family|does not look like"),
    ],
)
def test_a_card_that_says_it_wrongly_is_told_what_is_right(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "card.toml").write_text(f"[decode]\n{text}\n")
    with pytest.raises(CardError, match=says):
        read_card(tmp_path / "card.toml", yolov8_model())


@given(st.sampled_from(FORMS), st.lists(st.floats(0, 100, width=32), min_size=4, max_size=4))
def test_every_form_of_a_box_goes_there_and_back(form: str, sides: list[float]) -> None:
    x, y, w, h = sides
    boxes = np.array([[x, y, x + w, y + h]], np.float32)
    np.testing.assert_allclose(corners(_columns_of(boxes, form), form), boxes, atol=1e-3)


def test_a_turned_box_becomes_the_upright_one_around_it() -> None:
    how = {**PLAIN, "columns": "cx cy w h scores angle"}
    rows = np.array([[50, 40, 20, 10, 0.9, np.pi / 2], [50, 40, 20, 10, 0.8, 0.0]], np.float32)
    found = read_candidates(rows, how, (100, 100))
    np.testing.assert_allclose(found.boxes, [[45, 30, 55, 50], [40, 35, 60, 45]], atol=1e-4)
    np.testing.assert_allclose(found.scores[:, 0], [0.9, 0.8])


def test_fractions_activation_and_background() -> None:
    how = {
        "columns": "x1 y1 x2 y2 scores",
        "units": "fractions",
        "activation": "softmax",
        "background": "last",
    }
    rows = np.array([[0.1, 0.2, 0.3, 0.4, 0.0, 0.0, np.log(2)]], np.float32)
    found = read_candidates(rows, how, (100, 200))
    np.testing.assert_allclose(found.boxes, [[20, 20, 60, 40]], atol=1e-4)
    np.testing.assert_allclose(found.scores, [[0.25, 0.25]], atol=1e-6)
