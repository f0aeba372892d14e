"""What a model that no family reads looks like is said, and what it is taken for stays `raw`."""

from __future__ import annotations

import pytest

from made_up_models import model
from paredown.families.recognition import recognise


@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        ({"o": ((1, 85, 10, 10), ())}, "5 + 80 classes in a cell"),
        ({"o": ((1, 125, 10, 10), ())}, "5 anchors of 5 + 20 classes"),
        ({"a": ((1, 255, 40, 40), ()), "b": ((1, 255, 20, 20), ())}, "3 anchors of 5 + 80 classes"),
        ({"hm": ((1, 2, 80, 80), ()), "wh": ((1, 2, 80, 80), ())}, "heat maps of centres"),
    ],
)
def test_it_is_said(outputs: dict[str, tuple[tuple[int, ...], tuple[str, ...]]], says: str) -> None:
    card = recognise(model(outputs)).resolve()
    assert card.family == "raw"
    assert says in card.origin["family"]
    assert "new-decode" in card.origin["family"]


@pytest.mark.parametrize("shape", [(1, 85, 11, 11), (1, 4, 10, 10), (1, 17, 3), (1, 77, 84)])
def test_nothing_is_said_of_what_looks_like_nothing(shape: tuple[int, ...]) -> None:
    assert "look like" not in recognise(model({"o": (shape, ())})).resolve().origin["family"]
