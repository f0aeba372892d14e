"""Evidence for one way of feeding over another: what counts, and that chance does not."""

from __future__ import annotations

import numpy as np
import pytest

from paredown._measure.feeding.evidence import better, gap_of, interval_of, p_value
from paredown.detections import ClassScores, Detections
from paredown.sample import Labels
from paredown.tasks import classify, detect
from paredown.tasks.card_evidence import LEVEL

BOX = np.array([[10, 10, 50, 50]], np.float32)
TRUE = Labels(BOX, np.zeros(1, np.int64), np.zeros(1, bool), np.array([1600], np.float32))


def found(right: bool, score: float = 0.9) -> Detections:
    box = BOX if right else BOX + 200
    return Detections(box, np.array([score], np.float32), np.zeros(1, np.int64))


def detector(right: list[bool]):
    return detect.card_evidence([found(r) for r in right], [TRUE] * len(right), with_classes=True)


def classifier(logits: list[float], truths: list[int]):
    answers = [ClassScores(np.array([-x, x], np.float32)) for x in logits]
    return classify.card_evidence(answers, truths, with_classes=True)


def test_the_p_value_of_a_few_images_is_exact() -> None:
    for n in (3, 5):
        good, bad = detector([True] * n), detector([False] * n)
        assert p_value(good, bad) == pytest.approx(2 / 2**n, abs=0.05)
        assert not better(good, bad)
    assert better(detector([True] * 12), detector([False] * 12))


def test_equals_are_not_better() -> None:
    a, b = detector([True, False] * 10), detector([True, False] * 10)
    assert p_value(a, b) == 1.0
    assert not better(a, b)
    assert gap_of(a, b).value == 0


def test_how_often_two_equals_are_told_apart_stays_at_the_level() -> None:
    rng = np.random.default_rng(0)
    told_apart = 0
    for _ in range(200):
        a, b = (detector((rng.random(24) < 0.6).tolist()) for _ in range(2))
        told_apart += better(a, b) or better(b, a)
    assert told_apart <= 200 * LEVEL + 3 * np.sqrt(200 * LEVEL)


def test_a_saturated_classifier_loses_by_its_wrong_answers() -> None:
    truths = [1] * 60
    mild = classifier([2.0 if i % 4 else -2.0 for i in range(60)], truths)
    saturated = classifier([500.0 if i % 4 else -500.0 for i in range(60)], truths)
    assert mild.value == saturated.value == 0.75
    assert better(mild, saturated)
    assert not better(saturated, mild)


def test_what_points_both_ways_decides_nothing() -> None:
    """One is right a little more often, the other is surer of the truth."""
    truths = [1] * 40
    more_right = classifier([0.1] * 21 + [-9.0] * 19, truths)
    surer = classifier([3.0] * 20 + [-0.1] * 20, truths)
    assert more_right.value > surer.value
    assert not better(more_right, surer)
    assert not better(surer, more_right)


def test_answers_that_are_no_numbers_count_as_wrong() -> None:
    answers = [ClassScores(np.array([np.nan, np.nan], np.float32))] * 4
    lost = classify.card_evidence(answers, [1] * 4, with_classes=True)
    assert lost.value == 0
    assert np.isfinite(lost.score[1])


def test_intervals_hold_the_value_and_narrow_with_images() -> None:
    few, many = (interval_of(detector([True, True, False] * n)) for n in (4, 40))
    for i in (few, many):
        assert i.low <= i.value <= i.high
    assert many.high - many.low < few.high - few.low


def test_no_truth_at_all_is_no_evidence() -> None:
    nothing = detect.card_evidence([found(True)], [None], with_classes=True)
    assert nothing.n_images == 0
    assert nothing.value == 0
    assert p_value(nothing, nothing) == 1.0
