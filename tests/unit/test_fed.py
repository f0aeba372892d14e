"""compress --calib FILE.npz: models fed with tensors, no image among them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nets
from paredown.errors import DataError, UnknownName
from paredown.fed import compress_fed, read_feeds
from paredown.model import Model


def two_tensors() -> Model:
    net = nets.Net()
    x = net.node("Relu", net.conv("points", 6, 8))
    x = net.node("Mul", net.conv(x, 8, 8), "gain")
    return net.model(net.conv(x, 8, 2), inputs={"points": [1, 6, 16, 16], "gain": [1, 8, 1, 1]})


def test_samples_and_what_is_the_same_for_all(tmp_path: Path) -> None:
    rng, file = np.random.default_rng(0), tmp_path / "calib.npz"
    points, gain = rng.normal(size=(5, 6, 16, 16)).astype(np.float32), np.full((1, 8, 1, 1), 2.0, np.float32)
    np.savez(file, points=points, gain=gain)
    model = two_tensors()
    made = compress_fed(model, "w8a8-pc-mse", file)
    assert any(record.action == "quantized" for record in made.log)
    feeds = read_feeds(file, model.inputs)
    assert len(feeds) == 5
    for fed in feeds:
        (want,), (got,) = nets.run(model, dict(fed)), nets.run(made.model, dict(fed))
        assert nets.agreement(want, got) < 0.1


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    file, model = tmp_path / "calib.npz", two_tensors()
    for arrays, error in (
        ({"points": np.zeros((5, 6, 16, 16))}, DataError),
        ({"points": np.zeros((5, 6, 16, 8)), "gain": np.zeros((1, 8, 1, 1))}, DataError),
        ({"points": np.zeros((5, 6, 16, 16)), "gain": np.zeros((4, 8, 1, 1))}, DataError),
        ({"point": np.zeros((5, 6, 16, 16))}, UnknownName),
    ):
        np.savez(file, **arrays)
        with pytest.raises(error):
            read_feeds(file, model.inputs)
