"""A model that is misread gets no verdict: a misreading is told by its values, or refused with a cure."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from misread import CLASSES, SIZE, Answer, Head, Objects, grid, images, rows

from paredown._measure.feeding.reading import check_card, settle_reading
from paredown.card import Card
from paredown.errors import CardError
from paredown.families.cards import read_card, recognise_with_card
from paredown.families.recognition import recognise
from paredown.model import Model

sys.path.insert(0, str(Path(__file__).parents[1] / "families"))
from made_up_models import CELLS_320, model

ARITHMETIC = ("Sigmoid", "Mul", "Concat")
FINISHED = model({"o": ((1, 300, 6), ARITHMETIC)})
TWO_NAMES = model({"o": ((1, 300, 6), ARITHMETIC)}, metadata={"names": "['cat', 'dog']", "task": "detect"})
V8 = model({"o": ((1, 8, CELLS_320), ARITHMETIC)}, parts=2)


def chosen(made: Model, answer: Answer) -> Card:
    """The card after its reading is settled on images without truth."""
    return settle_reading(recognise(made), Head(answer), images(with_truth=False)).cards[0]


def finished(columns: str, **more: object) -> Answer:
    return lambda o: {"o": rows(o, columns, **more)}  # type: ignore[arg-type]


def v8(o: Objects, **more: object) -> np.ndarray:
    """(1, 4 + C, N) as YOLOv8 gives it."""
    boxes, scores = grid(o, CELLS_320, **more)  # type: ignore[arg-type]
    return np.concatenate([boxes, scores], axis=1).T[None].astype(np.float32)


# ---- what the values tell


@pytest.mark.parametrize("fractions", [False, True])
@pytest.mark.parametrize(
    "columns",
    [
        "x1 y1 x2 y2 score class",
        "class x1 y1 x2 y2 score",
        "x1 y1 x2 y2 class score",
        "class score x1 y1 x2 y2",
        "score class x1 y1 x2 y2",
    ],
)
def test_finished_detections_in_any_order_are_told_by_their_values(columns: str, fractions: bool) -> None:
    card = chosen(FINISHED, finished(columns, fractions=fractions))
    assert card.decode["columns"] == columns
    assert card.decode["units"] == ("fractions" if fractions else "pixels")
    usual = columns == "x1 y1 x2 y2 score class" and not fractions
    assert ("told by the values" in card.origin["family"]) is not usual


def joined(o: Objects) -> Mapping[str, np.ndarray]:
    """RT-DETR of two classes in one output: (1, 300, 4 + 2), centre boxes as fractions, sigmoid scores."""
    boxes, scores = grid(o, 300)
    return {"o": np.concatenate([boxes / SIZE, scores[:, :2]], axis=1)[None].astype(np.float32)}


@pytest.mark.parametrize("made", [FINISHED, TWO_NAMES])
def test_a_set_of_two_classes_is_told_from_finished_detections(made: Model) -> None:
    card = chosen(made, joined)
    assert (card.family, len(card.classes)) == ("detr", 2)
    assert (card.decode["columns"], card.decode["units"]) == ("cx cy w h scores", "fractions")


def test_fractions_where_a_grid_usually_has_pixels() -> None:
    assert chosen(V8, lambda o: {"o": v8(o)}).decode["units"] == "pixels"

    def fractions(o: Objects) -> Mapping[str, np.ndarray]:
        answer = v8(o)
        answer[:, :4] /= SIZE
        return {"o": answer}

    assert chosen(V8, fractions).decode["units"] == "fractions"


def pair(o: Objects, scale: float, background: str) -> Mapping[str, np.ndarray]:
    """Boxes and scores of five classes as two outputs, and a background class where asked."""
    boxes, scores = grid(o, 500, form="x1 y1 x2 y2")
    scores = np.concatenate([scores, scores[:, :1] * 0.1], axis=1)
    rest = 1 - scores.max(axis=1, keepdims=True)
    scores = np.concatenate(
        {"none": [scores], "first": [rest, scores], "last": [scores, rest]}[background], 1
    )
    return {"b": (boxes * scale)[None].astype(np.float32), "s": scores[None].astype(np.float32)}


@pytest.mark.parametrize("scale", [1.0, 1 / SIZE])
@pytest.mark.parametrize(
    ("activation", "background"),
    [("Softmax", "first"), ("Softmax", "last"), ("Sigmoid", "none"), ("Sigmoid", "first")],
)
def test_units_and_background_of_boxes_and_scores_apart(
    scale: float, activation: str, background: str
) -> None:
    n = len(CLASSES) + 1 + (background != "none")
    made = model({"b": ((1, 500, 4), ("Mul", "Concat")), "s": ((1, 500, n), (activation,))})
    card = chosen(made, lambda o: pair(o, scale, background))
    assert card.decode["background"] == background
    assert card.decode["units"] == ("pixels" if scale == 1 else "fractions")
    assert len(card.classes) == len(CLASSES) + 1


@pytest.mark.parametrize("no_object", [False, True])
def test_the_no_object_class_of_the_first_detr(no_object: bool) -> None:
    n = len(CLASSES) + no_object
    made = model({"l": ((1, 300, n), ()), "b": ((1, 300, 4), ("Sigmoid",))})

    def answer(o: Objects) -> Mapping[str, np.ndarray]:
        boxes, scores = grid(o, 300)
        logits = np.log(scores + 1e-6) - (0 if no_object else np.log(1 - scores + 1e-6))
        if no_object:
            rest = np.log(np.maximum(1 - scores.sum(axis=1, keepdims=True), 1e-6))
            logits = (
                np.concatenate([logits, rest], axis=1) + 7.0
            )  # a softmax does not see what is added to all
        return {"l": logits[None].astype(np.float32), "b": (boxes / SIZE)[None].astype(np.float32)}

    card = chosen(made, answer)
    assert (card.decode["background"], len(card.classes)) == ("last" if no_object else "none", 4)


def test_an_objectness_that_is_always_one_tells_a_tie() -> None:
    made = model({"o": ((1, CELLS_320, 9), ARITHMETIC)}, parts=4)
    with pytest.raises(CardError, match="more than one"):
        recognise(made).best()

    def answer(o: Objects) -> Mapping[str, np.ndarray]:
        boxes, scores = grid(o, CELLS_320)
        ones = np.ones((len(boxes), 1))
        return {"o": np.concatenate([boxes, ones, scores], axis=1)[None].astype(np.float32)}

    assert chosen(made, answer).family == "yolov6"


def test_more_classes_than_guessed_widen_the_list() -> None:
    card = chosen(FINISHED, finished("x1 y1 x2 y2 score class", first_class=85))
    assert len(card.classes) == 91
    assert card.classes[1] == "person"
    card = chosen(FINISHED, finished("x1 y1 x2 y2 score class", first_class=300))
    assert (len(card.classes), card.classes[0]) == (365, "class 0")


def behind(o: Objects, kind: str) -> Mapping[str, np.ndarray]:
    """A pose or an oriented head without metadata: other columns behind the class scores."""
    answer = v8(o)
    boxes = answer[0, :4]
    if kind == "pose":
        visible = np.full((1, boxes.shape[1]), 0.5)
        points = [np.concatenate([boxes[:2] + 3 * k, visible]) for k in range(5)]
        return {"o": np.concatenate([boxes, answer[0, 4:5], *points])[None].astype(np.float32)}
    angle = np.linspace(-0.7, 2.3, boxes.shape[1])[None]
    return {"o": np.concatenate([answer[0], angle])[None].astype(np.float32)}


@pytest.mark.parametrize(
    ("kind", "width", "columns", "task"),
    [
        ("pose", 20, "cx cy w h scores*1 keypoints*15", "pose"),
        ("obb", 9, "cx cy w h scores*4 angle", "oriented"),
    ],
)
def test_columns_behind_the_scores_are_told_by_their_values(
    kind: str, width: int, columns: str, task: str
) -> None:
    made = model({"o": ((1, width, CELLS_320), ARITHMETIC)}, parts=2)
    card = chosen(made, lambda o: behind(o, kind))
    assert (card.decode["columns"], card.task) == (columns, task)
    assert len(card.classes) == (1 if kind == "pose" else 4)


def test_the_metadatas_task_says_it_as_well() -> None:
    metadata = {"task": "pose", "names": "{0: 'cat'}"}
    made = model({"o": ((1, 20, CELLS_320), ARITHMETIC)}, parts=2, metadata=metadata)
    card = chosen(made, lambda o: behind(o, "pose"))
    assert (card.decode["columns"], card.classes) == ("cx cy w h scores*1 keypoints", ("cat",))


# ---- what is refused, with the lines of the card that cure it


def in_logits(o: Objects) -> Mapping[str, np.ndarray]:
    given = v8(o)
    given[:, 4:] = np.log(given[:, 4:] + 1e-3) - np.log(1 - given[:, 4:] + 1e-3)
    return {"o": given}


def test_a_family_said_by_the_user_does_not_switch_the_looking_off() -> None:
    with pytest.raises(CardError, match="logits"):
        settle_reading(recognise(V8, "yolov8"), Head(in_logits), images(False))


def test_logits_are_refused_and_the_card_cures_it(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="logits") as raised:
        chosen(V8, in_logits)
    assert 'activation = "sigmoid"' in str(raised.value)
    card = tmp_path / "card.toml"
    card.write_text('[decode]\nactivation = "sigmoid"\n')
    assert settle_reading(recognise_with_card(card, V8), Head(in_logits), images(False))


@pytest.mark.parametrize(("form", "looks_like"), [("x1 y1 x2 y2", "corners"), ("cy cx h w", "y first")])
def test_other_boxes_are_noticed_without_truth_where_they_leave_the_image(form: str, looks_like: str) -> None:
    """What stays inside is noticed against the truth: test_reference.py."""
    with pytest.raises(CardError, match=looks_like) as raised:
        chosen(V8, lambda o: {"o": v8(o, form=form)})
    assert f'columns = "{form} scores"' in str(raised.value)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (np.nan, "no numbers"),
        (np.inf, "no numbers"),
        (0.0, "bit for bit"),
        (1.0, "bit for bit"),
    ],
)
def test_dead_models_are_refused(wrong: float, says: str) -> None:
    with pytest.raises(CardError, match=says):
        chosen(V8, lambda o: {"o": np.full((1, 8, CELLS_320), wrong, np.float32)})


def test_a_dead_classifier_is_refused() -> None:
    made = model({"o": ((1, 5), ("Softmax",))})

    class Dead(Head):
        def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {"o": np.full((1, 5), 0.2, np.float32)}

    with pytest.raises(CardError, match="bit for bit"):
        settle_reading(recognise(made), Dead(lambda o: {}), images(False))


def test_empty_rows_of_finished_detections_are_no_fault() -> None:
    """Nothing found is an answer; whether it is one for every image is asked over the whole data set."""
    assert chosen(FINISHED, lambda o: {"o": np.zeros((1, 300, 6), np.float32)}).family == "end2end"


def test_one_based_numbers_beyond_the_list(tmp_path: Path) -> None:
    metadata = {"names": str(list(CLASSES)), "task": "detect"}
    made = model({"o": ((1, 300, 6), ARITHMETIC)}, metadata=metadata)

    def answer(o: Objects) -> Mapping[str, np.ndarray]:
        given = rows(o, "x1 y1 x2 y2 score class", first_class=1)
        return {"o": given[:, : len(o.scores)]}

    with pytest.raises(CardError, match="start at 1") as raised:
        chosen(made, answer)
    assert "first_class = 1" in str(raised.value)
    path = tmp_path / "card.toml"
    path.write_text("[decode]\nfirst_class = 1\n")
    check_card(read_card(path, made), Head(answer), images())


def test_empty_rows_do_not_hide_that_numbers_start_at_1() -> None:
    metadata = {"names": str(list(CLASSES)), "task": "detect"}
    made = model({"o": ((1, 300, 6), ARITHMETIC)}, metadata=metadata)
    with pytest.raises(CardError, match="start at 1"):
        chosen(made, finished("x1 y1 x2 y2 score class", first_class=1))  # zeros behind the detections


@pytest.mark.parametrize("form", ["y1 x1 y2 x2", "x1 y1 w h", "cx cy w h"])
def test_fractions_in_another_order_are_cured_by_one_card(form: str, tmp_path: Path) -> None:
    answer = finished(f"{form} score class", fractions=True)
    with pytest.raises(CardError) as raised:
        chosen(FINISHED, answer)
    lines = [line.strip() for line in str(raised.value).splitlines() if " = " in line]
    assert lines == ['units = "fractions"', f'columns = "{form} score class"']
    card = tmp_path / "card.toml"
    card.write_text("\n".join(["[decode]", *lines]))
    settle_reading(recognise_with_card(card, FINISHED), Head(answer), images(False))


@pytest.mark.parametrize("columns", ["class y1 x1 y2 x2 score", "class score cx cy w h"])
@pytest.mark.parametrize("n_classes", [1, 2, len(CLASSES)])
def test_a_class_number_is_no_side_of_a_box(columns: str, n_classes: int) -> None:
    """Class number and fractions, read as a set in pixels, are boxes of less than a pixel."""

    def answer(o: Objects) -> Mapping[str, np.ndarray]:
        return {"o": rows(Objects(o.boxes, o.classes % n_classes, o.scores), columns, fractions=True)}

    with pytest.raises(CardError, match="misread"):
        chosen(FINISHED, answer)


@pytest.mark.parametrize("n_queries", [100, CELLS_320])
def test_a_crowd_is_no_background(n_queries: int) -> None:
    named = {"names": str(list(CLASSES)), "task": "detect"}
    made = model({"l": ((1, n_queries, 4), ()), "b": ((1, n_queries, 4), ("Sigmoid",))}, metadata=named)

    def answer(o: Objects) -> Mapping[str, np.ndarray]:
        boxes, scores = grid(o, n_queries)
        scores[: int(0.7 * n_queries), 0] = 0.9
        logits = np.log(scores + 1e-3) - np.log(1 - scores + 1e-3)
        return {"l": logits[None].astype(np.float32), "b": (boxes / SIZE)[None].astype(np.float32)}

    card = chosen(made, answer)
    assert (card.decode["background"], len(card.classes)) == ("none", 4)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_no_object_that_is_not_sure_is_found_all_the_same(share: float) -> None:
    """The first DETR without names: logarithms of probabilities, none of which a sigmoid brings to a half."""
    made = model({"l": ((1, 100, 5), ()), "b": ((1, 100, 4), ("Sigmoid",))})

    def answer(o: Objects) -> Mapping[str, np.ndarray]:
        boxes, scores = grid(o, 100)
        scores = scores + np.random.default_rng(3).uniform(0, (1 - share) / 4, scores.shape)
        rest = np.maximum(1 - scores.sum(axis=1, keepdims=True), 1e-3)
        chances = np.concatenate([scores, rest], axis=1) + 1e-6
        logits = np.log(chances / chances.sum(axis=1, keepdims=True))
        return {"l": logits[None].astype(np.float32), "b": (boxes / SIZE)[None].astype(np.float32)}

    card = chosen(made, answer)
    assert (card.decode["activation"], card.decode["background"], len(card.classes)) == ("softmax", "last", 4)


def test_class_numbers_beyond_a_named_list_are_no_index_error() -> None:
    metadata = {"names": str(list(CLASSES)), "task": "detect"}
    made = model({"o": ((1, 300, 6), ARITHMETIC)}, metadata=metadata)
    with pytest.raises(CardError, match="longer list"):
        chosen(made, finished("x1 y1 x2 y2 score class", first_class=40))
