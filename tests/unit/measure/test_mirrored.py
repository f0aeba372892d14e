"""Whether boxes give x or y first is told by mirror images, without truth, where nothing else says it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from misread import CLASSES, SIZE, Answer, Head, Objects, grid, images, objects

from paredown._measure.feeding.mirrored import exchanged
from paredown._measure.feeding.probe import choose_card
from paredown._measure.feeding.reading import settle_reading
from paredown.errors import CardError
from paredown.families.cards import recognise_with_card
from paredown.families.recognition import recognise

sys.path.insert(0, str(Path(__file__).parents[1] / "families"))
from made_up_models import model

N = len(CLASSES) + 1
SSD = model({"b": ((1, 500, 4), ("Mul", "Concat")), "s": ((1, 500, N), ("Sigmoid",))})
FINISHED = {
    how: model({"b": ((1, 20, 4), ("Mul",)), "s": ((1, 20), (how,)), "c": ((1, 20), ("Cast",))})
    for how in ("TopK", "NonMaxSuppression")
}


def ssd(form: str) -> Answer:
    def answer(o: Objects) -> Mapping[str, np.ndarray]:
        boxes, scores = grid(o, 500, form=form)
        scores = np.concatenate([scores, scores[:, :1] * 0.1], axis=1)
        return {"b": (boxes / SIZE)[None].astype(np.float32), "s": scores[None]}

    return answer


def finished(form: str) -> Answer:
    def answer(o: Objects) -> Mapping[str, np.ndarray]:
        n = len(o.scores)
        boxes, scores, classes = np.zeros((1, 20, 4)), np.zeros((1, 20)), np.zeros((1, 20))
        columns = dict(zip(("x1", "y1", "x2", "y2"), o.boxes.T / SIZE, strict=True))
        boxes[0, :n] = np.stack([columns[word] for word in form.split()], axis=1)
        scores[0, :n], classes[0, :n] = o.scores, o.classes
        return {k: v.astype(np.float32) for k, v in {"b": boxes, "s": scores, "c": classes}.items()}

    return answer


@pytest.mark.parametrize("form", ["x1 y1 x2 y2", "y1 x1 y2 x2"])
@pytest.mark.parametrize("head", ["ssd", *FINISHED])
def test_the_order_of_the_axes_is_told_without_truth(form: str, head: str, tmp_path: Path) -> None:
    made, answer = (SSD, ssd(form)) if head == "ssd" else (FINISHED[head], finished(form))
    file = tmp_path / "card.toml"
    file.write_text('[input]\nfit = "stretch"\n')  # a letterbox's borders would tell as well
    card = settle_reading(recognise_with_card(file, made), Head(answer), images(False)).cards[0]
    assert card.decode["columns"] == form
    assert ("mirror images tell" in card.origin["family"]) is (form == "y1 x1 y2 x2")


def test_what_a_card_says_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "card.toml"
    file.write_text('[decode]\ncolumns = "x1 y1 x2 y2"\n[input]\nfit = "stretch"\n')
    found = recognise_with_card(file, SSD)
    assert settle_reading(found, Head(ssd("y1 x1 y2 x2")), images(False)).cards[0].decode["columns"] == (
        "x1 y1 x2 y2"
    )


def test_where_the_mirror_shows_nothing_the_usual_order_stays() -> None:
    """The same boxes wherever the objects are: a net that is fed wrongly."""
    same = objects(3)

    def answer(o: Objects) -> Mapping[str, np.ndarray]:
        return ssd("x1 y1 x2 y2")(Objects(same.boxes, same.classes, o.scores))

    card = settle_reading(recognise(SSD), Head(answer), images(False)).cards[0]
    assert card.decode["columns"] == "x1 y1 x2 y2"


@pytest.mark.parametrize(
    ("columns", "other"),
    [("cx cy w h scores", "cy cx h w scores"), ("class y1 x1 y2 x2 score", "class x1 y1 x2 y2 score")],
)
def test_only_the_words_of_the_box_change_places(columns: str, other: str) -> None:
    (card, *_) = recognise(SSD).best().cards
    changed = exchanged(card.__class__(**{**vars(card), "decode": {"columns": columns}}))
    assert changed.decode["columns"] == other


def test_truth_for_another_task_is_no_truth() -> None:
    """A segmenter beside images with boxes: asked how it is fed, as without truth."""

    class Maps(Head):
        def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {"o": feeds["image"].repeat(2, axis=1)}

    made = model({"o": ((1, 6, SIZE, SIZE), ())})
    with pytest.raises(CardError, match=r"the truth of 'made' is for another task \(detect\)"):
        choose_card(recognise(made), Maps(ssd("x1 y1 x2 y2")), images())
