"""Damage at the heads, against cases computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from paredown._compress.quantize.ranges.post_activation import UNHEARD
from paredown._compress.quantize.sensitivity.noise import BACKGROUND, MOST, answers


def detector() -> np.ndarray:
    """(1, 3, 1, 100): two coordinates and one score that is sure at the first position only."""
    head = np.zeros((1, 3, 1, 100), np.float32)
    head[0, 0, 0] = np.tile([-1.0, 1.0], 50)  # std 1
    head[0, 1, 0] = np.tile([-2.0, 2.0], 50)  # std 2
    head[0, 2, 0] = -9.0
    head[0, 2, 0, 0] = 9.0
    return head


def test_the_same_answer_does_no_damage() -> None:
    (answer,) = answers([detector()])
    assert answer.damage(detector()) == 0.0
    assert answer.found == pytest.approx(1.0, abs=0.02)


def test_an_error_counts_where_the_model_is_sure() -> None:
    (answer,) = answers([detector()])
    there, elsewhere = detector(), detector()
    there[0, 1, 0, 0] += 1.0
    elsewhere[0, 1, 0, 1] += 1.0
    weight = (1 + BACKGROUND) / (1 + 100 * BACKGROUND)
    # half of the share is the boxes', half of that this channel's; the error is half a std
    assert answer.damage(there) == pytest.approx(0.25 * 0.25 * weight, rel=0.01)
    assert answer.damage(elsewhere) == pytest.approx(answer.damage(there) * BACKGROUND, rel=0.02)


def test_a_score_that_no_sigmoid_hears_may_be_anything() -> None:
    (answer,) = answers([detector()])
    lower, heard, box = detector(), detector(), detector()
    lower[0, 2, 0, 1:] = -60.0
    heard[0, 2, 0, 1:] = UNHEARD
    box[0, 0, 0, 0] = -60.0
    assert answer.damage(lower) == answer.damage(heard) > 0  # what is compared with answers -9
    assert answer.damage(box) > 100 * answer.damage(heard)
    (far,) = answers([lower])
    assert far.damage(heard) == 0


def test_a_head_of_one_position_beside_others_is_no_classifier() -> None:
    """The last of a pyramid of heads: what no sigmoid hears counts for nothing there either."""
    single = np.full((1, 3, 1, 1), -20.0, np.float32)
    single[0, 2] = 1.0
    _, answer = answers([detector(), single])
    lower = single.copy()
    lower[0, 0] = -60.0
    assert answer.damage(lower) == 0.0
    (alone,) = answers([single])
    assert alone.damage(lower) > 0


def test_of_a_large_head_a_fixed_part_is_looked_at() -> None:
    rng = np.random.default_rng(3)
    head = rng.normal(size=(1, 5, 160, 160)).astype(np.float32)
    noisy = head + rng.normal(size=head.shape).astype(np.float32)
    (answer,) = answers([head])
    assert answer.values.shape == (5, MOST)
    assert answer.damage(head) == 0.0
    assert answer.damage(noisy) == pytest.approx(1.0, rel=0.1)
    assert answer.damage(noisy) == answers([head])[0].damage(noisy)


def test_scores_count_as_much_as_boxes_however_many_there_are() -> None:
    many = np.concatenate([detector(), np.full((1, 77, 1, 100), -9.0, np.float32)], axis=1)
    (answer,) = answers([many])
    assert answer.share[:2].sum() == pytest.approx(0.5)
    assert answer.share[2:].sum() == pytest.approx(0.5)


def test_an_objectness_beside_weighs_the_boxes() -> None:
    boxes, score = detector()[:, :2], detector()[:, 2:]
    both = answers([boxes, score])
    alone = answers([boxes])
    assert both[0].weight[0] > 0.4
    assert alone[0].weight[0] == pytest.approx(0.01)


def test_a_classifier_has_one_position() -> None:
    logits = np.array([[1.0, -1.0, 3.0, -3.0]], np.float32)
    (answer,) = answers([logits])
    assert answer.damage(logits + 1.0) == pytest.approx(1 / logits.var())


@pytest.mark.parametrize("shape", [(4,), (1, 4), (1, 4, 1, 1)])
def test_an_answer_without_positions_may_have_any_axes(shape: tuple[int, ...]) -> None:
    logits = np.array([1.0, -1.0, 3.0, -3.0], np.float32).reshape(shape)
    (answer,) = answers([logits])
    assert answer.damage(logits + 1.0) == pytest.approx(1 / logits.var())
