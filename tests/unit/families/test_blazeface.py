"""MediaPipe's detectors: the number of rows tells the grids, the number of columns how they are fed."""

from __future__ import annotations

import numpy as np
import pytest

from made_up_models import model
from paredown.detections import Detections
from paredown.families.recognition import predict, recognise
from paredown.preprocessing.letterbox import Frame


@pytest.mark.parametrize(
    ("size", "rows", "columns", "place", "point"),
    [
        (128, 896, 16, 2 * (16 * 3 + 5) + 1, (44, 28)),  # stride 8, row 3, column 5
        (128, 896, 16, 512 + 6 * (8 * 2 + 1) + 4, (24, 40)),  # stride 16, row 2, column 1
        (256, 896, 16, 0, (8, 8)),  # stride 16
        (192, 2016, 18, 1152, (8, 8)),  # the first of stride 16
        (224, 2254, 12, 2 * 28 * 28, (8, 8)),
        (192, 2304, 16, 49, (6, 6)),  # stride 4, row 1, column 1
    ],
)
def test_a_row_belongs_to_the_middle_of_its_cell(
    size: int, rows: int, columns: int, place: int, point: tuple[int, int]
) -> None:
    boxes, scores = np.zeros((1, rows, columns), np.float32), np.full((1, rows, 1), -20, np.float32)
    boxes[0, place, :4], scores[0, place] = (2, -1, 10, 6), 3
    answer = {"regressors": boxes, "classificators": scores}
    given = model({k: (v.shape, ()) for k, v in answer.items()}, input_shape=(1, 3, size, size))
    match = recognise(given).best()
    card = match.cards[0]
    assert (card.family, match.settled, card.preprocess.mean[0]) == (
        "blazeface",
        True,
        0.0 if columns == 18 else 127.5,
    )
    found = predict(answer, card, Frame((size, size), (1, 1), (0, 0)), 0.3)
    assert isinstance(found, Detections)
    x, y = point[0] + 2, point[1] - 1
    np.testing.assert_allclose(found.boxes, [[x - 5, y - 3, x + 5, y + 3]])
    assert found.scores == pytest.approx([1 / (1 + np.exp(-3))])


@pytest.mark.parametrize("shape", [(1, 897, 16), (1, 896, 17)])
def test_other_rows_or_columns_are_none_of_it(shape: tuple[int, ...]) -> None:
    given = model({"r": (shape, ()), "c": ((1, shape[1], 1), ())}, input_shape=(1, 3, 128, 128))
    assert recognise(given).resolve().family == "raw"
