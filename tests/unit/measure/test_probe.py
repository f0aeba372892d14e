"""The probe on made-up sessions that answer rightly only when they are fed rightly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest

from paredown._measure.feeding.answers import LOOKED_AT
from paredown._measure.feeding.probe import choose_card
from paredown.card import Card, Preprocess
from paredown.errors import CardError
from paredown.families.family import Match
from paredown.families.label_maps import unnamed_classes
from paredown.families.recognition import Recognition
from paredown.model import TensorSpec
from paredown.preprocessing.values import describe
from paredown.sample import Dataset, Labels, Sample, Truth

SIZE = (32, 32)
RGB = Preprocess(SIZE, fit="stretch")
BGR = replace(RGB, colour="bgr")
RAW = replace(RGB, scale=1.0)


@dataclass
class Answering:
    """A session that computes its answer from the tensor by a plain function."""

    answer: Callable[[np.ndarray], dict[str, np.ndarray]]
    runs: int = 0
    inputs = (TensorSpec("image", (1, 3, *SIZE), "float32"),)
    outputs = ()

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.runs += 1
        return self.answer(feeds["image"])


def recognised(*hows: Preprocess, n_classes: int, settled: bool, family: str = "classifier") -> Recognition:
    task = "classify" if family == "classifier" else "detect"
    base = Card(
        family, task, RGB, unnamed_classes(n_classes), origin={"family": "test", "classes": "unnamed"}
    )
    cards = tuple(replace(base, preprocess=how) for how in hows)
    return Recognition((Match(cards, 0.8, "test", settled=settled),), "a model")


def dataset(
    truths: list[Truth], classes: tuple[str, ...], shade: Callable[[int], tuple[int, ...]]
) -> Dataset:
    def sample(i: int, truth: Truth) -> Sample:
        image = np.full((*SIZE, 3), shade(i), np.uint8)
        return Sample(f"{i}.png", lambda: image, lambda: str(i), truth)

    samples = tuple(sample(i, t) for i, t in enumerate(truths))
    return Dataset("made", "plain", "", classes, samples)


def redness(tensor: np.ndarray) -> dict[str, np.ndarray]:
    """Class 0 for blue images, class 1 for red ones, sure of it only on the scale 0..1."""
    red, blue = tensor[0, 0].mean(), tensor[0, 2].mean()
    certain = 8.0 if tensor.max() <= 1 else 0.01 / 255
    return {"o": np.array([[certain * blue, certain * red]], np.float32)}


COLOURS: Callable[[int], tuple[int, ...]] = lambda i: (250, 0, 0) if i % 2 else (0, 0, 250)  # noqa: E731
ALTERNATING: list[Truth] = [i % 2 for i in range(20)]


def test_the_right_colour_order_and_scale_win() -> None:
    images = dataset(ALTERNATING, ("blue", "red"), COLOURS)
    found = recognised(BGR, RAW, RGB, n_classes=2, settled=False)
    card = choose_card(found, Answering(redness), images, n=10)
    assert card.preprocess == RGB
    assert card.classes == ("blue", "red")
    assert "10 images with truth: top-1 1.00" in card.origin["preprocessing"]
    assert "data set 'made'" in card.origin["classes"]


def test_without_truth_a_convention_holds_however_sure_the_others_look() -> None:
    images = dataset([None] * 6, (), COLOURS)
    session = Answering(redness)  # on the scale 0..1 it is sure, on 0..255 it is not
    card = choose_card(recognised(RAW, RGB, n_classes=2, settled=True), session, images)
    assert card.preprocess == RAW
    assert "the images have no truth" in card.origin["preprocessing"]
    assert session.runs == LOOKED_AT  # only to see that the answers can be right


def test_without_truth_and_convention_it_is_asked_however_sure_one_looks() -> None:
    images = dataset([None] * 6, (), COLOURS)
    with pytest.raises(CardError, match="not known") as raised:
        choose_card(recognised(RAW, BGR, RGB, n_classes=2, settled=False), Answering(redness), images)
    said = str(raised.value)
    assert "--scale 0..255" in said
    assert "--scale 0..1 --colour bgr" in said
    assert "card.toml" in said


def test_a_saturated_net_does_not_win_by_being_sure() -> None:
    """Both scales are right as often; the wrong one is certain when it is wrong."""

    def answer(tensor: np.ndarray) -> dict[str, np.ndarray]:
        redder = float(tensor[0, 0].mean() - tensor[0, 2].mean())
        return {"o": np.array([[0, (4.0 if tensor.max() <= 1 else 1.0) * redder]], np.float32)}

    truths: list[Truth] = [i % 2 if i % 5 else 1 - i % 2 for i in range(60)]  # a fifth is labelled wrongly
    images = dataset(truths, ("blue", "red"), COLOURS)
    card = choose_card(recognised(RAW, RGB, n_classes=2, settled=False), Answering(answer), images)
    assert card.preprocess == RGB


def test_a_background_class_is_found() -> None:
    def with_background(tensor: np.ndarray) -> dict[str, np.ndarray]:
        return {"o": np.concatenate([[[-9.0]], redness(tensor)["o"]], axis=1)}

    images = dataset(ALTERNATING, ("blue", "red"), COLOURS)
    card = choose_card(recognised(RGB, n_classes=3, settled=False), Answering(with_background), images)
    assert card.classes == ("background", "blue", "red")


def test_a_settled_default_stays_unless_clearly_beaten() -> None:
    images = dataset(ALTERNATING, ("blue", "red"), lambda i: (90, 90, 90))
    same = recognised(BGR, RGB, n_classes=2, settled=True)
    assert choose_card(same, Answering(redness), images).preprocess == BGR
    images = dataset(ALTERNATING, ("blue", "red"), COLOURS)
    assert choose_card(same, Answering(redness), images).preprocess == RGB


def test_a_tie_with_truth_is_asked_with_the_options_that_say_it() -> None:
    images = dataset(ALTERNATING, ("blue", "red"), lambda i: (90, 90, 90))
    found = recognised(RGB, BGR, n_classes=2, settled=False)
    with pytest.raises(CardError, match="can be chance") as raised:
        choose_card(found, Answering(redness), images)
    assert "--colour bgr" in str(raised.value)


def test_a_difference_on_three_images_is_no_evidence() -> None:
    images = dataset(ALTERNATING[:3], ("blue", "red"), COLOURS)
    with pytest.raises(CardError, match="3 images with truth"):
        choose_card(recognised(BGR, RGB, n_classes=2, settled=False), Answering(redness), images)
    stays = choose_card(recognised(BGR, RGB, n_classes=2, settled=True), Answering(redness), images)
    assert stays.preprocess == BGR
    assert "can be chance" in stays.origin["preprocessing"]


def test_more_images_are_asked_only_where_the_first_do_not_decide() -> None:
    images = dataset([i % 2 for i in range(120)], ("blue", "red"), COLOURS)
    clear, tied = Answering(redness), Answering(redness)
    choose_card(recognised(BGR, RGB, n_classes=2, settled=False), clear, images, n=20)
    assert clear.runs == 2 * LOOKED_AT + 2 * 20  # what was chosen is looked at as well
    with pytest.raises(CardError, match="120 images"):
        choose_card(recognised(RGB, replace(RGB, fit="crop"), n_classes=2, settled=False), tied, images, n=20)
    assert tied.runs == LOOKED_AT + 2 * 120


def test_a_classifier_that_is_never_right_is_not_taken_for_one_of_these_classes() -> None:
    images = dataset(ALTERNATING[::-1], ("red", "blue"), COLOURS)
    wrong = recognised(RGB, replace(RGB, fit="crop"), n_classes=2, settled=False)
    with pytest.raises(CardError, match="which classes"):
        choose_card(wrong, Answering(redness), images)


def test_where_nothing_is_to_choose_the_answers_are_still_looked_at() -> None:
    session = Answering(redness)
    images = dataset(ALTERNATING, ("blue", "red"), COLOURS)
    card = choose_card(recognised(RGB, n_classes=2, settled=True), session, images)
    assert (session.runs, card.classes) == (LOOKED_AT, ("blue", "red"))


def labels(cls: int) -> Labels:
    box = np.array([[8, 8, 24, 24]], np.float32)
    return Labels(box, np.array([cls]), np.zeros(1, bool), np.array([256], np.float32))


def boxes_of(cls: int) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """The same box in every image, with a score that depends a little on the image."""
    return lambda tensor: {
        "o": np.array([[[8, 8, 24, 24, 0.9 + 1e-3 * tensor[0, 0].mean(), cls]]], np.float32)
    }


def test_a_nameless_detector_is_named_by_what_it_finds() -> None:
    images = dataset([labels(1)] * 8, ("cat", "dog"), COLOURS)
    found = recognised(RGB, n_classes=1, settled=True, family="end2end")
    card = choose_card(found, Answering(boxes_of(0)), images)
    assert card.classes == ("dog",)
    assert "8 of 8" in card.origin["classes"]


def test_a_nameless_detector_of_nothing_known_stays_nameless() -> None:
    images = dataset([labels(i % 2) for i in range(8)], ("cat", "dog"), COLOURS)
    found = recognised(RGB, n_classes=1, settled=True, family="end2end")
    assert choose_card(found, Answering(boxes_of(0)), images).classes == ("class 0",)


def test_a_tie_of_a_nameless_detector_is_asked_though_it_finds_one_in_fifteen() -> None:
    """All objects count while nothing names its class: a low score says nothing about its classes."""
    places = np.arange(14, dtype=np.float32)[:, None] + np.array([0, 0, 2, 2], np.float32)
    boxes = np.concatenate([[[8, 8, 24, 24]], places]).astype(np.float32)
    crowd = Labels(boxes, np.ones(15, np.int64), np.zeros(15, bool), np.full(15, 4.0, np.float32))
    images = dataset([crowd] * 8, ("cat", "dog"), COLOURS)
    found = recognised(RGB, BGR, n_classes=1, settled=False, family="end2end")
    with pytest.raises(CardError, match="can be chance") as raised:
        choose_card(found, Answering(boxes_of(0)), images)
    assert "--colour bgr" in str(raised.value)


@pytest.mark.parametrize(("number", "settled"), [(1, False), (1, True), (5, False), (5, True)])
def test_few_classes_of_cocos_names_have_cocos_numbers_or_their_own(number, settled) -> None:
    """Persons and buses: a model of these two says 0 and 1, one of COCO's classes 0 and 5."""

    def answer(tensor: np.ndarray) -> dict[str, np.ndarray]:
        return boxes_of(number if tensor[0, 0].mean() > tensor[0, 2].mean() else 0)(tensor)

    images = dataset([labels(i % 2) for i in range(40)], ("person", "bus"), COLOURS)
    (match,) = recognised(RGB, n_classes=80, settled=settled, family="end2end").matches
    found = Recognition((replace(match, open_classes=True),), "a model")
    classes = choose_card(found, Answering(answer), images).classes
    assert classes.index("bus") == number
    assert classes.index("person") == 0


def test_classes_in_another_order_are_noticed() -> None:
    images = dataset([labels(1)] * 8, ("cat", "dog"), COLOURS)
    found = recognised(RGB, BGR, n_classes=2, settled=True, family="end2end")
    with pytest.raises(CardError, match="order"):
        choose_card(found, Answering(boxes_of(0)), images)


def test_describe() -> None:
    assert describe(RGB) == "RGB, 0..1, stretch"
    assert describe(replace(RGB, fit="letterbox")) == "RGB, 0..1, letterbox (pad 114)"
    caffe = replace(BGR, scale=1.0, mean=(104.0, 117.0, 123.0), fit="crop")
    assert describe(caffe) == "BGR, 0..255 minus (104, 117, 123) (about -123..151), crop"


def test_only_images_with_truth_are_tried() -> None:
    truths: list[Truth] = [None] * 100
    for i in range(40, 60):
        truths[i] = i % 2
    session = Answering(redness)
    found = recognised(BGR, RGB, n_classes=2, settled=False)
    card = choose_card(found, session, dataset(truths, ("blue", "red"), COLOURS))
    assert card.preprocess == RGB
    assert session.runs == 2 * LOOKED_AT + 2 * 20


def test_what_differs_by_half_a_pixel_is_no_tie() -> None:
    """(pixel - 127) / 128 and -1..1 feed the same but for rounding: the first of the two is taken."""
    half = replace(RGB, scale=1.0, mean=(127.5,) * 3, std=(127.5,) * 3)
    ultraface = replace(RGB, scale=1.0, mean=(127.0,) * 3, std=(128.0,) * 3)
    images = dataset(ALTERNATING, ("blue", "red"), COLOURS)

    def answer(tensor: np.ndarray) -> dict[str, np.ndarray]:
        difference = 3 * float(tensor[0, 0].mean() - tensor[0, 2].mean())
        return {"o": np.array([[0, difference]], np.float32)}

    found = recognised(BGR, half, ultraface, n_classes=2, settled=False)
    assert choose_card(found, Answering(answer), images).preprocess == half


def test_a_refusal_has_lines_of_its_own() -> None:
    images = dataset([None] * 6, (), COLOURS)
    with pytest.raises(CardError) as raised:
        choose_card(recognised(RAW, BGR, RGB, n_classes=2, settled=False), Answering(redness), images)
    said = str(raised.value)
    assert "\\n" not in said
    assert len([line for line in said.splitlines() if line.strip().startswith("--")]) == 3
