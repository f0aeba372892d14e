"""What can still win is judged; what cannot is named with the rival that is in its way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_up_trials import trial

from paredown.measurement import Doubt, Quantity, Trial
from paredown.study.best import choose_best
from paredown.study.limits import Limits
from paredown.study.rivals import finalists, outrun

FLOAT = trial("float", 0.40, (1.0, 0.99, 1.01))
LIMITS = Limits(max_drop=1.0)


def ratio(value: float) -> Quantity:
    return Quantity.listed("latency_ratio", value, low=value - 0.02, high=value + 0.02)


def at(runtime: str, found: Trial) -> Trial:
    return replace(found, runtime=runtime, label=f"{found.label}@{runtime}")


def unjudged(found: Trial) -> Trial:
    assert found.measurement is not None
    kept = tuple(q for q in found.measurement.quantities if q.name != "map50_95")
    measured = replace(found.measurement, quantities=kept, doubts=(Doubt("unjudged", "not judged: slow"),))
    return replace(found, measurement=measured)


def test_slower_than_a_rival_that_loses_nothing_is_not_judged():
    rival = at("openvino", trial("bf16", 0.3998, (0.4, 0.39, 0.41)))
    why = outrun(ratio(0.72), "int8", [FLOAT, rival], FLOAT, LIMITS)
    assert why.startswith("1.8\u00d7 the time of bf16@openvino, 0.02 points lost: it cannot win, ")
    assert outrun(ratio(1.3), "int8", [FLOAT], FLOAT, LIMITS).startswith("1.3\u00d7 the time of float: ")


@pytest.mark.parametrize(
    ("its", "limits"),
    [
        (trial("a", 0.3998, (0.65, 0.6, 0.7)), LIMITS),  # as fast, as far as the rounds tell
        (trial("a", 0.395, (0.4, 0.39, 0.41)), LIMITS),  # half a point may be gained: the front
        (trial("a", 0.38, (0.4, 0.39, 0.41)), LIMITS),  # not within the limit
        (trial("a", 0.3998, (0.4, 0.39, 0.41), size=9e6), Limits(max_drop=1.0, max_size_bytes=8_000_000)),
        (unjudged(trial("a", 0.3998, (0.4, 0.39, 0.41))), LIMITS),
        (trial("int8", 0.3998, (0.4, 0.39, 0.41)), LIMITS),  # itself
    ],
)
def test_what_may_win_or_lie_on_the_front_is_judged(its: Trial, limits: Limits):
    assert outrun(ratio(0.72), "int8", [FLOAT, its], FLOAT, limits) == ""


def test_the_last_few_are_those_close_to_the_fastest_and_the_front():
    fastest, close = trial("a", 0.395, (0.40, 0.38, 0.42)), trial("b", 0.396, (0.43, 0.40, 0.46))
    accurate, beaten = trial("c", 0.3995, (0.7, 0.68, 0.72)), trial("d", 0.396, (0.8, 0.78, 0.82))
    over = trial("e", 0.2, (0.5, 0.49, 0.51))
    found = finalists([FLOAT, fastest, close, accurate, beaten, over], FLOAT, LIMITS)
    assert [t.label for t in found] == ["a", "b", "c"]


def test_float_of_another_runtime_is_a_candidate_and_not_the_reference():
    elsewhere = at("openvino", trial("float", 0.40, (0.5, 0.49, 0.51)))
    verdict = choose_best([FLOAT, elsewhere], LIMITS)
    assert (verdict.baseline.label, verdict.best.label) == ("float", "float@openvino")
    assert verdict.headline.startswith("Use float@openvino: 2.0\u00d7 faster")
    assert verdict.remarks == {"float": "reference", "float@openvino": "best"}


def test_a_limit_is_not_missed_by_what_was_never_judged():
    slow = unjudged(trial("int8", 0.39, (1.3, 1.28, 1.32)))
    verdict = choose_best([FLOAT, slow], LIMITS)
    assert (verdict.best.label, verdict.gate_met) == ("float", True)
    assert verdict.remarks["int8"] == "not judged: too slow to win"
