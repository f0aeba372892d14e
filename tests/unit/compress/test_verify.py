"""The limit held on detections: what a candidate is expected to lose, and the search for the cheapest."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from paredown._compress.mixed.verify import VERIFICATIONS, cheapest_within, expected, fastest, verified
from paredown.protocols import Lost, NodeTimes


def lost(points: float, noise: float = 0.4) -> Lost:
    return Lost(points, noise, "map50_95", "some images")


def test_alone_a_judgement_stands_for_itself() -> None:
    assert expected(0.02, lost(0.7), []) == 0.7


def test_judgement_and_curve_are_weighed_by_their_certainty() -> None:
    """One other loses 2 at damage 0.08; the judgement, 0.3 at a quarter of that, is met best by p = 1.

    So c = 2 / 0.08 = 25 and w = 0.08^2 / 0.4^2 = 0.04. At 0.02 the curve says 0.5 +- t with
    t^2 = (0.5 * 0.5)^2 + 0.02^2 / 0.04 = 0.0725, the judgement 0.3 +- 0.4:
    (0.3 / 0.16 + 0.5 / 0.0725) / (1 / 0.16 + 1 / 0.0725) = 8.772 / 20.043.
    """
    assert expected(0.02, lost(0.3), [(0.08, lost(2.0))]) == pytest.approx(0.4376, abs=1e-3)


def test_losses_that_follow_the_amplitude_are_seen_as_that() -> None:
    """Half the loss at a quarter of the damage, p = 1/2: curve and judgement agree."""
    assert expected(0.02, lost(1.0, 0.1), [(0.08, lost(2.0, 0.1))]) == pytest.approx(1.0)


def test_a_ruined_network_does_not_promise_that_little_noise_is_free() -> None:
    """Judged on a depthwise detector: a line through the first two would expect 0.12 of the last."""
    others = [(3.16, 27.1, 1.96), (0.787, 8.17, 1.20), (0.0431, 1.27, 0.39), (0.0168, 1.18, 0.48)]
    found = expected(0.0123, lost(0.77, 0.39), [(d, lost(y, s)) for d, y, s in others])
    assert 0.4 < found < 0.8


def test_a_slope_that_is_contradicted_does_not_count() -> None:
    assert expected(0.02, lost(4.0), [(0.08, lost(2.0))]) == 4.0


def test_a_gain_is_no_negative_slope() -> None:
    assert expected(0.02, lost(0.2), [(0.08, lost(-3.0))]) <= 0.2


def search(
    damages: list[float], loses: Callable[[float], float], limit: float, noise: float = 0.01
) -> tuple[Any, Any]:
    """The search over candidates that are named after their index and lose what is said of their damage."""

    def candidate(index: int, factor: float = 1.0) -> Any:
        return SimpleNamespace(model=factor * damages[index], damage=damages[index], index=index)

    def judge(damage: Any) -> Lost:
        return lost(loses(damage), noise)

    slope = verified(candidate(0, 4.0), 4 * damages[0], judge, [])
    return cheapest_within(damages, candidate, judge, limit, slope)


DAMAGES = [0.08 * 0.8**i for i in range(30)] + [0.0]


@pytest.mark.parametrize("slope", [5.0, 20.0, 60.0])
def test_it_comes_near_the_cheapest_that_keeps_the_limit(slope: float) -> None:
    made, tried = search(DAMAGES, lambda d: slope * d, limit=0.5)
    best = next(i for i, d in enumerate(DAMAGES) if slope * d + 0.01 <= 0.5)
    assert best <= made.index <= best + 1
    assert len(tried) <= VERIFICATIONS + 2


def test_what_keeps_the_limit_at_once_is_taken_at_once() -> None:
    made, tried = search(DAMAGES, lambda d: d, limit=0.5)
    assert made.index == 0
    assert len(tried) == 2  # the coarse one, and it


def test_chance_is_left_room_for() -> None:
    quiet, _ = search(DAMAGES, lambda d: 10 * d, limit=0.5, noise=0.01)
    loud, _ = search(DAMAGES, lambda d: 10 * d, limit=0.5, noise=0.3)
    assert quiet.index < loud.index


def test_where_nothing_keeps_the_limit_the_float_network_is_left() -> None:
    made, _ = search(DAMAGES, lambda d: 9.0 if d else 0.0, limit=0.5)
    assert made.index == len(DAMAGES) - 1


def test_a_judge_that_cannot_tell_its_noise_is_not_believed() -> None:
    made, _ = search(DAMAGES, lambda d: 0.0, limit=0.5, noise=float("nan"))
    assert made.index == len(DAMAGES) - 1


def test_a_front_of_one_is_that_one() -> None:
    made, tried = search([0.0], lambda d: 0.0, limit=0.5)
    assert made.index == 0
    assert len(tried) <= 1


def test_of_those_that_keep_the_limit_the_clock_decides() -> None:
    candidates: list[Any] = [SimpleNamespace(model=s) for s in (3.0, 1.0, 2.0)]
    assert fastest(candidates, lambda models: [NodeTimes({"a": s}) for s in models]) is candidates[1]
