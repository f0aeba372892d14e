"""Halving: the smallest size that keeps the limit, in few trials."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from paredown.errors import UnsupportedModel, UsageError
from paredown.study import sizing
from paredown.study.limits import Limits
from paredown.study.options import Options
from paredown.study.sizing import candidates, check_auto, halve, with_smaller


def test_candidates_are_multiples_of_32_between_a_floor_and_the_models_own():
    assert candidates(320) == (128, 160, 192, 224, 256, 288)
    assert candidates(64) == (32,)


@pytest.mark.parametrize("smallest", [*candidates(640), 640])
def test_the_smallest_is_found_in_few_trials(smallest: int):
    asked: list[int] = []

    def keeps(pixels: int) -> bool:
        asked.append(pixels)
        return pixels >= smallest

    assert halve(candidates(640), keeps) == (None if smallest == 640 else smallest)
    assert len(asked) <= 5
    assert len(asked) == len(set(asked))


def test_a_size_that_the_model_cannot_have_is_left_aside():
    refused = {160, 224, 288}
    found = halve(candidates(320), lambda pixels: None if pixels in refused else pixels >= 192)
    assert found == 192
    assert halve(candidates(320), lambda pixels: None) is None


def test_auto_needs_a_limit_and_no_other_sizes():
    with pytest.raises(UsageError, match="without a limit"):
        check_auto(Options(sizes="auto"), Limits())  # type: ignore[arg-type]
    check_auto(Options(auto_size=True), Limits(min_agreement=90.0))
    with pytest.raises(UsageError, match="named, and to be found"):
        Options(sizes=(320,), auto_size=True)


@pytest.mark.parametrize(
    ("good", "says"),
    [
        ((), "the budget ran out before an input size below the model's own 640 was found to keep the limit"),
        ((384,), "down to an input of 384 pixels .*; the budget ran out before all smaller ones were tried"),
    ],
)
def test_a_size_that_was_not_tried_is_not_said_to_break_the_limit(
    monkeypatch: pytest.MonkeyPatch, good: tuple[int, ...], says: str
):
    clock = iter([0.0] * len(good) + [2.0] * 9)
    monkeypatch.setattr(sizing, "monotonic", lambda: next(clock))
    monkeypatch.setattr(sizing, "own_side", lambda work: 640)
    monkeypatch.setattr(sizing, "at_pixels", lambda pair, pixels: pixels)
    monkeypatch.setattr(sizing, "_trial", lambda pixels, *given: SimpleNamespace(error=None, pixels=pixels))
    monkeypatch.setattr(sizing, "_keeps", lambda trial, *given: trial.pixels in good)
    nothing: Any = None
    work: Any = SimpleNamespace(say=lambda text: None)
    _, (note,) = with_smaller(work, (), nothing, [], Limits(max_drop=1.0), 1.0)
    assert re.search(says, note)


@pytest.mark.parametrize(
    ("possible", "says"),
    [
        (True, "640 failed before an input size below the model's own 640 was found to keep the limit"),
        (False, "no input size below the model's own 640 keeps the limit"),
    ],
)
def test_a_trial_that_failed_is_no_size_that_cannot_be(
    monkeypatch: pytest.MonkeyPatch, possible: bool, says: str
):
    def sized_for(recipe: Any) -> None:
        if not possible:
            raise UnsupportedModel("learned position embeddings")

    failed = SimpleNamespace(error="out of memory", label="float at 640")
    monkeypatch.setattr(sizing, "own_side", lambda work: 640)
    monkeypatch.setattr(sizing, "_trial", lambda *given: failed)
    nothing: Any = None
    work: Any = SimpleNamespace(say=lambda text: None, sized_for=sized_for, label=lambda recipe: recipe)
    _, (note,) = with_smaller(work, (), nothing, [], Limits(max_drop=1.0), None)
    assert says in note
