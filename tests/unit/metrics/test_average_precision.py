"""AP by hand, and our counting against faster-coco-eval."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import found, random_scenes, true

from paredown.boxes.iou import box_iou
from paredown.errors import DataError
from paredown.metrics import METRICS, coco
from paredown.metrics.matching import match
from paredown.metrics.tally import DetectionTally


def once(predictions, truths, classes=2, conf=0.25):
    return DetectionTally(match(predictions, truths, classes, conf), np.ones((1, len(truths)), np.int64))


def value(name, predictions, truths, classes=2, conf=0.25):
    return float(METRICS[name].compute(once(predictions, truths, classes, conf))[0])


def test_perfect_detections_have_ap_one():
    truths = [true((0, 0, 10, 10, 0), (20, 20, 60, 60, 1)), true((5, 5, 50, 50, 0))]
    predictions = [found((0, 0, 10, 10, 0.9, 0), (20, 20, 60, 60, 0.8, 1)), found((5, 5, 50, 50, 0.7, 0))]
    assert value("map50_95", predictions, truths) == 1
    assert coco.evaluate(predictions, truths, 2).values["map50_95"] == pytest.approx(1)


def test_half_the_truths_found_first():
    # a hit at .9, a false alarm at .8, two truths: precision 1 up to recall .5, which is 51 of 101 recalls
    truths = [true((0, 0, 100, 100, 0), (200, 200, 300, 300, 0))]
    predictions = [found((0, 0, 100, 100, 0.9, 0), (400, 0, 450, 50, 0.8, 0))]
    assert value("map50_95", predictions, truths) == pytest.approx(51 / 101)
    assert coco.evaluate(predictions, truths, 2).values["map50"] == pytest.approx(51 / 101)


def test_iou_decides_at_which_thresholds_a_detection_is_a_hit():
    truths = [true((0, 0, 100, 100, 0))]
    predictions = [found((0, 0, 100, 72, 0.9, 0))]  # IoU 0.72: a hit at .50 .55 .60 .65 .70
    assert value("map50", predictions, truths) == 1
    assert value("map75", predictions, truths) == 0
    assert value("map50_95", predictions, truths) == pytest.approx(0.5)


def test_what_lies_in_a_crowd_is_neither_right_nor_wrong():
    truths = [true((0, 0, 100, 100, 0), (200, 0, 400, 200, 0), crowd=(1,))]
    predictions = [found((210, 10, 250, 50, 0.95, 0), (260, 10, 300, 50, 0.93, 0), (0, 0, 100, 100, 0.9, 0))]
    assert value("map50_95", predictions, truths) == 1
    assert value("precision", predictions, truths) == 1
    assert value("miss_rate", predictions, truths) == 0


def test_only_the_best_of_two_detections_of_one_truth_is_a_hit():
    truths = [true((0, 0, 100, 100, 0))]
    predictions = [found((0, 0, 100, 90, 0.6, 0), (0, 0, 100, 100, 0.9, 0))]
    m = once(predictions, truths).matches
    assert m.score.tolist() == pytest.approx([0.9, 0.6])
    assert m.hit[0, 0].tolist() == [True, False]


def test_a_class_without_truth_is_nan_and_left_out_of_the_mean():
    truths = [true((0, 0, 100, 100, 0))]
    predictions = [found((0, 0, 100, 100, 0.9, 0), (0, 0, 100, 100, 0.99, 1))]
    result = coco.evaluate(predictions, truths, 3)
    assert result.class_ap[0] == pytest.approx(1)
    assert np.isnan(result.class_ap[1:]).all()
    assert result.values["map50_95"] == pytest.approx(1) == value("map50_95", predictions, truths, classes=3)


def test_best_f1_names_its_confidence():
    # .9 hit, .8 hit, .3 false, .2 hit; three truths. F1 at .8: 4/5; at .2: 6/7 is best
    truths = [true((0, 0, 9, 9, 0), (20, 0, 29, 9, 0), (40, 0, 49, 9, 0))]
    rows = [(0, 0, 9, 9, 0.9, 0), (20, 0, 29, 9, 0.8, 0), (60, 0, 69, 9, 0.3, 0), (40, 0, 49, 9, 0.2, 0)]
    assert value("f1", [found(*rows)], truths) == pytest.approx(6 / 7)
    assert value("precision", [found(*rows)], truths) == pytest.approx(3 / 4)
    assert value("recall", [found(*rows)], truths) == 1
    assert value("best_confidence", [found(*rows)], truths) == pytest.approx(0.2)
    assert value("miss_rate", [found(*rows)], truths) == pytest.approx(1 / 3)  # at the card's .25


def test_detections_of_equal_score_stand_or_fall_together():
    truths = [true((0, 0, 9, 9, 0))]
    predictions = [found((0, 0, 9, 9, 0.5, 0), (50, 0, 59, 9, 0.5, 0))]
    assert value("precision", predictions, truths) == 0.5


def test_nothing_detected_is_zero_and_no_truth_is_nan():
    assert value("map50_95", [found()], [true((0, 0, 9, 9, 0))]) == 0
    assert value("f1", [found()], [true((0, 0, 9, 9, 0))]) == 0
    assert np.isnan(value("map50_95", [found((0, 0, 9, 9, 0.5, 0))], [true()]))
    assert np.isnan(coco.evaluate([found((0, 0, 9, 9, 0.5, 0))], [true()], 2).values["map50_95"])
    assert coco.evaluate([found()], [true((0, 0, 9, 9, 0))], 2).values["map50_95"] == 0


def test_more_than_the_allowed_detections_are_cut_by_score():
    truths = [true((0, 0, 9, 9, 0))]
    rows = [(50, 0, 59, 9, 0.9, 0), (70, 0, 79, 9, 0.8, 0), (0, 0, 9, 9, 0.1, 0)]
    assert match([found(*rows)], truths, 1, 0.25, max_detections=3).hit[0, 0].any()
    assert not match([found(*rows)], truths, 1, 0.25, max_detections=2).hit.any()
    assert coco.evaluate([found(*rows)], truths, 1, max_detections=2).values["map50"] == 0


def test_predictions_and_images_must_be_as_many():
    with pytest.raises(DataError, match="one prediction for each image"):
        match([found()], [], 1, 0.25)


def test_iou_of_touching_and_crowd_boxes():
    a = np.array([[0, 0, 10, 10]], np.float32)
    b = np.array([[10, 0, 20, 10], [0, 0, 10, 5], [0, 0, 10, 5]], np.float32)
    assert box_iou(a, b, np.array([False, False, True]))[0].tolist() == [0, 0.5, 0.5]
    assert box_iou(b[1:2], a, np.array([True]))[0, 0] == 1  # all of it lies inside the crowd


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("coarse", [False, True])
def test_agrees_with_faster_coco_eval(seed, coarse):
    predictions, truths = random_scenes(seed, coarse=coarse)
    theirs, ours = coco.evaluate(predictions, truths, 5), once(predictions, truths, 5)
    for name, wanted in theirs.values.items():
        assert METRICS[name].compute(ours)[0] == pytest.approx(wanted, abs=1e-6, nan_ok=True), name
    assert ours.ap()[0].mean(axis=0) == pytest.approx(theirs.class_ap, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("seed", range(3))
def test_counting_an_image_twice_is_like_having_it_twice(seed):
    predictions, truths = random_scenes(seed, images=12)
    drawn = np.random.default_rng(seed).integers(0, 12, 12)
    weights = np.bincount(drawn, minlength=12)[None]
    counted = DetectionTally(match(predictions, truths, 5, 0.25), weights)
    copied = once([predictions[i] for i in drawn], [truths[i] for i in drawn], 5)
    for metric in METRICS.values():
        if metric.task == "detect":
            assert metric.compute(counted)[0] == pytest.approx(metric.compute(copied)[0], nan_ok=True), (
                metric.name
            )


def test_nothing_is_printed(capfd):
    coco.evaluate(*random_scenes(0, images=3), 5)
    assert capfd.readouterr() == ("", "")
