"""Signal to noise, relative error and cosine of outputs that nobody reads."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.detections import RawAnswer
from paredown.errors import DataError
from paredown.metrics.signal import (
    MOST_DB,
    SignalTally,
    agreement,
    cosine,
    decibel,
    image_agreement,
    signals,
)

RNG = np.random.default_rng(0)
FLOATS = [RNG.normal(size=200).astype(np.float32) for _ in range(8)]


def answer(*values: np.ndarray) -> RawAnswer:
    return RawAnswer(values, tuple(v.shape for v in values))


def tally(mine: list[RawAnswer], reference: list[RawAnswer]) -> SignalTally:
    return SignalTally(signals(mine, reference), np.ones((1, len(mine)), np.int64))


def test_a_tenth_of_noise_is_twenty_decibel_and_ninety_per_cent() -> None:
    noise = [0.1 * RNG.normal(size=200) for _ in FLOATS]
    t = tally([answer((x + n).astype(np.float32)) for x, n in zip(FLOATS, noise, strict=True)],
              [answer(x) for x in FLOATS])  # fmt: skip
    assert agreement(t)[0] == pytest.approx(0.9, abs=0.02)
    assert decibel(t)[0] == pytest.approx(20, abs=1.5)
    assert cosine(t)[0] == pytest.approx(0.995, abs=0.002)


def test_what_is_the_same_for_every_image_is_no_signal() -> None:
    """A grid of anchors inside an output would hide any noise."""
    grid = np.arange(200, dtype=np.float32) * 100
    mine = [answer(grid + x + np.float32(0.5) * x[::-1]) for x in FLOATS]
    plain = [answer(x + np.float32(0.5) * x[::-1]) for x in FLOATS]
    with_grid = agreement(tally(mine, [answer(grid + x) for x in FLOATS]))
    without = agreement(tally(plain, [answer(x) for x in FLOATS]))
    assert with_grid[0] == pytest.approx(without[0], abs=1e-3)
    assert with_grid[0] < 0.6


def test_the_worst_output_judges() -> None:
    mine = [answer(x, np.zeros_like(x)) for x in FLOATS]
    t = tally(mine, [answer(x, x) for x in FLOATS])
    assert agreement(t)[0] == pytest.approx(0.0, abs=0.05)
    np.testing.assert_allclose(t.agreement[0, 0], 1.0)


def test_whole_numbers_are_the_same_or_not() -> None:
    t = tally([answer(np.array([1, 2, 3, 9]))] * 2, [answer(np.array([1, 2, 3, 4]))] * 2)
    assert agreement(t)[0] == 0.75
    assert np.isnan(decibel(t)[0])


def test_no_difference_at_all_and_an_output_that_should_not_change() -> None:
    same = [answer(x) for x in FLOATS]
    assert agreement(tally(same, same))[0] == 1
    assert decibel(tally(same, same))[0] == MOST_DB
    still, moved = [answer(np.ones(5, np.float32))] * 3, [answer(np.full(5, 1.1, np.float32))] * 3
    assert agreement(tally(still, still))[0] == 1
    assert agreement(tally(moved, still))[0] == 0


def test_one_image_and_outputs_of_other_sizes() -> None:
    short, long = answer(FLOATS[0][:150]), answer(FLOATS[0])
    t = tally([short], [long])
    assert 0 < agreement(t)[0] < 1
    np.testing.assert_allclose(image_agreement(signals([short], [long])), agreement(t))
    with pytest.raises(DataError, match="number of outputs"):
        signals([answer(FLOATS[0], FLOATS[1])], [long])
