"""Halving: the smallest size that keeps the limit, in few trials."""

from __future__ import annotations

import pytest

from paredown.errors import UsageError
from paredown.study.limits import Limits
from paredown.study.options import Options
from paredown.study.sizing import candidates, check_auto, halve


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
