"""Every runtime in RUNTIMES passes the checks of `paredown.testing.runtimes`."""

from __future__ import annotations

import numpy as np
import pytest

import nets
from paredown._compress.compress import compress
from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Context
from paredown.errors import MissingDependency, TargetError
from paredown.graph.prepare import prepare
from paredown.graph.run import run_once
from paredown.policy import HALVES, possible
from paredown.protocols import Lost, Runtime
from paredown.runtimes import RUNTIMES
from paredown.runtimes import runtime as find_runtime
from paredown.targets import target
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


@pytest.mark.parametrize("recipe", [*HALVES.values(), "int8", "int4", "mixed", "int8-weights"])
@pytest.mark.parametrize("name", COMPUTE)
def test_what_a_runtime_says_it_takes_is_made_built_and_answers(name, recipe, tmp_path):
    """With a judge that runs the candidates there, as a job has one."""
    installed(name)
    place = target("local", runtime=name)
    if recipe not in possible(place.policy):
        pytest.skip(f"{name} does not say that it takes {recipe}")
    model = prepare(nets.NETS["classifier"]())
    feeds = {model.inputs[0].name: nets.images(1, seed=3)[0]}
    want = run_once(model.data, feeds)

    def lost(candidate):
        got = place.compile(candidate.data).run(feeds)
        away = max(nets.agreement(want[key], got[key]) for key in want)
        return Lost(100 * away, 0.01, "map50_95", "one image")

    context = Context(model, nets.feeds, place.device, place.policy, judge=lost)
    made = compress(parse_recipe(recipe), context)
    try:
        assert lost(made.model).points < 25  # of the spread of the outputs, in hundredths: 4 bits lose most
    except TargetError as refusal:
        assert recipe in HALVES.values()
        pytest.skip(str(refusal))  # not on every CPU
    assert place.build(made.model.data, tmp_path).size_bytes > 0
