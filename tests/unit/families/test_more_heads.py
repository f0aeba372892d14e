"""Heads that end before their boxes are made: each is told by its form, and one object is found in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from made_up_models import model
from paredown.card import Card
from paredown.detections import Detections
from paredown.errors import CardError, UnknownName
from paredown.families.anchored import USUAL
from paredown.families.cards import recognise_with_card
from paredown.families.priors import PRIORS
from paredown.families.recognition import predict, recognise
from paredown.model import Model
from paredown.preprocessing.letterbox import Frame

BOX = (100.0, 60.0, 140.0, 120.0)  # of a 320 x 320 input
FRAME = Frame((640, 640), (0.5, 0.5), (0.0, 0.0))
Answer = dict[str, np.ndarray]
Tails = Mapping[str, tuple[str, ...]]


def made(answer: Answer, tails: Tails, **more: object) -> Model:
    return model({k: (v.shape, tails.get(k, ())) for k, v in answer.items()}, **more)  # type: ignore[arg-type]


def check(card: Card, answer: Answer, family: str, score: float, cls: int) -> None:
    assert card.family == family
    found = predict(answer, card, FRAME, 0.3)
    assert isinstance(found, Detections)
    np.testing.assert_allclose(found.boxes, [np.array(BOX) * 2], rtol=1e-4, atol=1e-2)
    assert found.scores == pytest.approx([score], abs=1e-4)
    assert found.classes.tolist() == [cls]


def centernet(offset: bool, last: bool) -> Answer:
    """Stride 4: the centre (120, 90) lies in row 22, column 30."""
    heat = np.full((1, 3, 80, 80), 0.001, np.float32)
    heat[0, 2, 22, 30], heat[0, 2, 22, 31] = 0.9, 0.8  # a neighbour is no peak
    if offset:
        extent, shift = np.ones((1, 2, 80, 80), np.float32), np.full((1, 2, 80, 80), 0.5, np.float32)
        extent[0, :, 22, 30], shift[0, :, 22, 30] = (10, 15), (0, 0.5)
        answer = {"a": shift, "b": heat, "c": extent}
    else:
        sides = np.ones((1, 4, 80, 80), np.float32)
        sides[0, :, 22, 30] = (20, 28, 20, 32)
        answer = {"a": sides, "b": heat}
    return {k: v.transpose(0, 2, 3, 1) for k, v in answer.items()} if last else answer


@pytest.mark.parametrize("last", [False, True])
def test_centernet_by_distances(last: bool) -> None:
    answer = centernet(False, last)
    check(recognise(made(answer, {"b": ("Sigmoid",)})).resolve(), answer, "centernet", 0.9, 2)


def test_centernet_by_size_and_offset_of_which_only_the_values_tell() -> None:
    answer = centernet(True, False)
    match = recognise(made(answer, {"b": ("Sigmoid",)})).best()
    usual, other = match.cards[0], match.others[0].cards[0]
    from paredown.families import centernet as family

    assert "rather sizes" in family.unlike(answer, usual)
    assert family.unlike(answer, other) == ""
    check(other, answer, "centernet", 0.9, 2)


def test_a_peak_that_rounding_made_flat_is_one_object() -> None:
    from paredown.families import centernet as family

    answer = centernet(False, False)
    answer["b"][0, 2, 22:24, 30:33] = 0.9  # six equal neighbours
    answer["b"][0, 1, 60, 10:12] = 0.5
    card = recognise(made(answer, {"b": ("Sigmoid",)})).resolve()
    found = family.candidates(answer, card, 0.05)
    assert found.scores.max(axis=1).tolist() == pytest.approx([0.9, 0.5])


def anchored(rule: str, size: int, width: int, cls: int) -> Answer:
    """Logits and changes of the prior that is nearest to the box."""
    priors = PRIORS[rule]((size, size))
    how = USUAL[rule]
    near, far = how["variances"]  # type: ignore[misc]
    centre = np.array([120, 90, 40, 60], np.float32)
    best = int(np.abs(priors - centre).sum(axis=1).argmin())
    p = priors[best]
    change = dict(
        zip(
            ("cx", "cy", "w", "h"),
            (*((centre[:2] - p[:2]) / p[2:] / near), *(np.log(centre[2:] / p[2:]) / far)),
            strict=True,
        )
    )
    boxes = np.zeros((1, len(priors), 4), np.float32)
    boxes[0, best] = [change[word] for word in str(how["columns"]).split()]
    scores = np.full((1, len(priors), width), -20.0, np.float32)
    if how["background"] == "first":
        scores[..., 0] = 20.0
        scores[0, best, 0] = -20.0
    scores[0, best, cls + (how["background"] == "first")] = 20.0
    return {"s": scores, "b": boxes}


@pytest.mark.parametrize(("rule", "width"), [("tensorflow", 91), ("torchvision", 91), ("retinaface", 2)])
def test_priors_are_told_by_their_number(rule: str, width: int) -> None:
    answer = anchored(rule, 320, width, 0)
    if rule == "retinaface":
        answer["k"] = np.zeros((1, answer["b"].shape[1], 10), np.float32)
        answer["s"] = np.exp(answer["s"]) / np.exp(answer["s"]).sum(-1, keepdims=True)
    card = recognise(made(answer, {"s": ("Softmax",)} if rule == "retinaface" else {})).resolve()
    assert (card.decode["priors"], len(card.classes)) == (rule, width - 1)
    check(card, answer, "anchored", 1.0, 0)


def test_of_two_rules_with_one_number_the_card_must_say_which(tmp_path: Path) -> None:
    answer = anchored("efficientdet", 320, 5, 3)
    given = made(answer, {})
    found = recognise(given).resolve()
    assert found.family == "raw"
    assert "'efficientdet'" in found.origin["family"]
    assert "'retinanet'" in found.origin["family"]
    assert "'retinanet-torchvision'" in found.origin["family"]
    file = tmp_path / "card.toml"
    file.write_text('[decode]\npriors = "efficientdet"\n')
    check(recognise_with_card(file, given).resolve(), answer, "anchored", 1.0, 3)
    file.write_text('[decode]\npriors = "ssd300"\n')
    with pytest.raises(CardError, match="does not fit the model"):
        recognise_with_card(file, given)


def test_a_plane_of_changes_and_one_of_scores_for_each_stride(tmp_path: Path) -> None:
    whole = anchored("efficientdet", 320, 4, 1)
    answer, start = {}, 0
    for stride in (8, 16, 32, 64, 128):
        side = -(-320 // stride)
        part = slice(start, start + 9 * side * side)
        start = part.stop
        for name, width in (("s", 4), ("b", 4)):
            answer[f"{name}{stride}"] = whole[name][:, part].reshape(1, side, side, 9 * width)
    answer = {k: (np.concatenate([v] * 2, axis=-1) if k[0] == "s" else v) for k, v in answer.items()}
    for k, v in list(answer.items()):
        if k[0] == "s":  # 8 classes, so that the two kinds differ in width
            rows = v[..., :36].reshape(*v.shape[1:3], 9, 4)
            answer[k] = np.concatenate([rows, np.full_like(rows, -20.0)], axis=-1).reshape(
                1, *v.shape[1:3], 72
            )
    file = tmp_path / "card.toml"
    file.write_text('[decode]\npriors = "efficientdet"\n')
    check(recognise_with_card(file, made(answer, {})).resolve(), answer, "anchored", 1.0, 1)


def test_sides_of_priors_are_those_that_their_authors_publish() -> None:
    """RetinaFace's min_sizes; SSD300's for VOC and, cut at the input, for COCO; torchvision's corners."""
    faces = PRIORS["retinaface"]((320, 320))
    assert np.unique(faces[:, 2]).tolist() == [16, 32, 64, 128, 256, 512]
    voc, coco = PRIORS["ssd300"]((300, 300)), PRIORS["ssd300-coco"]((300, 300))
    assert len(voc) == len(coco) == 8732
    np.testing.assert_allclose(voc[0], [4, 4, 30, 30])
    np.testing.assert_allclose(coco[0], [4, 4, 21, 21])
    assert (voc[:, 2].max() > 300, coco[:, 2].max()) == (True, 300)
    corner, middle = PRIORS["retinanet-torchvision"]((320, 320)), PRIORS["retinanet"]((320, 320))
    np.testing.assert_allclose(corner[:9, :2], 0)
    np.testing.assert_allclose(middle[:9, :2], 4)
    assert corner[:3, 2:].tolist() == [[46, 22], [56, 28], [70, 36]]
    assert np.abs(corner[:, 2:] - middle[:, 2:]).max() < 2


def test_as_many_channels_of_scores_as_of_changes_are_raw() -> None:
    """Four classes on each of nine anchors: both planes have 36 channels."""
    answer = {
        f"{name}{s}": np.zeros((1, 36, -(-320 // s), -(-320 // s)), np.float32)
        for s in (8, 16, 32, 64, 128)
        for name in "ab"
    }
    assert recognise(made(answer, {})).resolve().family == "raw"


def scrfd() -> Answer:
    """Stride 16, row 5, column 7, the second of two boxes: (112, 80)."""
    answer: Answer = {}
    for i, n in enumerate((3200, 800, 200)):
        answer |= {f"k{i}": np.zeros((n, 10)), f"b{i}": np.zeros((n, 4)), f"s{i}": np.zeros((n, 1))}
    row = 2 * (5 * 20 + 7) + 1
    answer["s1"][row], answer["b1"][row] = 0.9, np.array([12, 20, 28, 40]) / 16
    return {k: v.astype(np.float32) for k, v in answer.items()}


def yunet() -> Answer:
    answer: Answer = {}
    for i, n in enumerate((1600, 400, 100)):
        names = (("k", 10), ("c", 1), ("o", 1), ("b", 4))
        answer |= {f"{name}{i}": np.zeros((1, n, width), np.float32) for name, width in names}
    row = 5 * 20 + 7
    answer["c1"][0, row], answer["o1"][0, row] = 0.9, 0.4
    answer["b1"][0, row] = (120 / 16 - 7, 90 / 16 - 5, np.log(40 / 16), np.log(60 / 16))
    return answer


@pytest.mark.parametrize(("family", "given", "score"), [("scrfd", scrfd, 0.9), ("yunet", yunet, 0.6)])
def test_faces(family: str, given: Callable[[], Answer], score: float) -> None:
    answer = given()
    tails = {k: ("Sigmoid",) for k in answer if k[0] in "sco"}
    check(recognise(made(answer, tails)).resolve(), answer, family, score, 0)


def logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


YOLOV2 = """
columns = "cx cy w h objectness scores"
anchors = [8.0, 8.0, 40.0, 30.0]
activation = "softmax"
"""
YOLOV5 = """
columns = "cx cy w h objectness scores"
anchors = [8, 8, 20, 30]
centre = "2*sigmoid-0.5"
extent = "squared"
"""
FASTEST = """
columns = "objectness cx cy w h scores"
centre = "tanh"
extent = "sigmoid"
powers = [0.6, 0.4]
activation = "none"
"""


def grid(kind: str) -> tuple[Answer, float]:
    """Stride 16 (row 5, column 7), or 32 for YOLOv2 (row 2, column 3); three classes, the last is right."""
    if kind == "v2":
        cells = np.full((2, 8, 10, 10), -20.0, np.float32)
        cells[1, :, 2, 3] = (logit(0.75), logit(0.8125), 0.0, np.log(2), 20.0, 0.0, 0.0, np.log(8))
        return {"o": cells.reshape(1, 16, 10, 10)}, 0.8
    if kind == "v5":
        cells = np.full((2, 20, 20, 8), -20.0, np.float32)
        half = [logit((120 / 16 - 7 + 0.5) / 2), logit((90 / 16 - 5 + 0.5) / 2)]
        cells[1, 5, 7] = (*half, *[logit(2**0.5 / 2)] * 2, 20.0, -9, -9, logit(0.8))
        return {"o": cells[None]}, 0.8
    cells = np.zeros((20, 20, 8), np.float32)
    shift = np.arctanh([120 / 16 - 7, 90 / 16 - 5])
    cells[5, 7] = (0.9, *shift, logit(40 / 320), logit(60 / 320), 0, 0.001, 0.7)
    return {"o": cells[None]}, 0.9**0.6 * 0.7**0.4


@pytest.mark.parametrize(("kind", "says"), [("v2", YOLOV2), ("v5", YOLOV5), ("fastest", FASTEST)])
def test_a_grid_is_read_as_its_card_says_and_not_without(kind: str, says: str, tmp_path: Path) -> None:
    answer, score = grid(kind)
    given = made(answer, {})
    assert recognise(given).resolve().family == "raw"
    file = tmp_path / "card.toml"
    file.write_text(f"[decode]\n{says}")
    check(recognise_with_card(file, given).resolve(), answer, "grid", score, 2)


def test_sigmoids_in_the_graph_are_not_put_on_twice(tmp_path: Path) -> None:
    """As converters for NPUs leave YOLOv5."""
    answer, score = grid("v5")
    answer = {k: 1 / (1 + np.exp(-v)) for k, v in answer.items()}
    file = tmp_path / "card.toml"
    file.write_text(f"[decode]\n{YOLOV5}")
    card = recognise_with_card(file, made(answer, {"o": ("Sigmoid",)})).resolve()
    assert card.decode["activated"] is True
    check(card, answer, "grid", score, 2)
    card = recognise_with_card(file, made(answer, {"o": ("Sigmoid", "Concat")})).resolve()
    assert card.decode["activated"] is False  # of a part of the values


@pytest.mark.parametrize(
    ("says", "wrong"),
    [
        ('columns = "x1 y1 x2 y2 scores"', "centre and its size"),
        (YOLOV2.replace("8.0, 8.0, ", "8.0, "), "wrong length"),
        (YOLOV2.replace("8.0,", "-8.0,"), "wrong value"),
        (YOLOV2 + 'centre = "logistic"', "unknown value of decode.centre"),
        (YOLOV2.replace("scores", "scores*9"), "does not fit the grid"),
    ],
)
def test_a_card_that_does_not_fit_the_grid_is_refused(says: str, wrong: str, tmp_path: Path) -> None:
    file = tmp_path / "card.toml"
    file.write_text(f"[decode]\n{says}")
    with pytest.raises((CardError, UnknownName), match=wrong):
        recognise_with_card(file, made(grid("v2")[0], {}))


TF2 = {
    "detection_anchor_indices": (1, 20),
    "detection_boxes": (1, 20, 4),
    "detection_classes": (1, 20),
    "detection_multiclass_scores": (1, 20, 91),
    "detection_scores": (1, 20),
    "num_detections": (1,),
    "raw_detection_boxes": (1, 1917, 4),
    "raw_detection_scores": (1, 1917, 91),
}


def test_tensorflows_eight_outputs_are_finished_detections_among_others() -> None:
    answer = {k: np.zeros(s, np.float32) for k, s in TF2.items()}
    match = recognise(made(answer, {"detection_boxes": ("NonMaxSuppression",)})).best()
    assert match.cards[0].family == "end2end"
    hows = [m.cards[0].decode for m in (match, *match.others)]
    wanted = {"boxes": 1, "scores": 4, "classes": 2, "count": 5, "columns": "y1 x1 y2 x2", "first_class": 1}
    assert any(wanted.items() <= how.items() for how in hows)


def test_boxes_labels_and_scores_without_a_batch_axis() -> None:
    """torchvision's detectors."""
    shapes = {"boxes": (None, 4), "scores": (None,), "labels": (None,)}
    card = recognise(model({k: (s, ("NonMaxSuppression",)) for k, s in shapes.items()})).resolve()
    answer = {
        "boxes": np.array([BOX], np.float32),
        "scores": np.array([0.9], np.float32),
        "labels": np.array([2], np.float32),
    }
    check(card, answer, "end2end", 0.9, 2)


def test_changes_and_three_classes_are_told_apart_by_the_softmax_or_by_the_card(tmp_path: Path) -> None:
    answer = anchored("tensorflow", 320, 4, 2)
    softmax = {**answer, "s": np.exp(answer["s"]) / np.exp(answer["s"]).sum(-1, keepdims=True)}
    card = recognise(made(softmax, {"s": ("Softmax",)})).resolve()
    check(card, softmax, "anchored", 1.0, 2)
    found = recognise(made(answer, {})).resolve()
    assert found.family == "raw"
    assert "`boxes = [0]` and `scores = [1]`" in found.origin["family"]
    file = tmp_path / "card.toml"
    file.write_text("[decode]\nboxes = [1]\nscores = [0]\n")
    check(recognise_with_card(file, made(answer, {})).resolve(), answer, "anchored", 1.0, 2)


def test_two_rules_of_three_thousand_priors_are_not_taken_for_each_other(tmp_path: Path) -> None:
    """torchvision's at 300 x 300, and pytorch-ssd's, whose last cells lie further on."""
    ours, theirs = PRIORS["pytorch-ssd"]((300, 300)), PRIORS["torchvision"]((300, 300))
    assert len(ours) == len(theirs) == 3000
    np.testing.assert_allclose(ours[-1], (150, 150, 285 / 3**0.5, 300), rtol=1e-4)
    given = model({"s": ((1, 3000, 21), ()), "b": ((1, 3000, 4), ())}, input_shape=(1, 3, 300, 300))
    found = recognise(given).resolve()
    assert found.family == "raw"
    assert "'torchvision' or 'pytorch-ssd'" in found.origin["family"]
    file = tmp_path / "card.toml"
    file.write_text('[decode]\npriors = "pytorch-ssd"\n')
    assert recognise_with_card(file, given).resolve().family == "anchored"
