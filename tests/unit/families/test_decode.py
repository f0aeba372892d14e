"""Each family's decode on a made-up answer that holds boxes we know."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.card import Card, Preprocess
from paredown.detections import ClassScores, Detections
from paredown.families.recognition import predict
from paredown.preprocessing.letterbox import Frame

SIZE = (320, 320)
FRAME = Frame((640, 640), (0.5, 0.5), (0.0, 0.0))  # the input shows the image at half size
BOX = (100.0, 60.0, 140.0, 120.0)  # in input pixels
CENTRE = (120.0, 90.0, 40.0, 60.0)
CELLS = {8: 1600, 16: 400, 32: 100}


def card(family: str, n_classes: int = 2, **decode: object) -> Card:
    names = tuple(f"thing {i}" for i in range(n_classes))
    task = "classify" if family == "classifier" else "detect"
    return Card(family, task, Preprocess(SIZE), names, conf=0.3, decode=decode)


def assert_found(found: object, cls: int, score: float, count: int = 1) -> None:
    assert isinstance(found, Detections)
    assert len(found) == count
    np.testing.assert_allclose(found.boxes[0], np.array(BOX) * 2, rtol=1e-4, atol=1e-3)
    assert found.scores[0] == pytest.approx(score, abs=1e-4)
    assert found.classes[0] == cls


@pytest.mark.parametrize("transposed", [False, True])
def test_yolov8(transposed: bool) -> None:
    answer = np.zeros((1, 6, 2100), np.float32)
    answer[0, :4, 77], answer[0, 5, 77] = CENTRE, 0.8
    given = answer.transpose(0, 2, 1) if transposed else answer
    assert_found(predict({"o": given}, card("yolov8", transposed=transposed), FRAME), 1, 0.8)


@pytest.mark.parametrize("family", ["yolov5", "darknet", "yolov6"])
def test_objectness_times_class(family: str) -> None:
    answer = np.zeros((1, 6300, 7), np.float32)
    answer[0, 5, :4], answer[0, 5, 4:] = CENTRE, (0.5, 0.0, 0.8)
    assert_found(predict({"o": answer}, card(family), FRAME), 1, 0.4)


def test_yolox_raw_and_decoded() -> None:
    raw = np.zeros((1, 2100, 7), np.float32)
    cell = 1600 + 5 * 20 + 7  # stride 16, row 5, column 7
    raw[0, cell, :4] = (120 / 16 - 7, 90 / 16 - 5, np.log(40 / 16), np.log(60 / 16))
    raw[0, cell, 4:] = (1.0, 0.0, 0.9)
    strides = (8, 16, 32)
    assert_found(predict({"o": raw}, card("yolox", decoded=False, strides=strides), FRAME), 1, 0.9)
    decoded = raw.copy()
    decoded[0, cell, :4] = CENTRE
    assert_found(predict({"o": decoded}, card("yolox", decoded=True, strides=strides), FRAME), 1, 0.9)


def bins_for(distances: np.ndarray) -> np.ndarray:
    """(32,) logits whose expected distances are the ones given, between two neighbouring bins."""
    logits = np.full((4, 8), -60.0, np.float32)
    for side, d in enumerate(distances):
        low = min(int(d), 6)
        logits[side, low : low + 2] = np.log(np.maximum([1 - (d - low), d - low], 1e-20))
    return logits.ravel()


@pytest.mark.parametrize("batch_axis", [False, True])
@pytest.mark.parametrize("activated", [False, True])
def test_nanodet_pairs(batch_axis: bool, activated: bool) -> None:
    off = 0.0 if activated else -50.0
    scores = {s: np.full((n, 2), off, np.float32) for s, n in CELLS.items()}
    bins = {s: np.zeros((n, 32), np.float32) for s, n in CELLS.items()}
    cell, (x, y) = 5 * 20 + 7, (7.5 * 16, 5.5 * 16)  # stride 16, row 5, column 7
    scores[16][cell, 0] = 0.8 if activated else np.log(0.8 / 0.2)
    bins[16][cell] = bins_for(np.array([x - BOX[0], y - BOX[1], BOX[2] - x, BOX[3] - y]) / 16)
    order = [bins[32], scores[8], bins[8], scores[16], scores[32], bins[16]]
    outputs = {str(i): a[None] if batch_axis else a for i, a in enumerate(order)}
    how = {"classes": (1, 3, 4), "boxes": (2, 5, 0), "strides": (8, 16, 32)}
    found = predict(outputs, card("nanodet", activated=activated, centred=True, **how), FRAME)
    assert_found(found, 0, 0.8)


def test_nanodet_plus() -> None:
    answer = np.zeros((1, 2125, 34), np.float32)
    cell, (x, y) = 1600 + 5 * 20 + 7, (7 * 16, 5 * 16)
    answer[0, cell, 1] = 0.7
    answer[0, cell, 2:] = bins_for(np.array([x - BOX[0], y - BOX[1], BOX[2] - x, BOX[3] - y]) / 16)
    how = {"classes": (), "boxes": (), "strides": (8, 16, 32, 64)}
    found = predict({"o": answer}, card("nanodet", activated=True, centred=False, **how), FRAME)
    assert_found(found, 1, 0.7)


@pytest.mark.parametrize("background", [False, True])
def test_ssd(background: bool) -> None:
    boxes = np.zeros((1, 50, 4), np.float32)
    scores = np.zeros((1, 50, 2 + background), np.float32)
    if background:
        scores[..., 0] = 1.0
    boxes[0, 9], scores[0, 9, -1] = np.array(BOX) / 320, 0.6
    how = {"boxes": 1, "scores": 0, "background": "first" if background else "none"}
    assert_found(predict({"s": scores, "b": boxes}, card("ssd", **how), FRAME), 1, 0.6)


def test_end2end() -> None:
    answer = np.zeros((1, 300, 6), np.float32)
    answer[0, 3] = (*BOX, 0.9, 1)
    assert_found(predict({"o": answer}, card("end2end"), FRAME), 1, 0.9)


@pytest.mark.parametrize("no_object", [False, True])
def test_detr(no_object: bool) -> None:
    logits = np.full((1, 10, 2 + no_object), -20.0, np.float32)
    if no_object:
        logits[..., -1] = 20.0
        logits[0, 4] = np.log([0.1, 0.8, 0.1])
    else:
        logits[0, 4, 1] = np.log(0.8 / 0.2)
    boxes = np.full((1, 10, 4), 0.5, np.float32)
    boxes[0, 4] = np.array(CENTRE) / 320
    how = {"scores": 0, "boxes": 1}
    how |= {"activation": "softmax", "background": "last"} if no_object else {}
    assert_found(predict({"l": logits, "b": boxes}, card("detr", **how), FRAME), 1, 0.8)


def test_classifier_and_confidence_override() -> None:
    scores = np.array([[[[0.1]], [[0.9]]]], np.float32)
    found = predict({"o": scores}, card("classifier"), FRAME)
    assert isinstance(found, ClassScores)
    assert found.scores.shape == (2,)
    answer = np.zeros((1, 300, 6), np.float32)
    answer[0, 3] = (*BOX, 0.2, 1)
    assert len(predict({"o": answer}, card("end2end"), FRAME)) == 0  # type: ignore[arg-type]
    assert_found(predict({"o": answer}, card("end2end"), FRAME, conf=0.1), 1, 0.2)
