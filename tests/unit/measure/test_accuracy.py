"""Accuracy of whole data sets, comparison of two models, and prediction, on made-up answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paredown._measure.accuracy import accuracy, predict_all, predict_timed
from paredown._measure.compare import compare, most_different
from paredown.card import Card, Preprocess
from paredown.detections import ClassScores, Detections
from paredown.errors import CardError, DataError
from paredown.metrics import headline
from paredown.model import TensorSpec
from paredown.sample import Dataset, Labels, Sample

DETECTOR = Card("yolov8", "detect", Preprocess((64, 64)), ("cat", "dog", "cow"))
CLASSIFIER = Card("classifier", "classify", Preprocess((8, 8)), ("cat", "dog"))


def truth(rng: np.random.Generator) -> Labels:
    n = int(rng.integers(1, 5))
    corner = rng.uniform(0, 100, (n, 2))
    boxes = np.hstack([corner, corner + rng.uniform(10, 60, (n, 2))]).astype(np.float32)
    return Labels(boxes, rng.integers(0, 2, n), np.zeros(n, bool), (boxes[:, 2:] - boxes[:, :2]).prod(1))


def pictures(*truths: Labels | int | None, classes: tuple[str, ...] = ("cat", "dog")) -> Dataset:
    def grey() -> np.ndarray:
        return np.full((32, 32, 3), 128, np.uint8)

    samples = tuple(Sample(f"{i}.png", grey, str, t) for i, t in enumerate(truths))
    return Dataset("made", "coco", ".", classes, samples)


def answers(data: Dataset, confidence: float, jitter: float, seed: int = 0) -> list[Detections]:
    rng = np.random.default_rng(seed)
    found = []
    for s in data:
        assert isinstance(s.truth, Labels)
        boxes = (s.truth.boxes + rng.normal(0, jitter, s.truth.boxes.shape)).astype(np.float32)
        scores = np.full(len(boxes), confidence) - rng.uniform(0, 0.1, len(boxes))
        found.append(Detections(boxes, scores.astype(np.float32), s.truth.classes))
    return found


@pytest.fixture(scope="module")
def data() -> Dataset:
    rng = np.random.default_rng(0)
    return pictures(*(truth(rng) for _ in range(30)))


def named(quantities):
    return {q.name: q for q in quantities}


def test_headline():
    assert headline("detect", True) == "map50_95"
    assert headline("detect", False) == "fidelity_map50_95"
    assert headline("classify", True) == "top1"
    assert headline("classify", False) == "fidelity_top1"


def test_with_truth_the_headline_comes_first_and_has_its_interval(data):
    quantities, curves = accuracy(answers(data, 0.9, 3), data, DETECTOR)
    assert quantities[0].name == "map50_95"
    assert all(
        q.low is not None and q.low <= q.value <= q.high for q in quantities if q.name != "best_confidence"
    )
    assert "resamples" in quantities[0].ci
    assert not [q for q in quantities if q.name.startswith("fidelity")]
    assert len(curves["ap_per_class"]) == 3
    assert np.isnan(curves["ap_per_class"][2])  # no cow in any image
    assert len(curves["pr_precision"]) == len(curves["pr_recall"]) == 101
    assert sum(curves["confidence_histogram"]) == sum(len(s.truth.classes) for s in data)
    assert sum(curves["confidence_histogram"][40:45]) == sum(curves["confidence_histogram"])


def test_with_a_reference_come_fidelity_and_the_paired_drop(data):
    good, bad = answers(data, 0.9, 1), answers(data, 0.3, 4)
    found = named(accuracy(bad, data, DETECTOR, good)[0])
    drop = found["map50_95_drop"]
    alone = named(accuracy(good, data, DETECTOR)[0])["map50_95"].value
    assert drop.value == pytest.approx(100 * (alone - found["map50_95"].value))
    assert drop.low > 0
    assert drop.unit == "points"
    assert found["confidence_shift"].value == pytest.approx(-0.6, abs=0.05)
    assert found["fidelity_map50_95"].value < 1


def test_a_model_that_is_its_own_reference_has_no_drop(data):
    good = answers(data, 0.9, 1)
    assert accuracy(good, data, DETECTOR, good)[0] == accuracy(good, data, DETECTOR)[0]


def test_without_truth_fidelity_judges(data):
    blind = pictures(*[None] * len(data), classes=())
    good, bad = answers(data, 0.9, 1), answers(data, 0.3, 4)
    assert accuracy(good, blind, DETECTOR, good)[0][0].value == pytest.approx(1)
    quantities, curves = accuracy(bad, blind, DETECTOR, good)
    assert quantities[0].name == "fidelity_map50_95"
    assert quantities[0].value < 1
    assert len(curves["ap_per_class"]) == 3
    assert "map50_95" not in named(quantities)


def test_nothing_to_judge_by_is_an_error(data):
    good, blind = answers(data, 0.9, 1), pictures(*[None] * len(data), classes=())
    nothing = [d.above(2) for d in good]
    for reference, lacking in (
        (None, "no float model to agree with"),
        (nothing, "no detection of the float"),
    ):
        with pytest.raises(DataError, match=f"no truth to judge by, and {lacking}"):
            accuracy(good, blind, DETECTOR, reference)
    empty = Labels(
        np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, bool), np.zeros(0, np.float32)
    )
    with pytest.raises(DataError, match="no image holds a true box"):
        accuracy(good[:1], pictures(empty), DETECTOR)
    with pytest.raises(DataError, match="one prediction for each image"):
        accuracy(good[1:], data, DETECTOR)


def test_images_without_truth_are_not_judged(data):
    more = replace(data, samples=(*data.samples, pictures(None).samples[0]))
    stray = Detections(np.array([[0, 0, 9, 9]], np.float32), np.array([0.99], np.float32), np.array([0]))
    good = answers(data, 0.9, 1)
    assert accuracy([*good, stray], more, DETECTOR)[0] == accuracy(good, data, DETECTOR)[0]


def test_the_seed_decides_the_interval_and_nothing_else(data):
    found = [accuracy(answers(data, 0.9, 3), data, DETECTOR, seed=s)[0] for s in (0, 0, 1)]
    assert found[0] == found[1] != found[2]
    assert [q.value for q in found[0]] == [q.value for q in found[2]]


def test_a_classifier():
    right = ClassScores(np.array([0.9, 0.1], np.float32))
    wrong = ClassScores(np.array([0.2, 0.8], np.float32))
    data = pictures(0, 0, 0, 1)
    quantities, curves = accuracy([right, right, wrong, right], data, CLASSIFIER, [right] * 4)
    found = named(quantities)
    assert quantities[0].name == "top1"
    assert found["top1"].value == 0.5
    assert found["top1_drop"].value == pytest.approx(25)
    assert found["fidelity_top1"].value == 0.75
    assert sum(curves["confidence_histogram"]) == 4


def test_compare_pairs_the_images(data):
    good, bad = answers(data, 0.9, 1), answers(data, 0.9, 5)
    found = compare(good, bad, data, DETECTOR)
    line = found.lines[0]
    assert line.name == "map50_95"
    assert line.b - line.a == line.difference.value < 0
    assert line.difference.high < 0
    assert found.p_value is not None
    assert len(found.a_better) > len(found.b_better)
    same = compare(good, good, data, DETECTOR)
    assert same.p_value == 1
    assert same.a_better == same.b_better == ()
    assert named(same.agreement)["fidelity_map50_95"].value == pytest.approx(1)


def test_compare_without_truth_tells_only_agreement(data):
    good, bad = answers(data, 0.9, 1), answers(data, 0.9, 5)
    found = compare(good, bad, pictures(*[None] * len(data), classes=()), DETECTOR)
    assert found.lines == ()
    assert found.p_value is None
    assert found.agreement[0].name == "fidelity_map50_95"


def test_most_different_images_first(data):
    good = answers(data, 0.9, 0)
    other = list(good)
    other[7] = good[7].above(2)  # lost them all
    other[3] = Detections(good[3].boxes, good[3].scores - np.float32(0.05), good[3].classes)
    assert most_different(good, other, 5, DETECTOR) == (7, 3)
    assert most_different(good, other, 1, DETECTOR) == (7,)
    classes = [ClassScores(np.array(p, np.float32)) for p in ((0.9, 0.1), (0.5, 0.5), (0.1, 0.9))]
    assert most_different([classes[0]] * 3, classes, 3, CLASSIFIER) == (2, 1)


class OneBox:
    """A session that finds one cat in the middle of a 64 x 64 input, in yolov8's output layout."""

    inputs = (TensorSpec("pixels", (1, 3, 64, 64), "float32"),)
    outputs = (TensorSpec("out", (1, 7, 2), "float32"),)

    def run(self, feeds):
        assert feeds["pixels"].shape == (1, 3, 64, 64)
        column = np.array([32, 32, 16, 16, 0.8, 0.1, 0.0], np.float32)
        return {"out": np.stack([column, np.zeros(7, np.float32)], axis=1)[None]}


def test_predict_gives_boxes_in_image_pixels_and_the_time_of_each_stage():
    data = pictures(None, None)
    found = predict_timed(OneBox(), DETECTOR, data, conf=0.3)
    assert [len(p) for p in found.predictions] == [1, 1]
    assert found.predictions[0].boxes[0].tolist() == [12, 12, 20, 20]  # half of 64 pixels
    assert [q.name for q in found.quantities] == ["pre_s", "inference_s", "post_s"]
    assert all(len(q.samples) == 2 and q.value > 0 for q in found.quantities)


def test_predict_shows_progress_and_refuses_an_input_that_nothing_feeds():
    seen = []

    def progress(items, what, total=None):
        seen.append((what, total))
        return items

    predict_all(OneBox(), DETECTOR, pictures(None), progress=progress)
    assert seen == [("predicting", 1)]
    two = OneBox()
    two.inputs = (*OneBox.inputs, replace(OneBox.inputs[0], name="other"))
    with pytest.raises(CardError, match=r"input\.others"):
        predict_all(two, DETECTOR, pictures(None))
