"""Masks, key points and turned boxes: read from made-up answers, kept, and told when metadata is lost."""

from __future__ import annotations

import numpy as np
import pytest

from made_up_models import CELLS_320, V8_TAIL, model
from paredown.card import Card
from paredown.detections import Detections, Mask
from paredown.families.recognition import predict, recognise
from paredown.preprocessing.letterbox import Frame
from paredown.tasks import TASKS

FRAME = Frame((480, 640), (0.5, 0.5), (0.0, 40.0))  # 640 x 480, letterboxed into 320 x 320
CENTRE = (120.0, 100.0, 40.0, 60.0)  # in the input; in the image (200, 60) .. (280, 180)
BOX = (200, 60, 280, 180)
PROTOTYPES = 3


def found(answer: dict[str, np.ndarray], card: Card) -> Detections:
    said = predict(answer, card, FRAME, 0.3)
    assert isinstance(said, Detections)
    assert len(said) == 1
    np.testing.assert_allclose(said.boxes, [BOX], atol=1e-3)
    kept = TASKS[card.task].restore(TASKS[card.task].store([said, said.above(0.99), said]))
    assert [len(k) for k in kept] == [1, 0, 1]
    for name in ("boxes", "points", "corners"):
        np.testing.assert_equal(getattr(kept[2], name), getattr(said, name))
    assert kept[2].masks == said.masks
    return said


def seg_answer(form: str) -> dict[str, np.ndarray]:
    """One object whose mask is the left half of its box: the first prototype is 1 left of it, else -1."""
    prototypes = np.zeros((1, PROTOTYPES, 80, 80), np.float32)
    prototypes[0, 0] = np.where(np.arange(80) < 30, 1, -1)
    coefficients = (2.0, 0.0, -1.0)
    if form == "v8":
        rows = np.zeros((1, 4 + 2 + PROTOTYPES, CELLS_320), np.float32)
        rows[0, :, 7] = (*CENTRE, 0.0, 0.9, *coefficients)
    elif form == "v5":
        rows = np.zeros((1, 3 * CELLS_320, 5 + 2 + PROTOTYPES), np.float32)
        rows[0, 7] = (*CENTRE, 1.0, 0.0, 0.9, *coefficients)
    else:
        rows = np.zeros((1, 300, 6 + PROTOTYPES), np.float32)
        rows[0, 0] = (100, 70, 140, 130, 0.9, 1, *coefficients)
    return {"o": rows, "p": prototypes}


@pytest.mark.parametrize("form", ["v8", "v5", "end2end"])
@pytest.mark.parametrize("prototypes_first", [False, True])
def test_masks(form: str, prototypes_first: bool) -> None:
    answer = seg_answer(form)
    rows = answer["o"][0].T if form == "v8" else answer["o"][0]
    rows[8 if form == "end2end" else 9], at = rows[0 if form == "end2end" else 7], slice(-PROTOTYPES, None)
    rows[8 if form == "end2end" else 9, at] *= -1e-3  # the same box with a mask of the other half
    rows[8 if form == "end2end" else 9, :4] = (400, 400, 4, 4) if form != "end2end" else (400, 400, 404, 404)
    if prototypes_first:
        answer = dict(reversed(answer.items()))
    names = str(["a", "b"])
    metadata = {"task": "segment", "names": names}
    made = model({k: (v.shape, V8_TAIL if k == "o" else ()) for k, v in answer.items()}, metadata=metadata)
    card = recognise(made).resolve()
    assert (card.family, card.task, card.classes) == ("yoloseg", "instances", ("a", "b"))
    said = found(answer, card)
    assert said.masks is not None
    y, x = np.nonzero(said.masks[0].pixels)
    assert (x.min(), x.max(), y.min(), y.max()) == (200, 239, 60, 179)
    assert said.masks[0].area == 40 * 120
    assert Mask.of(said.masks[0].pixels) == said.masks[0]


def test_a_mask_that_begins_with_its_first_pixel_and_one_without_any() -> None:
    for pixels in (np.ones((2, 3), bool), np.zeros((2, 3), bool), np.eye(3, dtype=bool)):
        np.testing.assert_array_equal(Mask.of(pixels).pixels, pixels)


POINTS = np.array([[110, 80, 0.9], [130, 120, 0.4]], np.float32)


@pytest.mark.parametrize("numbers", [2, 3])
def test_key_points(numbers: int) -> None:
    answer = np.zeros((1, 5 + 2 * numbers, CELLS_320), np.float32)
    answer[0, :, 7] = (*CENTRE, 0.9, *POINTS[:, :numbers].ravel())
    metadata = {"task": "pose", "names": str(["person"]), "kpt_shape": f"[2, {numbers}]"}
    card = recognise(model({"o": (answer.shape, V8_TAIL)}, parts=2, metadata=metadata)).resolve()
    assert card.task == "pose"
    said = found({"o": answer}, card)
    wanted = np.array([[220, 80, 0.9], [260, 160, 0.4]])
    wanted[:, 2] = 1 if numbers == 2 else wanted[:, 2]
    assert said.points is not None
    np.testing.assert_allclose(said.points[0], wanted, rtol=1e-5)


def test_turned_boxes() -> None:
    answer = np.zeros((1, 4 + 1 + 1, CELLS_320), np.float32)
    answer[0, :, 7] = (120, 100, 60, 40, 0.9, np.pi / 2)  # a quarter turn: 40 wide and 60 high
    metadata = {"task": "obb", "names": str(["ship"])}
    card = recognise(model({"o": (answer.shape, V8_TAIL)}, parts=2, metadata=metadata)).resolve()
    assert card.task == "oriented"
    said = found({"o": answer}, card)
    assert said.corners is not None
    np.testing.assert_allclose(said.corners[0][0], (BOX[2], BOX[1]), atol=1e-3)


def test_without_metadata_the_other_readings_wait_for_the_values_to_ask() -> None:
    match = recognise(model({"o": ((1, 56, CELLS_320), V8_TAIL)}, parts=2)).best()
    assert match.cards[0].task == "detect"
    assert [m.cards[0].task for m in match.others][-2:] == ["oriented", "pose"]
    assert match.others[-1].cards[0].decode["columns"] == "cx cy w h scores*1 keypoints*51"
