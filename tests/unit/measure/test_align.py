"""A data set's classes become the model's."""

from __future__ import annotations

import numpy as np
import pytest

from paredown._measure.align import align
from paredown.card import Card, Preprocess
from paredown.detections import NO_CLASS, ClassMap
from paredown.errors import DataError
from paredown.sample import Dataset, Labels, Sample, Truth


def card(*classes: str, task: str = "detect") -> Card:
    return Card("any", task, Preprocess((8, 8)), classes)  # type: ignore[arg-type]


def labels(*classes: int) -> Labels:
    n = len(classes)
    return Labels(
        np.zeros((n, 4), np.float32), np.array(classes, np.int64), np.zeros(n, bool), np.ones(n, np.float32)
    )


def dataset(classes: tuple[str, ...], *truths: Truth) -> Dataset:
    samples = tuple(
        Sample(f"{i}.png", lambda: np.zeros((8, 8, 3), np.uint8), str, t) for i, t in enumerate(truths)
    )
    return Dataset("made", "coco", ".", classes, samples)


def classes_of(found: Dataset) -> list[object]:
    return [s.truth.classes.tolist() if isinstance(s.truth, Labels) else s.truth for s in found]


def test_by_name_whatever_the_spelling():
    data = dataset(
        ("tvmonitor", "aeroplane", "Potted-Plant", "diningtable", "motorbike"), labels(0, 1, 2, 3, 4)
    )
    known = ("airplane", "motorcycle", "potted plant", "dining table", "tv")
    found, notes = align(data, card(*known))
    assert classes_of(found) == [[4, 0, 2, 3, 1]]
    assert found.classes == known
    (note,) = notes  # what became of the numbers is said
    assert "5 of the data set's 5" in note
    assert "tvmonitor 0 -> 4, aeroplane 1 -> 0, motorbike 4 -> 1" in note


def test_truths_of_unknown_classes_are_dropped_and_counted_their_images_stay():
    data = dataset(("cat", "unicorn"), labels(1, 0, 1), labels(1))
    found, notes = align(data, card("dog", "cat"))
    assert classes_of(found) == [[1], []]
    assert "cat 0 -> 1" in notes[0]
    assert notes[1:] == ("3 truths were left out: the model does not know unicorn",)
    assert notes == found.notes


def test_aligning_twice_changes_nothing():
    once, _ = align(dataset(("cat", "unicorn"), labels(1, 0)), card("dog", "cat"))
    assert align(once, card("dog", "cat")) == (once, ())


def test_no_shared_class_names_both_lists_and_the_card():
    with pytest.raises(DataError) as error:
        align(dataset(("cat", "dog"), labels(0)), card("bolt", "nut"))
    for word in ("cat, dog", "bolt, nut", "card.toml"):
        assert word in str(error.value)


def test_without_truth_nothing_is_done():
    data = dataset((), None, None)
    assert align(data, card("cat")) == (data, ())


def test_truth_for_another_task_is_refused():
    with pytest.raises(DataError, match="another"):
        align(dataset(("cat",), 0), card("cat"))


def test_class_numbers_move_past_a_background_named_or_counted():
    data = dataset(("0", "7", "999"), 0, 1, 2)
    numbered = tuple(f"class {i}" for i in range(1001))
    found, notes = align(data, card(*numbered, task="classify"))
    assert classes_of(found) == [1, 8, 1000]
    assert "background" in notes[0]
    found, _ = align(dataset((), 0, 7), card(*map(str, range(1001)), task="classify"))
    assert classes_of(found) == [1, 8]
    found, _ = align(dataset((), 0, 1), card("background", "cat", "dog", task="classify"))
    assert classes_of(found) == [1, 2]


def test_class_numbers_stay_where_there_is_no_background():
    found, notes = align(dataset(("0", "7"), 0, 1), card(*map(str, range(1000)), task="classify"))
    assert classes_of(found) == [0, 7]
    assert notes == ()


def test_digits_that_are_names_are_matched_as_names():
    found, _ = align(dataset(("50", "30"), labels(0, 1)), card("30", "50", "80"))
    assert classes_of(found) == [[1, 0]]


def test_two_lists_that_name_different_classes_of_one_numbering_agree_by_place():
    """Tables of a few images of a thousand classes name what they show and number the rest."""
    known = ("0", "1", "electric ray", "cock", "4", "5")
    found, notes = align(dataset(("0", "shark", "2", "cock", "4"), 1, 3, 4), card(*known, task="classify"))
    assert classes_of(found) == [1, 3, 4]
    assert notes == ()


def test_a_list_in_another_order_is_matched_by_name_though_it_numbers_some():
    known = ("cock", "shark", "ray", "hen")
    found, _ = align(dataset(("0", "ray", "cock"), 1, 2), card(*known, task="classify"))
    assert classes_of(found) == [2, 0]


def test_a_model_that_does_not_name_its_classes_takes_the_data_sets_in_order():
    found, notes = align(dataset(("cat", "dog"), labels(1)), card("class0", "class1"))
    assert classes_of(found) == [[1]]
    assert "in their order" in notes[0]
    with pytest.raises(DataError, match="share no class"):
        align(dataset(("cat", "dog"), labels(1)), card("class0", "class1", "class2"))


def test_a_list_in_the_models_order_keeps_its_places_where_two_classes_have_one_name():
    names = ("crane", "cat", "crane")
    for known, wanted in ((("crane", "cat", "crane", "3"), [2, 0]), (("background", *names), [3, 1])):
        assert classes_of(align(dataset(names, 2, 0), card(*known, task="classify"))[0]) == wanted


def test_one_of_several_names_of_a_class_is_enough_where_it_is_clear():
    known = ("tench, Tinca tinca", "crane, bird", "crane, machine")
    found, notes = align(dataset(("Tinca tinca", "crane"), 0, 1), card(*known, task="classify"))
    assert classes_of(found) == [0, None]
    assert "1 truth was" in notes[0]


def pixels(names: tuple[str, ...], rows: list[list[int]], known: Card) -> tuple[object, tuple[str, ...]]:
    """The true map of one image in the model's classes, and the notes."""
    found, notes = align(dataset(names, ClassMap.of(np.array(rows))), known)
    truth = found.samples[0].truth
    assert isinstance(truth, ClassMap)
    return truth.classes.tolist(), notes


def test_pixels_of_unknown_classes_are_a_segmenters_background_those_of_no_class_are_left_out():
    known = card("background", "cat", "car", task="segment")
    names = ("unlabeled", "truck", "cat", "sky")
    truth, notes = pixels(names, [[0, 1, 2, 3, NO_CLASS]], known)
    assert truth == [[NO_CLASS, 0, 1, 0, NO_CLASS]]
    assert "pixels of classes that the model does not know are its background: truck, sky" in notes
    assert notes[-1] == "1 area was left out: the model does not know unlabeled"


def test_pixels_of_unknown_classes_are_left_out_where_the_model_has_no_background():
    truth, notes = pixels(("road", "truck", "cat"), [[0, 1, 2]], card("road", "cat", task="segment"))
    assert truth == [[0, NO_CLASS, 1]]
    assert notes[-1] == "1 area was left out: the model does not know truck"


def test_boxes_of_unknown_classes_are_no_background():
    found, _ = align(dataset(("truck", "cat"), labels(0, 1)), card("background", "cat"))
    assert classes_of(found) == [[1]]


def test_a_map_that_shares_nothing_but_what_would_be_background_is_refused():
    with pytest.raises(DataError, match="share no class"):
        pixels(("truck", "sky"), [[0, 1]], card("background", "cat", task="segment"))


def test_numbers_of_a_map_count_the_background_already():
    """Pascal VOC's maps name nothing, and few images seldom show the last class."""
    known = card("background", "aeroplane", "bicycle", "bird", task="segment")
    assert pixels(("0", "1", "2"), [[0, 1, 2]], known) == ([[0, 1, 2]], ())
