"""What pairs of recipe, place and input size are called."""

from __future__ import annotations

import pytest

from paredown.study.choices import some_of
from paredown.study.pairs import sized_label


@pytest.mark.parametrize(
    ("label", "sized"),
    [
        ("float", "size256"),
        ("float@openvino", "size256@openvino"),
        ("mixed", "size256+mixed"),
        ("int8@ncnn", "size256+int8@ncnn"),
    ],
)
def test_a_recipe_keeps_its_name_at_another_size(label: str, sized: str) -> None:
    assert sized_label(label, 256) == sized


def test_many_labels_are_cut_and_counted() -> None:
    assert some_of(["a"]) == "a"
    assert some_of([*"abcdef"]) == "a, b, c, d, e, f"
    assert some_of([*"abcdefgh"]) == "a, b, c, d, e and 3 more"
