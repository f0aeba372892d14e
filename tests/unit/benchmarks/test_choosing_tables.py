"""What the scripts that choose make of figures: seconds paid, fidelity won, the value in use in bold."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import nets
from paredown.graph.prepare import prepare

RESULT = {
    "command": "python benchmarks/x.py",
    "date": "2026-01-02T03:04:05+00:00",
    "machine": "a CPU",
    "environment": {"threads": 1, "packages": {}},
}


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "benchmarks"))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    return load


def rounded(rounding: str, cpu_s: float, fidelity: float, lost: float) -> dict[str, object]:
    figures = {"rest_fidelity": fidelity, "rest_points_lost": lost}
    outcome = {"eval_fidelity": fidelity - 1, "eval_points_lost": lost + 1}
    return {"model": "m", "bits": 4, "rounding": rounding, "cpu_s": cpu_s, **figures, **outcome}


def test_rounding_is_paid_for_in_seconds_beyond_the_nearest(scripts):
    """3 points of fidelity in 12 - 6 seconds: half a point a second."""
    rows = [rounded("nearest", 6.0, 90.0, 2.0), rounded("gptq", 12.0, 93.0, 1.5)]
    rows.append({"model": "m", "bits": 4, "rounding": "adaround", "error": "no torch"})
    text = scripts("recipe_tables").rounding({**RESULT, "rows": rows})
    assert "| m | 4 bits | `nearest` | 90.00 | 2.00 | - | - | 89.00 | 3.00 |" in text
    assert "| m | 4 bits | `gptq` | 93.00 | 1.50 | 6.0 | +0.500 | 92.00 | 2.50 |" in text
    assert "| m | 4 bits | `adaround` | failed: no torch |" in text


def test_the_value_in_use_is_bold(scripts):
    row = {"model": "m", "constant": "RIDGE", "rest_fidelity": 97.5}
    rows = [{**row, "value": 3, "default": False}, {**row, "value": 0.5, "default": True}]
    text = scripts("recipe_tables").constants({**RESULT, "rows": rows})
    assert text.index("| RIDGE | **0.5** | 97.50 |") < text.index("| RIDGE | 3 | 97.50 |")


def test_a_constant_is_varied_and_put_back(scripts):
    from paredown._compress.quantize.rounding import gptq as rounding
    from paredown.numerics import ranges

    constants = scripts("constants")
    before, penalty = rounding.RIDGE, ranges.penalty
    with constants.varied(constants.CONSTANTS["RIDGE"], 2 * before) as default:
        assert (rounding.RIDGE, default) == (2 * before, False)
    with constants.varied(constants.CONSTANTS["exponent"], 2) as default:
        assert ranges.penalty(np.array([3.0], np.float32)).tolist() == [9.0]
        assert not default
    with constants.varied(constants.CONSTANTS["exponent"], 3) as default:
        assert default
    assert (rounding.RIDGE, ranges.penalty) == (before, penalty)


def test_every_constant_that_is_varied_exists(scripts):
    constants = scripts("constants")
    for constant in constants.CONSTANTS.values():
        assert hasattr(importlib.import_module(constant.module), constant.name)


def test_layers_apart_are_fitted_to_the_float_network(scripts):
    """Each is better than the nearest by itself; on the chain they come out otherwise."""
    source = prepare(nets.NETS["attention"]())
    rounding = scripts("rounding")
    with rounding.patched(rounding.apart):
        apart = nets.compressed(source, "w4a8-all+gptq")
    chained = nets.compressed(source, "w4a8-all+gptq")
    left = [float(str(r.data["error_left"])) for r in apart.log if r.step == "gptq"]
    assert max(left) <= 1
    assert min(left) < 0.6
    assert apart.model.data != chained.model.data
