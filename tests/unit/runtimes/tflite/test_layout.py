"""Layouts: which order of axes a Reshape keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paredown.runtimes.tflite.layout import arranged, permuted, through_reshape

SHAPES = [
    ((1, 144, 20, 20), (1, 144, 400)),
    ((1, 64, 10), (1, 4, 16, 10)),
    ((1, 4, 2, 3, 3), (1, 8, 3, 3)),
    ((1, 8, 1, 1), (1, 8)),
    ((1, 6), (1, 6, 1, 1)),
    ((2, 3, 4, 5), (6, 20)),
    ((1, 4, 6), (4, 3, 2)),
    ((1, 1, 1), (1,)),
]


@pytest.mark.parametrize(("source", "target"), SHAPES)
@given(data=st.data())
def test_a_reshape_in_the_layouts_that_are_told_is_onnxs(
    source: tuple[int, ...], target: tuple[int, ...], data: st.DataObject
) -> None:
    layout = tuple(data.draw(st.permutations(range(len(source)))))
    values = np.arange(np.prod(source)).reshape(source)
    here, there = through_reshape(source, target, layout)
    moved = values.transpose(here).reshape(arranged(target, there))
    assert np.array_equal(moved, values.reshape(target).transpose(there))


def test_image_axes_merge_without_a_move() -> None:
    assert through_reshape((1, 144, 20, 20), (1, 144, 400), (0, 2, 3, 1)) == ((0, 2, 3, 1), (0, 2, 1))


@given(perm=st.permutations(range(4)), layout=st.permutations(range(4)))
def test_a_transpose_renames_axes(perm: list[int], layout: list[int]) -> None:
    values = np.arange(120).reshape(2, 3, 4, 5)
    held = values.transpose(layout)
    assert np.array_equal(held, values.transpose(perm).transpose(permuted(tuple(layout), perm)))
