"""Cross-layer equalization: the function stays, the ranges of channels meet."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from onnx import numpy_helper

import nets
from paredown._compress.kept import Kept
from paredown._compress.quantize.cle import HEADROOM, LIMIT
from paredown._compress.quantize.ranges.calibrate import calibrate
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.graph.walk import to_ir
from paredown.model import Model
from paredown.numerics.ranges import Seen

GAINS = np.geomspace(0.05, 5.0, 8).astype(np.float32)


def uneven(net: nets.Net, x: str, inner: int, group: int = 1, gains: np.ndarray = GAINS) -> str:
    """A convolution to 8 channels that differ in loudness."""
    fan_in = inner // group * 9
    weight = net.rng.normal(size=(8, inner // group, 3, 3)) * gains.reshape(-1, 1, 1, 1) / fan_in**0.5
    bias = net.constant((net.rng.normal(size=8) * 0.1 * gains).astype(np.float32))
    return net.node("Conv", x, net.constant(weight.astype(np.float32)), bias, pads=[1] * 4, group=group)


def leaky(net: nets.Net) -> str:
    x = net.node("LeakyRelu", uneven(net, "image", 3), alpha=0.1)
    return net.conv(net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 8, 4)


def depthwise(net: nets.Net) -> str:
    x = net.node("Relu", uneven(net, "image", 3))
    return net.conv(net.node("Relu", uneven(net, x, 8, group=8)), 8, 4, 1)


def residual(net: nets.Net) -> str:
    x = net.node("Relu", uneven(net, "image", 3))
    total = net.node("Add", x, uneven(net, net.node("Relu", net.conv(x, 8, 8)), 8))
    return net.conv(net.node("Relu", total), 8, 4)


def shuffle(net: nets.Net) -> str:
    x = net.node("Relu", uneven(net, "image", 3))
    parts = net.node("Split", x, net.constant(np.array([4, 4])), axis=1, outputs=2)
    right = net.node("Relu", net.conv(f"{parts}_1", 4, 4, group=2))
    both = net.reshape(net.node("Concat", parts, right, axis=1), 1, 2, 4, 16, 16)
    mixed = net.reshape(net.node("Transpose", both, perm=[0, 2, 1, 3, 4]), 1, 8, 16, 16)
    return net.conv(mixed, 8, 4)


def classifier(net: nets.Net) -> str:
    x = net.node("GlobalAveragePool", net.node("Relu", uneven(net, "image", 3)))
    return net.node("Gemm", net.node("Flatten", x), net.normal(5, 8), net.normal(5), transB=1)


def built(build: Callable[[nets.Net], str]) -> Model:
    net = nets.Net(seed=5)
    return prepare(net.model(build(net)))


def unevenness(model: Model) -> dict[str, float]:
    """Loudest over quietest channel of every tensor that a Conv or Gemm reads, the image's left out."""
    nodes = [n for n in to_proto(model).graph.node if n.op_type in ("Conv", "Gemm")]
    tensors = sorted({n.input[0] for n in nodes} - {"image"})
    return {name: _ratio(seen) for name, seen in calibrate(model, tensors, nets.feeds()).items()}


def _ratio(seen: Seen) -> float:
    loud = np.maximum(np.abs(seen.channel_low), np.abs(seen.channel_high))
    return float(loud.max() / loud[loud > 0].min())


@pytest.mark.parametrize("build", [leaky, depthwise, residual, shuffle, classifier])
def test_the_function_stays_and_ranges_meet(build: Callable[[nets.Net], str]) -> None:
    model = built(build)
    made = nets.compressed(model, "cle").model
    for image in nets.images(3, seed=7):
        want, got = nets.run(model, image)[0], nets.run(made, image)[0]
        np.testing.assert_allclose(got, want, atol=1e-4 * np.abs(want).max())
    before, after = unevenness(model), unevenness(made)
    assert max(after.values()) < 0.5 * max(before.values())
    assert nets.ops(to_proto(made).graph.node) == nets.ops(to_proto(model).graph.node)


@pytest.mark.parametrize("build", [leaky, depthwise, residual, shuffle, classifier])
def test_what_was_seen_is_handed_on_scaled(build: Callable[[nets.Net], str]) -> None:
    """As it is seen in the equalized network; what holds scaled channels mixed is left to be seen anew."""
    kept = Kept()
    made = nets.compressed(built(build), "cle", kept=kept).model
    told = list(kept.seen.values())[-1]
    assert len(kept.seen) == 2
    for tensor, found in calibrate(made, sorted(told), nets.feeds()).items():
        np.testing.assert_allclose(told[tensor].channel_high, found.channel_high, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(told[tensor].channel_low, found.channel_low, rtol=1e-3, atol=1e-5)


def test_in_front_of_a_depthwise_layer_ranges_are_made_equal() -> None:
    """Its columns have a scale each and cost nothing, so nothing is left over (but what meets the limit)."""
    assert unevenness(built(depthwise))["relu1"] > 1000
    assert unevenness(nets.compressed(built(depthwise), "cle").model)["relu1"] < 1.3


def test_a_network_of_silu_is_left_as_it_is() -> None:
    net = nets.Net()
    model = prepare(net.model(net.conv(net.silu(net.conv("image", 3, 8)), 8, 4)))
    made = nets.compressed(model, "cle")
    assert [(r.action, r.data["op"]) for r in made.log] == [("skipped", "Conv")] * 2
    assert all("homogeneous" in r.why for r in made.log)
    assert weights(made.model) == weights(model)


def clipped(net: nets.Net) -> str:
    """Of 8 channels some reach the limit of their Clip, the others stay far below it."""
    zero, six = (net.constant(np.array(x, np.float32)) for x in (0, 6))
    x = net.node("Clip", uneven(net, "image", 3, gains=GAINS * 8), zero, six)
    return net.conv(net.node("Clip", uneven(net, x, 8, group=8), zero, six), 8, 4)


def test_through_a_clip_quiet_channels_are_scaled_up_and_what_reaches_it_stays() -> None:
    model = built(clipped)
    made = nets.compressed(model, "cle").model
    first, _ = (n.output[0] for n in to_proto(model).graph.node if n.op_type == "Clip")
    (before,) = calibrate(model, [first], nets.feeds()).values()
    (after,) = calibrate(made, [first], nets.feeds()).values()
    full = before.channel_high == 6
    assert 0 < full.sum() < 8
    np.testing.assert_array_equal(after.channel_high[full], 6)
    assert (after.channel_high[~full] <= 6 / HEADROOM * 1.001).all()
    assert (after.channel_high[~full] > 2 * before.channel_high[~full]).any()
    assert (after.channel_high >= before.channel_high * 0.999).all()
    for image in nets.feeds():
        (want,), (got,) = nets.run(model, image), nets.run(made, image)
        np.testing.assert_allclose(got, want, atol=1e-4 * np.abs(want).max())


def offset_behind_a_sum(net: nets.Net) -> str:
    x = net.node("Relu", uneven(net, "image", 3))
    total = net.node("Add", uneven(net, x, 8), net.conv(x, 8, 8))
    offset = net.constant(net.rng.normal(size=(1, 8, 1, 1)).astype(np.float32))
    return net.conv(net.node("Relu", net.node("Add", total, offset)), 8, 4)


def test_a_constant_behind_a_sum_goes_into_a_bias() -> None:
    model = built(offset_behind_a_sum)
    made = nets.compressed(model, "cle")
    ops = [nets.ops(to_proto(m).graph.node)["Add"] for m in (model, made.model)]
    assert ops == [2, 1]
    assert any(r.data["op"] == "Add" and "bias" in r.why for r in made.log)
    for image in nets.images(3, seed=7):
        (want,), (got,) = nets.run(model, image), nets.run(made.model, image)
        np.testing.assert_allclose(got, want, atol=1e-4 * np.abs(want).max())
    gone = [r.where for r in made.log if r.data["op"] == "Add"]
    assert (
        nets.ops(to_proto(nets.compressed(model, "cle", keep_float=tuple(gone)).model).graph.node)["Add"] == 2
    )


def test_factors_are_limited_and_told() -> None:
    net = nets.Net()
    gains = np.array([1e-6, *[1.0] * 6, 1e6], np.float32)
    x = net.node("Relu", uneven(net, "image", 3, gains=gains))
    made = nets.compressed(prepare(net.model(net.conv(x, 8, 4))), "cle")
    (record,) = (r for r in made.log if r.data.get("largest", 1.0) != 1.0)
    assert record.action == "changed"
    assert record.data["largest"] == LIMIT
    assert record.data["smallest"] == 1 / LIMIT


def test_dead_channels_stay_dead() -> None:
    net = nets.Net()
    weight = net.rng.normal(size=(8, 3, 1, 1)).astype(np.float32)
    weight[2] = 0
    x = net.node("Relu", net.node("Conv", "image", net.constant(weight)))
    model = prepare(net.model(net.conv(x, 8, 4)))
    made = nets.compressed(model, "cle").model
    image = nets.images(1, seed=7)[0]
    np.testing.assert_allclose(nets.run(made, image)[0], nets.run(model, image)[0], atol=1e-4)
    first = next(iter(to_ir(made).graph)).inputs[1]
    assert first is not None
    assert first.const_value is not None
    assert not first.const_value.numpy()[2].any()


def test_the_old_weights_are_not_kept() -> None:
    model = built(leaky)
    made = nets.compressed(model, "cle").model
    assert len(to_proto(made).graph.initializer) == len(to_proto(model).graph.initializer)


def test_equalized_depthwise_layers_quantize_better() -> None:
    """Quiet channels that the next layer amplifies: per tensor they have no steps of their own."""
    net = nets.Net(seed=5)
    x = net.node("Relu", uneven(net, "image", 3))
    y = net.node("Relu", uneven(net, x, 8, group=8, gains=1 / GAINS))
    model = prepare(net.model(net.conv(y, 8, 4, 1)))
    image = nets.images(1, seed=7)[0]
    want = nets.run(model, image)[0]
    plain, equal = (
        nets.agreement(want, nets.run(nets.compressed(model, recipe).model, image)[0])
        for recipe in ("w8a8", "cle+w8a8")
    )
    assert equal < plain / 3


def weights(model: Model) -> dict[str, bytes]:
    return {t.name: numpy_helper.to_array(t).tobytes() for t in to_proto(model).graph.initializer}
