"""Class names out of metadata, however they are keyed; COCO's ids with their gaps."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_up_models import model
from paredown.families.label_maps import COCO_NAMES, Names, coco_by_id, read_names
from paredown.families.recognition import recognise

TWELVE = tuple(f"n{i}" for i in range(12))


@pytest.mark.parametrize(
    "text",
    [
        str(dict(enumerate(TWELVE))),
        str({str(i): n for i, n in enumerate(TWELVE)}),
        json.dumps({str(i): n for i, n in enumerate(TWELVE)}),
        json.dumps({str(i): TWELVE[i] for i in sorted(range(12), key=str)}),  # 0, 1, 10, 11, 2, ...
        json.dumps({n: i for i, n in enumerate(TWELVE)}),
        str(list(TWELVE)),
        json.dumps(TWELVE),
    ],
)
def test_every_spelling_gives_the_same_order(text: str) -> None:
    assert read_names({"names": text}).names == TWELVE


@given(st.dictionaries(st.integers(0, 500), st.text(max_size=8), min_size=1, max_size=40))
def test_text_keys_sort_as_numbers(named: dict[int, str]) -> None:
    found = read_names({"names": json.dumps({str(k): v for k, v in named.items()})})
    assert found.numbers == tuple(sorted(named))
    assert all(found.by_number[k] == v for k, v in named.items())


@pytest.mark.parametrize(
    "text", ["", "person", "{", "{1.5: 'a'}", "{-1: 'a'}", "{999999999: 'a'}", "[" * 5000, "7"]
)
def test_what_is_no_list_of_names(text: str) -> None:
    assert read_names({"names": text}) == Names()


def test_numbers_that_begin_at_one_or_have_gaps() -> None:
    found = read_names({"names": "{1: 'cat', 3: 'dog'}"})
    assert found.by_number == ("class 0", "cat", "class 2", "dog")
    finished = model({"o": ((1, 300, 6), ("Mul",))}, metadata={"names": "{1: 'cat', 3: 'dog'}"})
    assert recognise(finished).resolve().classes == found.by_number
    raw = model(
        {"o": ((1, 6, 2100), ("Sigmoid", "Mul", "Concat"))}, metadata={"names": "{1: 'cat', 2: 'dog'}"}
    )
    assert recognise(raw).resolve().classes == ("cat", "dog")


def test_cocos_ids() -> None:
    assert len(COCO_NAMES) == 80
    names = coco_by_id(0, 91)
    assert (names[0], names[1], names[12], names[13], names[90]) == (
        "background",
        "person",
        "class 12",
        "stop sign",
        "toothbrush",
    )
    assert sum(not n.startswith("class ") for n in names) == 81


@pytest.mark.parametrize(("columns", "first"), [(91, "background"), (90, "person")])
def test_ninety_columns_are_cocos_ids(columns: int, first: str) -> None:
    made = model({"l": ((1, 300, columns), ()), "b": ((1, 300, 4), ("Sigmoid",))})
    card = recognise(made).resolve()
    assert (card.classes[0], card.classes[-1]) == (first, "toothbrush")
    assert "COCO" in card.origin["classes"]
