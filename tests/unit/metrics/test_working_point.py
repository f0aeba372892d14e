"""What a detector does at its working confidence: mAP50, precision, small false alarms, curves, confusion."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.detections import Detections
from paredown.metrics import METRICS
from paredown.metrics.box_confusion import box_confusion, confusion_curves
from paredown.metrics.confusion import NONE
from paredown.metrics.detection import map50
from paredown.metrics.detection_curves import detection_curves
from paredown.metrics.matching import match
from paredown.metrics.tally import DetectionTally
from paredown.sample import Labels

BIG, SMALL, OTHER = [0, 0, 100, 100], [200, 200, 220, 220], [300, 300, 310, 310]


def truth(*boxes, classes=None) -> Labels:
    b = np.array(boxes, np.float32).reshape(-1, 4)
    area = (b[:, 2:] - b[:, :2]).prod(-1)
    kinds = np.array(classes or [0] * len(b), np.int64)
    return Labels(b, kinds, np.zeros(len(b), bool), area)


def found(*boxes, scores, classes=None) -> Detections:
    kinds = np.array(classes or [0] * len(boxes), np.int64)
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), kinds)


def tally(predictions, truths, classes=1) -> DetectionTally:
    matches = match(predictions, truths, classes, 0.25)
    return DetectionTally(matches, np.ones((1, len(truths)), np.int64))


def value(name: str, t: DetectionTally) -> float:
    return float(METRICS[name].compute(t)[0])


def test_what_lies_below_the_working_confidence_is_not_found():
    t = tally([found(BIG, SMALL, scores=[0.9, 0.1])], [truth(BIG, SMALL)])
    assert float(map50(t)[0]) == pytest.approx(1.0)
    assert value("map50_at_conf", t) == pytest.approx(51 / 101)  # recalls 0 .. 0.5 of 101 are reached
    sure = tally([found(BIG, SMALL, scores=[0.9, 0.3])], [truth(BIG, SMALL)])
    assert value("map50_at_conf", sure) == pytest.approx(1.0)


def test_precision_counts_what_is_shown():
    t = tally([found(BIG, OTHER, SMALL, scores=[0.9, 0.5, 0.1])], [truth(BIG)])
    assert value("precision_at_conf", t) == 0.5


def test_small_false_alarms_are_small_and_find_nothing():
    images = [found(SMALL, OTHER, [400, 0, 500, 99], scores=[0.9, 0.8, 0.7]), found(OTHER, scores=[0.1])]
    assert value("small_false_alarms", tally(images, [truth(SMALL), truth()])) == 0.5  # OTHER on one of two
    near = found([2, 2, 29, 29], scores=[0.9])  # small itself, and finds what is a little larger
    assert value("small_false_alarms", tally([near], [truth([0, 0, 33, 33])])) == 0


def test_the_f1_curve_has_its_peak_where_best_f1_says():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 400, (40, 8, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(20, 90, (40, 8, 2))], axis=2)
    truths = [truth(*b[:6]) for b in boxes]
    said = [found(*(b + rng.normal(0, 4, b.shape)), scores=rng.uniform(0, 1, 8)) for b in boxes]
    t = tally(said, truths)
    curves = detection_curves(t.matches)
    assert max(curves["f1"]) == pytest.approx(float(t.best_f1[0, 2]), abs=0.02)
    assert len(curves["f1_confidence"]) == len(curves["f1_recall"]) == 100
    assert curves["f1_recall"][0] >= curves["f1_recall"][50] >= curves["f1_recall"][99]


def test_sizes_are_counted_apart():
    curves = detection_curves(tally([found(BIG, OTHER, scores=[0.9, 0.8])], [truth(BIG, SMALL)]).matches)
    assert curves["size_truths"] == (1.0, 0.0, 1.0)
    assert curves["size_missed"] == (1.0, 0.0, 0.0)
    assert curves["size_false"] == (1.0, 0.0, 0.0)
    assert detection_curves(tally([found(BIG, scores=[0.9])], [truth()]).matches) == {}


def test_confusion_is_by_place_and_has_what_is_missed_and_what_is_made_up():
    said = [found(BIG, SMALL, OTHER, scores=[0.9, 0.8, 0.7], classes=[1, 0, 1])]
    cells = box_confusion(said, [truth(BIG, SMALL, [500, 500, 600, 600], classes=[0, 0, 1])], 0.25)
    assert cells == {(0, 1): 1, (0, 0): 1, (1, NONE): 1, (NONE, 1): 1}
    assert box_confusion(said, [truth(BIG, SMALL, classes=[0, 0])], 0.95) == {(0, NONE): 2}


def test_of_two_boxes_on_one_object_the_nearer_takes_it():
    said = [found(BIG, [0, 0, 90, 100], scores=[0.5, 0.9], classes=[0, 1])]
    assert box_confusion(said, [truth(BIG)], 0.25) == {(0, 0): 1, (NONE, 1): 1}


def test_confusion_as_curves():
    curves = confusion_curves([found(BIG, scores=[0.9])], [truth(BIG)], 0.25)
    assert curves == {"confusion_true": (0.0,), "confusion_said": (0.0,), "confusion_count": (1.0,)}
    assert confusion_curves([found(scores=[])], [truth()], 0.25)["confusion_true"] == ()
