"""What calibration keeps: exact extremes, a bounded sample, the same every time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest

import nets
from paredown._compress.quantize.ranges import calibrate as module
from paredown._compress.quantize.ranges.calibrate import calibrate
from paredown.errors import CalibrationError
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.model import Model
from paredown.numerics.ranges import Seen


def identity_like() -> tuple[Model, str]:
    """A model whose inner tensor is its input, channel c times c + 1."""
    net = nets.Net()
    gain = net.constant(np.array([1, 2, 3], np.float32).reshape(1, 3, 1, 1))
    inner = net.node("Mul", "image", gain)
    return net.model(net.conv(inner, 3, 2)), inner


def equal(a: Seen, b: Seen) -> bool:
    return all(np.array_equal(getattr(a, f), getattr(b, f)) for f in Seen.__dataclass_fields__)


def test_extremes_are_exact() -> None:
    model, inner = identity_like()
    images = [i - 0.3 for i in nets.images(3)]
    truth = [i * np.array([1, 2, 3], np.float32).reshape(1, 3, 1, 1) for i in images]
    seen = calibrate(model, [inner], [{"image": i} for i in images])[inner]
    np.testing.assert_array_equal(seen.lows, [t.min() for t in truth])
    np.testing.assert_array_equal(seen.highs, [t.max() for t in truth])
    assert (seen.low, seen.high) == (min(map(np.min, truth)), max(map(np.max, truth)))
    np.testing.assert_array_equal(seen.channel_low, np.min(truth, axis=(0, 1, 3, 4)))
    np.testing.assert_array_equal(seen.channel_high, np.max(truth, axis=(0, 1, 3, 4)))


def test_the_sample_is_made_of_values_of_their_channels() -> None:
    model, inner = identity_like()
    image = nets.images(1)[0]
    seen = calibrate(model, [inner], [{"image": image}])[inner]
    assert seen.sample.dtype == np.float32
    assert len(seen.sample) == len(seen.channel) == 3 * 16 * 16
    for channel in range(3):
        want = np.sort((image[0, channel] * np.float32(channel + 1)).ravel())
        np.testing.assert_array_equal(np.sort(seen.sample[seen.channel == channel]), want)


def test_a_sigmoid_is_told_from_the_tensor_it_reads() -> None:
    net = nets.Net()
    once = net.node("Sigmoid", net.conv("image", 3, 4))
    twice = net.node("Sigmoid", once)
    model = prepare(net.model(net.conv(twice, 4, 2)))
    x = next(n.input[0] for n in to_proto(model).graph.node if n.output[0] == once)
    names = [x, once, twice]
    together = calibrate(model, names, nets.feeds(3))
    for name in names:
        alone = calibrate(model, [name], nets.feeds(3))[name]
        for part in ("lows", "highs", "channel_low", "channel_high"):
            np.testing.assert_allclose(getattr(together[name], part), getattr(alone, part), atol=1e-6)
    sample, of = together[once].sample, together[x].sample
    np.testing.assert_allclose(sample, 1 / (1 + np.exp(-of)), atol=1e-6)


def test_tensors_of_any_rank_and_the_input_itself() -> None:
    model = prepare(nets.classifier())
    names = ["image", model.outputs[0].name]
    seen = calibrate(model, names, nets.feeds(2))
    assert len(seen["image"].channel_low) == 3
    assert len(seen[names[1]].channel_low) == 10
    answers = [nets.run(model, i)[0] for i in nets.images(2)]
    np.testing.assert_allclose(seen[names[1]].highs, [a.max() for a in answers], rtol=1e-4, atol=1e-5)


def test_memory_does_not_grow_with_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CAPACITY", 1000)
    model, inner = identity_like()
    sizes = []
    for n in (1, 4, 40, 80):
        seen = calibrate(model, [inner], nets.feeds(n))[inner]
        sizes.append(len(seen.sample))
        assert len(seen.channel) == len(seen.sample)
        assert len(seen.lows) == n
    assert sizes[0] == 768
    assert max(sizes) <= 1000
    assert min(sizes[1:]) >= 250


def test_late_images_count_as_much_as_early_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is thinned evenly: the share of each half of the images stays one half."""
    monkeypatch.setattr(module, "CAPACITY", 2000)
    model, inner = identity_like()
    dark, bright = [np.full((1, 3, 16, 16), v, np.float32) for v in (0.1, 10.0)]
    seen = calibrate(model, [inner], [{"image": i} for i in [dark] * 32 + [bright] * 32])[inner]
    assert 0.4 < np.mean(seen.sample > 5) < 0.6
    assert set(seen.channel.tolist()) == {0, 1, 2}
    for channel in range(3):
        assert 0.2 < np.mean(seen.channel == channel) < 0.5


def test_large_tensors_are_sampled_evenly() -> None:
    net = nets.Net()
    model = net.model(net.conv("image", 3, 1), inputs={"image": [1, 3, 64, 64]})
    image = np.linspace(0, 1, 3 * 64 * 64, dtype=np.float32).reshape(1, 3, 64, 64)
    seen = calibrate(model, ["image"], [{"image": image}])["image"]
    assert len(seen.sample) == module.PER_IMAGE
    assert abs(float(seen.sample.mean()) - 0.5) < 0.03
    assert (seen.low, seen.high) == (0.0, 1.0)


def test_the_same_every_time_and_the_seed_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PER_IMAGE", 100)
    model, inner = identity_like()
    first, again, other = (calibrate(model, [inner], nets.feeds(3), seed=s)[inner] for s in (0, 0, 1))
    assert equal(first, again)
    assert not np.array_equal(first.sample, other.sample)
    np.testing.assert_array_equal(first.lows, other.lows)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_named(bad: float) -> None:
    model, inner = identity_like()
    images = nets.feeds(3)
    images[1]["image"][0, 0, 3, 3] = bad
    with pytest.raises(CalibrationError, match="image 2") as caught:
        calibrate(model, ["image", inner], images)
    assert "'image'" in caught.value.what
    assert caught.value.hint


def test_no_image() -> None:
    model, inner = identity_like()
    with pytest.raises(CalibrationError, match="no calibration image"):
        calibrate(model, [inner], [])


def test_images_are_read_one_by_one_and_shown() -> None:
    model, inner = identity_like()
    told: list[str] = []

    def progress(items: Iterable[np.ndarray], what: str, total: int | None = None) -> Iterator[np.ndarray]:
        told.append(what)
        yield from items

    calibrate(model, [inner], iter(nets.feeds(2)), progress=progress)
    assert told == ["calibrating"]


def test_the_model_is_not_changed() -> None:
    model, inner = identity_like()
    before = bytes(model.data)
    calibrate(model, [inner], nets.feeds(1))
    assert model.data == before
