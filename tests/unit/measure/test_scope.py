"""Some of a detector's classes, and other thresholds: what counts is what was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from paredown._measure.accuracy import accuracy
from paredown._measure.scope import Scope, choose_classes, said_of, true_of
from paredown.card import Card, Preprocess
from paredown.detections import ClassScores, Detections
from paredown.errors import UnknownName, UsageError
from paredown.sample import Dataset, Labels, Sample

CARD = Card("yolov8", "detect", Preprocess((64, 64)), ("person", "car", "motorcycle"), conf=0.25, iou=0.7)
BOXES = np.array([[0, 0, 20, 20], [30, 30, 60, 60]], np.float32)


def images(names=("person", "car", "motorcycle"), classes=(0, 1)) -> Dataset:
    truth = Labels(BOXES, np.array(classes), np.zeros(2, bool), np.array([400, 900], np.float32))
    empty = Labels(BOXES[:0], np.array([], np.int64), np.zeros(0, bool), np.zeros(0, np.float32))
    samples = tuple(Sample(f"{i}", lambda: None, lambda: "", t) for i, t in enumerate((truth, empty)))
    return Dataset("made up", "coco", "", tuple(names), samples)


def found(scores=(0.9, 0.8)) -> Detections:
    return Detections(BOXES, np.array(scores, np.float32), np.array([0, 1]))


NOTHING = Detections(BOXES[:0], np.zeros(0, np.float32), np.zeros(0, np.int64))


def test_names_are_the_models_or_the_data_sets():
    assert choose_classes((), images(), CARD) == ()
    assert choose_classes(("Person", "motorbike"), images(), CARD) == (0, 2)
    placeholders = Card("yolov8", "detect", Preprocess((64, 64)), ("class0", "class1", "class2"))
    assert choose_classes(("car",), images(), placeholders) == (1,)


def test_a_class_that_is_none_is_named_with_what_was_meant():
    with pytest.raises(UnknownName, match="person"):
        choose_classes(("persn",), images(), CARD)
    with pytest.raises(UsageError, match="detectors"):
        choose_classes(("a",), images(), Card("classifier", "classify", Preprocess((8, 8)), ("a",)))


def test_what_is_true_and_said_of_other_classes_counts_for_nothing():
    judged, chosen = Scope(("car",)).judged(images(), CARD)
    assert [s.truth.classes.tolist() for s in judged] == [[1], []]
    assert judged.notes[-1] == "judged on car alone"
    (said, _) = said_of([found(), NOTHING], chosen)
    assert said.classes.tolist() == [1]
    every = [found()]
    assert said_of(every, ()) is every
    with pytest.raises(UsageError):
        said_of([ClassScores(np.zeros(2, np.float32))], (0,))


def test_accuracy_of_one_class_is_that_class_alone():
    """A model that finds every car and no person: 0.5 of all, 1 of cars, 0 of persons."""
    cars = Detections(BOXES[1:], np.array([0.9], np.float32), np.array([1]))
    values = {}
    for names in ((), ("car",), ("person",)):
        judged, chosen = Scope(names).judged(images(), CARD)
        quantities, _ = accuracy(said_of([cars, NOTHING], chosen), judged, CARD, None)
        values[names] = next(q.value for q in quantities if q.name == "map50_95")
    assert values == {(): pytest.approx(0.5), ("car",): pytest.approx(1.0), ("person",): 0.0}


def test_doing_it_twice_notes_it_once():
    once = true_of(images(), (1,), CARD)
    assert true_of(once, (1,), CARD).notes == once.notes


def test_thresholds_go_into_the_card_and_must_be_some():
    card = Scope(conf=0.4, iou=0.45).on(CARD)
    assert (card.conf, card.iou) == (0.4, 0.45)
    assert Scope().on(CARD) == CARD
    with pytest.raises(UsageError, match="--conf"):
        Scope(conf=40.0)
