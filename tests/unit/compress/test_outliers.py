"""Channels that stand out: found by hand-made figures, told with what was done about them."""

from __future__ import annotations

import numpy as np
import pytest

import nets
from paredown._compress.quantize.ranges.outliers import stands_out
from paredown.graph.prepare import prepare
from paredown.model import Model


def loud(scale: float, activation: str) -> Model:
    """Two convolutions; the first one's channel 3 is `scale` times as loud as the others."""
    net = nets.Net(seed=2)
    weights = np.ones((8, 3, 1, 1), np.float32)
    weights[3] *= scale
    x = net.node("Conv", "image", net.constant(weights))
    x = net.node("Relu", x) if activation == "relu" else net.silu(x)
    return prepare(net.model(net.silu(net.conv(net.silu(net.conv(x, 8, 8)), 8, 4))))


def test_the_loudest_over_the_typical_channel_by_hand() -> None:
    """Median of (1, 2, 4, 40) is 3; the silent channel does not count."""
    assert stands_out(np.array([1, 2, 0, 4, 40])) == pytest.approx(40 / 3)
    assert stands_out(np.zeros(3)) == 1.0


def test_told_where_it_is_made_and_what_was_done() -> None:
    made = nets.compressed(loud(20.0, "silu"), "w8a8-pc-mse")
    found = [r for r in made.log if "outlier" in r.data]
    assert {r.data["op"] for r in found} >= {"Conv", "Mul"}
    assert max(float(str(r.data["outlier"])) for r in found) == pytest.approx(20, rel=0.1)
    mul = next(r for r in found if r.data["op"] == "Mul")
    assert float(str(mul.data["typical_steps"])) < 256 / 10
    assert "range of least error" in str(mul.data["handled"])


def test_channels_that_never_change_have_no_typical_width() -> None:
    """A transformer's own tokens: loud in one channel, and the same for every image."""
    net = nets.Net(seed=2)
    bias = np.ones(8, np.float32)
    bias[3] = 40.0
    still = net.node("Conv", "image", net.constant(np.zeros((8, 3, 1, 1), np.float32)), net.constant(bias))
    x = net.node("Add", still, net.conv("image", 3, 8))
    made = nets.compressed(prepare(net.model(net.conv(net.silu(x), 8, 4))), "w8a8-pc-minmax")
    found = [r for r in made.log if "outlier" in r.data]
    assert found
    assert all(float(str(r.data.get("typical_steps", 0))) >= 0 for r in found)


def test_nothing_is_told_of_even_channels() -> None:
    assert not [r for r in nets.compressed(loud(1.0, "silu"), "w8a8-pc-mse").log if "outlier" in r.data]


def test_equalized_where_the_function_between_allows() -> None:
    made = nets.compressed(loud(20.0, "relu"), "cle+w8a8-pc-mse")
    told = [r for r in made.log if r.step == "cle" and "outlier" in r.data]
    assert len(told) == 1
    assert "equalized to" in str(told[0].data["handled"])
    left = [r.data["outlier"] for r in made.log if r.step != "cle" and "outlier" in r.data]
    assert max(map(float, map(str, left))) == pytest.approx(20**0.5, rel=0.1)
