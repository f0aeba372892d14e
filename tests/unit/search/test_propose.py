"""Proposals: new, the same for the same trials, drawn to what was good, quiet."""

import logging
import sys

import numpy as np
import pytest

from paredown.device import Device
from paredown.errors import MissingDependency
from paredown.runtimes.onnxruntime import policy
from paredown.search.propose import Tried, propose, require_optuna
from paredown.search.space import Space, space_for

optuna = pytest.importorskip("optuna")
SPACE = space_for(policy(Device("any", "")), [])
SMALL = Space({"a": "w8a8{scales}{ranges}"}, {"scales": ("-pc", "-pt"), "ranges": ("-mse", "-minmax")})


def judged(name: str) -> Tried:
    """A made-up device: 8 bits lose little and are fast, 4 lose more and are small, 2 lose everything."""
    lost = 0.3 + 0.4 * ("-pt" in name) + 0.3 * ("minmax" in name) + 0.2 * ("+bc" not in name)
    lost += 1.0 * ("w4a8" in name) * (1 - 0.7 * ("gptq" in name)) + 20 * ("w2a8" in name)
    ratio = 0.5 if "a8" in name else 3.0 if "dynamic" in name else 1.0
    size = 0.15 if "pack" in name or "cluster" in name else 0.28
    return Tried(name, (lost, ratio, size), max(0.0, lost - 1))


def searched(count: int, seed: int, tried: tuple[Tried, ...] = ()) -> list[Tried]:
    found = [*tried]
    for _ in range(count):
        found.append(judged(propose(SPACE, found, seed).name))
    return found


def test_nothing_is_proposed_twice_and_it_ends_when_all_is_tried():
    tried: list[Tried] = []
    while (recipe := propose(SMALL, tried, 0)) is not None:
        tried.append(Tried(recipe.name, (float(len(tried)), 1.0)))
    assert sorted(t.recipe for t in tried) == sorted(SMALL.names())


def test_the_same_trials_give_the_same_proposal_so_a_search_goes_on_where_it_stopped():
    whole = searched(14, seed=3)
    assert searched(14, seed=3) == whole
    assert searched(6, seed=3, tried=tuple(whole[:8])) == whole
    assert searched(14, seed=4) != whole


def test_a_recipe_that_does_not_parse_is_never_proposed():
    space = Space({"a": "w8a8{scales}"}, {"scales": ("-pc", "-nonsense")})
    assert propose(space, [], 0).name == "w8a8-pc-mse"  # as its name is derived
    assert propose(space, [Tried("w8a8-pc-mse", (0.0,))], 0) is None


def test_failed_recipes_are_not_tried_again_and_warn_off_their_like():
    tried = [Tried(name) for name in SPACE.names() if "w2a8" in name][:12]
    tried += [Tried("float", (0.0, 1.0, 1.0)), *map(judged, ("w8a8-pc-mse", "w8a8-pc-mse+bc", "w8-pc"))]
    names = []
    for seed in range(30):
        names.append(propose(SPACE, tried, seed).name)
    assert not {t.recipe for t in tried} & set(names)
    assert sum("w2a8" in name for name in names) < 5  # one in six by chance


def test_the_search_goes_where_the_good_trials_lie():
    late = [t for seed in range(5) for t in searched(40, seed)[20:]]
    chance = [judged(name) for name in np.random.default_rng(0).choice(list(SPACE.names()), 100)]
    within = [np.mean([t.over == 0 and t.costs[1] == 0.5 for t in group]) for group in (late, chance)]
    assert within[0] > 1.5 * within[1]


def test_optuna_is_silent_and_its_settings_are_left_as_they_were(capfd):
    before = optuna.logging.get_verbosity()
    propose(SPACE, [Tried("w8a8-pc-mse", (0.1, 1.0))], 0)
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == before == logging.INFO


def test_a_missing_package_is_said_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingDependency, match=r"paredown\[search\]"):
        require_optuna()
