"""The benchmark of the search: its measure by hand, its made-up device, its table."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("optuna")
BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("search")


def test_the_volume_is_that_of_the_boxes_beyond_the_trials_within_the_limit(script):
    drawn = np.random.default_rng(0).random((20_000, 3))
    half = script._tried("a", 0.5, 0.5, 0.5)
    corner = script._tried("b", -0.3, 0.5, 0.75)  # a gain is no loss: 1 * 0.5 * 0.25, half of it new
    assert script._volume([half], drawn) == pytest.approx(1 / 8, abs=0.01)
    assert script._volume([half, corner], drawn) == pytest.approx(1 / 8 + 1 / 16, abs=0.01)
    assert script._volume([script._tried("c", 1.2, 0.1, 0.1)], drawn) == 0


def test_the_made_up_device_gives_a_recipe_the_same_figures_every_time(script):
    first = script._made_up("w4a8-pc-mse+gptq+pack")
    assert first == script._made_up("w4a8-pc-mse+gptq+pack")
    assert script._made_up("w2a8-pc-mse+pack").over > 10 > first.over


def test_every_way_of_searching_starts_from_the_presets(script, monkeypatch):
    monkeypatch.setattr(script, "DRAWN", 500)
    table = {name: script._made_up(name) for name in script.DEMO_SPACE.names()}
    found = script._replay(script.DEMO_SPACE, table, trials=5, seeds=1)
    assert len({volumes[0] for volumes in found.values()}) == 1
    assert all(volumes[5] >= volumes[0] for volumes in found.values())
