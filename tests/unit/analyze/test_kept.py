"""What is kept of judged models: comparisons made later say what those made at once say."""

from __future__ import annotations

import numpy as np
import pytest

from paredown._measure.compare import compare
from paredown.analyze.kept import apart, evidence_from, from_arrays, keep, to_arrays
from paredown.analyze.pairs import all_beside, one_beside, sentence, undecided
from paredown.card import Card, Preprocess
from paredown.detections import ClassScores, Detections
from paredown.sample import Dataset, Labels, Sample
from paredown.statistics.confidence_interval import Difference

RNG = np.random.default_rng(0)
CARD = Card("yolov8", "detect", Preprocess((64, 64)), ("a", "b"))
N = 30


def boxes(n: int) -> np.ndarray:
    corner = RNG.uniform(0, 40, (n, 2))
    return np.concatenate([corner, corner + RNG.uniform(8, 20, (n, 2))], axis=1).astype(np.float32)


TRUE = [boxes(3) for _ in range(N)]
TRUTHS = [Labels(b, np.array([0, 1, 1]), np.zeros(3, bool), np.full(3, 100, np.float32)) for b in TRUE]


def dataset(truths: list) -> Dataset:
    samples = tuple(Sample(f"{i}.jpg", lambda: None, lambda: "", t) for i, t in enumerate(truths))
    return Dataset("made up", "coco", "", CARD.classes, samples)


def answers(noise: float) -> list[Detections]:
    return [
        Detections(
            (b + RNG.normal(0, noise, b.shape)).astype(np.float32),
            RNG.uniform(0.3, 1, 3).astype(np.float32),
            np.array([0, 1, 1]),
        )
        for b in TRUE
    ]


FLOAT, INT8, WORSE = answers(0.5), answers(0.6), answers(3.0)


def kept(said: list, truths: list = TRUTHS, same: str = "x", card: Card = CARD):
    return keep(said, FLOAT, dataset(truths), card, same)


def test_a_later_comparison_says_what_one_made_at_once_says():
    at_once = compare(FLOAT, INT8, dataset(TRUTHS), CARD).lines[0].difference
    later = apart(kept(FLOAT)[0], kept(INT8)[0])
    assert (later.value, later.low, later.high) == (at_once.value, at_once.low, at_once.high)
    assert later.p_value == at_once.p_value


def test_it_comes_back_from_arrays_to_the_last_bit():
    whole, evidence = kept(INT8)
    arrays = to_arrays(whole, evidence)
    again, found = from_arrays(arrays), evidence_from(arrays)
    assert (again.value, again.images, again.same) == (whole.value, whole.images, "x")
    assert np.array_equal(again.resampled, whole.resampled)
    assert np.array_equal(found.hit, evidence.hit)
    assert found.hit.dtype == bool
    assert found.conf == evidence.conf
    assert (found.n_images, found.n_classes) == (N, 2)


def test_classifiers_are_kept_as_well():
    card = Card("classifier", "classify", Preprocess((32, 32)), ("a", "b"))
    said = [ClassScores(np.array([0.2, 0.8], np.float32)) for _ in range(4)]
    truths = [Sample(str(i), lambda: None, lambda: "", i % 2) for i in range(4)]
    images = Dataset("made up", "folders", "", card.classes, tuple(truths))
    whole, evidence = keep(said, said, images, card, "x")
    assert whole.value == 0.5
    assert np.array_equal(evidence_from(to_arrays(whole, evidence)).rank, [1, 0, 1, 0])


def test_without_truth_models_are_held_against_the_float_model():
    whole, _ = kept(INT8, [None] * N)
    assert (whole.against, whole.metric, whole.n_images) == ("reference", "fidelity_map50_95", N)


def test_models_of_other_images_are_not_compared():
    assert apart(kept(FLOAT)[0], kept(INT8, same="y")[0]) is None


def test_many_comparisons_are_corrected_and_a_clear_loss_stands_out():
    reference = kept(FLOAT)[0]
    others = {f"same {i}": kept(answers(0.5))[0] for i in range(8)} | {"worse": kept(WORSE)[0]}
    found = all_beside(reference, others)
    assert not found["worse"].same
    assert found["worse"].corrected >= found["worse"].p_value
    assert sum(not b.same for b in found.values()) <= 3


def test_the_plain_sentence():
    small = Difference(-0.004, -0.009, 0.001, "", 0.12)
    said = sentence("int8", "float", one_beside(small, 197), "map50_95")
    assert said == (
        "int8 against float: 0.40 points lost of mAP50-95, 95 % CI -0.10..0.90. "
        "Not distinguishable on these 197 images; about 310 would be needed."
    )
    gain = one_beside(Difference(0.02, 0.01, 0.03, "", 0.001), 197)
    assert sentence("a", "b", gain, "top1") == "a against b: 2.00 points gained of top-1, 95 % CI 1.00..3.00."
    agrees = sentence("a", "b", gain, "fidelity_top1")
    assert agrees == "a against b: 2.00 % more agreement with the float model, 95 % CI 1.00..3.00."
    nothing = one_beside(Difference(0.0, 0.0, 0.00001, "", 1.0), 9)
    assert "95 % CI 0.00..0.00" in sentence("a", "b", nothing, "top1")
    assert (
        undecided(one_beside(Difference(0.0, 0.0, 0.0, "", 1.0), 9))
        == "Not distinguishable on these 9 images."
    )


def test_a_difference_beyond_what_resamples_can_say_keeps_a_p_value_that_can_be_corrected():
    reference = kept(FLOAT)[0]
    found = all_beside(reference, {"worse": kept(WORSE)[0]})["worse"]
    assert found.p_value < 1 / 2000
    assert found.lost == pytest.approx(100 * (reference.value - kept(WORSE)[0].value))
