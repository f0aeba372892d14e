"""Every runtime in RUNTIMES passes the checks of `paredown.testing.runtimes`."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.errors import MissingDependency, TargetError
from paredown.protocols import Runtime
from paredown.runtimes import RUNTIMES
from paredown.runtimes import runtime as find_runtime
from paredown.testing import runtimes

COMPUTE = sorted(set(RUNTIMES) - {"null"})  # which answers zeros
# Kinds of numbers that a runtime takes no models of.
REFUSED = {"litert": ["float16"], "ncnn": ["float16"], "tensorrt": ["int4"]}
NO_TAPS = {"ncnn", "tensorrt"}  # they cannot give inner tensors, and say so


def installed(name: str) -> Runtime:
    """The runtime; where its package is missing the test is skipped, with the command that installs it."""
    found = find_runtime(name)
    try:
        found.version()
    except MissingDependency as error:
        pytest.skip(f"{error.what}: {error.hint}")
    return found


@pytest.mark.parametrize("check", runtimes.CHECKS)
@pytest.mark.parametrize("name", sorted(RUNTIMES))
def test_every_runtime(name, check):
    check(installed(name))


@pytest.mark.parametrize("name", sorted(RUNTIMES))
def test_a_policy_needs_no_package(name):
    runtimes.the_policy_is_one_that_recipes_can_read(find_runtime(name))


@pytest.mark.parametrize("check", runtimes.ANSWERS)
@pytest.mark.parametrize("name", COMPUTE)
def test_those_that_compute(name, check):
    if name in NO_TAPS and check is runtimes.inner_tensors_come_with_the_answer:
        with pytest.raises(TargetError, match="cannot give inner tensors"):
            check(installed(name))
    else:
        check(installed(name))


@pytest.mark.parametrize("name", COMPUTE)
def test_ours_refuse_no_type_of_number_but_those_named(name):
    assert runtimes.refused_types(installed(name)) == REFUSED.get(name, [])


@pytest.mark.parametrize("check", runtimes.ANSWERS)
def test_a_runtime_that_does_not_compute_is_found_out(check):
    with pytest.raises(AssertionError):
        check(find_runtime("null"))


@pytest.mark.parametrize(("kind", "part"), [("float32", 1e-5), ("float16", 1e-2), ("int8", 5 / 255)])
def test_what_lies_further_off_than_its_type_allows_is_found_out(kind, part):
    want = {"y": np.linspace(0, 2, 11)}
    runtimes._check_near(want, want, kind)
    with pytest.raises(AssertionError, match=kind):
        runtimes._check_near({"y": want["y"] + 2 * part}, want, kind)
