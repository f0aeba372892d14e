"""YOLOv8 and its kin before their decode: told by the channels over each grid, in every export's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from made_up_models import model
from paredown.detections import Detections
from paredown.families.cards import recognise_with_card
from paredown.families.recognition import predict, recognise
from paredown.model import Model
from paredown.preprocessing.letterbox import Frame

BOX = (104.0, 56.0, 136.0, 120.0)  # of a 320 x 320 input
FRAME = Frame((640, 640), (0.5, 0.5), (0.0, 0.0))
STRIDES = (8, 16, 32)
Answer = dict[str, np.ndarray]


def planes(bins: int, classes: int, activated: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """(bins, scores) of each grid: one object in the cell whose middle is (120, 88), stride 16."""
    found = []
    for stride in STRIDES:
        n = 320 // stride
        sides, scores = (
            np.zeros((1, 4 * bins, n, n), np.float32),
            np.full((1, classes, n, n), -20, np.float32),
        )
        if stride == 16:
            for side, cells in enumerate((1, 2, 1, 2)):
                sides[0, side * bins + cells, 5, 7] = 40
            scores[0, -1, 5, 7] = 2
        found.append((sides, 1 / (1 + np.exp(-scores)) if activated else scores))
    return found


def laid_out(kind: str, bins: int, classes: int, activated: bool) -> Answer:
    answer: Answer = {}
    for i, (sides, scores) in enumerate(planes(bins, classes, activated)):
        if kind == "joined":
            answer[f"j{i}"] = np.concatenate([sides, scores], axis=1)
        else:
            answer |= {f"b{i}": sides, f"s{i}": scores}
            answer |= {f"t{i}": scores.sum(axis=1, keepdims=True).clip(0, 1)} if kind == "sums" else {}
    answer = dict(sorted(answer.items())) if kind == "apart" else answer  # all bins, then all scores
    return {k: v.transpose(0, 2, 3, 1) for k, v in answer.items()} if kind == "last" else answer


def made(answer: Answer, kind: str, activated: bool) -> Model:
    tails: dict[str, tuple[str, ...]] = {"j": ("Concat",), "t": ("Sigmoid", "ReduceSum", "Clip"), "b": ()}
    tails["s"] = ("Sigmoid",) if activated else ()
    outputs = {k: (v.shape, tails[k[0]]) for k, v in answer.items()}
    return model(outputs, parts=2)


@pytest.mark.parametrize(
    ("kind", "bins", "classes", "activated"),
    [
        ("apart", 16, 80, True),
        ("apart", 17, 3, False),
        ("last", 16, 80, False),
        ("sums", 16, 80, True),
        ("sums", 16, 1, True),
        ("apart", 16, 64, True),  # as many classes as numbers of bins: the sigmoid tells
        ("joined", 16, 5, False),
    ],
)
def test_every_layout_is_read(kind: str, bins: int, classes: int, activated: bool) -> None:
    answer = laid_out(kind, bins, classes, activated)
    card = recognise(made(answer, kind, activated)).resolve()
    assert (card.family, len(card.classes), card.decode["bins"]) == ("dfl", classes, bins)
    found = predict(answer, card, FRAME, 0.3)
    assert isinstance(found, Detections)
    np.testing.assert_allclose(found.boxes, [np.array(BOX) * 2], atol=1e-3)
    assert found.scores == pytest.approx([1 / (1 + np.exp(-2))], abs=1e-5)
    assert found.classes.tolist() == [classes - 1]


def test_one_convolution_for_each_grid_is_a_head_with_anchors() -> None:
    """(1, 144, h, w) may be three anchors of 5 + 43 classes."""
    answer = laid_out("joined", 16, 80, False)
    found = recognise(model({k: (v.shape, ()) for k, v in answer.items()})).resolve()
    assert found.family == "raw"
    assert "3 anchors of 5 + 43 classes" in found.origin["family"]


def test_a_card_may_say_what_the_graph_does_not(tmp_path: Path) -> None:
    answer = laid_out("apart", 16, 80, True)
    file = tmp_path / "card.toml"
    file.write_text("[decode]\nactivated = true\n")
    card = recognise_with_card(file, made(answer, "apart", False)).resolve()
    assert card.decode["activated"] is True
