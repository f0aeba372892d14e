"""Equalization through SiLU: the function stays to the bit, and one grid fits all channels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import nets
from paredown._compress.compress import compress
from paredown._compress.draft import Draft
from paredown._compress.presets import parse_recipe
from paredown._compress.quantize import gates
from paredown._compress.quantize.ranges.calibrate import calibrate
from paredown._compress.quantize.ranges.post_activation import post_activation, sigmoid
from paredown._compress.recipe import Context
from paredown.graph.channels import channel_classes, gated
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.graph.walk import constant, consumers, to_ir, to_model
from paredown.model import Model
from paredown.numerics.quant_params import exact
from paredown.numerics.ranges import PerChannel, Seen, least_cubed_error
from paredown.protocols import Lost

Activation = Callable[[nets.Net, str], str]

GAINS = np.geomspace(0.02, 20.0, 8).astype(np.float32)


def silu(net: nets.Net, x: str) -> str:
    return net.node("Mul", x, net.node("Sigmoid", x))


def hard_swish(net: nets.Net, x: str) -> str:
    return net.node("Mul", x, net.node("HardSigmoid", x, alpha=1 / 6))


def uneven(gains: np.ndarray = GAINS, depthwise: bool = True, silu: Activation = silu) -> Model:
    """A network whose 8 inner channels differ in loudness, then a depthwise one that levels them."""
    net = nets.Net(seed=5)
    weight = net.rng.normal(size=(8, 3, 3, 3)) * gains.reshape(-1, 1, 1, 1) / 3
    x = silu(net, net.node("Conv", "image", net.constant(weight.astype(np.float32)), pads=[1] * 4))
    if depthwise:
        level = net.rng.normal(size=(8, 1, 3, 3)) / gains.reshape(-1, 1, 1, 1) / 3
        x = net.node("Conv", x, net.constant(level.astype(np.float32)), pads=[1] * 4, group=8)
        x = silu(net, x)
    return prepare(net.model(net.conv(x, 8, 4, 1)))


def context_of(model: Model) -> Context:
    return Context(model, lambda: iter(nets.feeds(8)), nets.ANY_BOARD, nets.POLICY, threads=1)


def made(model: Model, recipe: str) -> tuple[Model, list[str]]:
    done = compress(parse_recipe(recipe), context_of(model))
    return done.model, [record.action for record in done.log if record.step == "gates"]


@pytest.mark.parametrize("activation", [silu, hard_swish])
def test_factors_at_gates_change_nothing(activation: Activation) -> None:
    model = uneven(silu=activation)
    scaled, actions = made(model, "gates")
    assert "changed" in actions
    assert sum(n.op_type == "Mul" for n in to_proto(scaled).graph.node) == 2 + actions.count("changed")
    for image in nets.images(3, seed=9):
        np.testing.assert_allclose(
            nets.run(scaled, image)[0], nets.run(model, image)[0], rtol=1e-5, atol=1e-6
        )


def test_ranges_of_the_scaled_graph_are_told_from_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[Model, dict[str, Seen]]] = []
    plain = gates._gridded
    monkeypatch.setattr(gates, "_gridded", lambda m, s, c: told.append((m, s)) or plain(m, s, c))
    made(uneven(), "gates")
    (_, before), (scaled, after) = told
    assert set(after) > set(before)
    seen = calibrate(scaled, sorted(after), nets.feeds(8), threads=1, seed=0)
    for tensor, found in seen.items():
        # what is told of a SiLU that was not watched takes its bottom to be met
        np.testing.assert_allclose(after[tensor].channel_low, found.channel_low, rtol=3e-3, atol=1e-7)
        np.testing.assert_allclose(after[tensor].channel_high, found.channel_high, rtol=1e-5, atol=1e-7)
        assert (after[tensor].low, after[tensor].high) == pytest.approx((found.low, found.high), rel=3e-3)
    changed = [t for t in before if before[t].high != after[t].high]
    assert changed
    for tensor in changed:  # the sample is the plain one's, each value over its channel's factor
        ratio = before[tensor].sample / after[tensor].sample
        assert set(np.log2(ratio[np.isfinite(ratio)]) % 1) == {0.0}


@pytest.mark.parametrize("activation", [silu, hard_swish])
def test_one_grid_then_fits_all_channels(activation: Activation) -> None:
    model = uneven(silu=activation)
    errors = {}
    for recipe in ("w8a8-pc-mse", "gates+w8a8-pc-mse"):
        quantized, _ = made(model, recipe)
        pairs = [(nets.run(model, i)[0], nets.run(quantized, i)[0]) for i in nets.images(3, seed=9)]
        errors[recipe] = float(np.mean([np.square(a - b).mean() / a.var() for a, b in pairs]))
    assert errors["gates+w8a8-pc-mse"] < errors["w8a8-pc-mse"] / 3


def test_a_product_with_a_gate_in_float_is_rounded_once() -> None:
    """ONNX Runtime has no integer HardSigmoid: neither the gate nor what its factors make is rounded."""
    quantized, actions = made(uneven(silu=hard_swish), "gates+w8a8-pc-mse")
    assert "changed" in actions
    nodes = to_proto(quantized).graph.node
    rounded = {n.input[0] for n in nodes if n.op_type == "QuantizeLinear"}
    for node in nodes:
        if node.op_type == "HardSigmoid":
            assert rounded.isdisjoint([*node.input, *node.output])
    assert nets.ops(nets.optimized(quantized).graph.node)["QLinearMul"] == 0


def test_channels_behind_squeeze_and_excitation_are_equalized_too() -> None:
    """What a gate of one number for every channel multiplies is homogeneous beside it."""
    net = nets.Net(seed=5)
    x = silu(net, net.conv("image", 3, 8))
    pooled = net.node("GlobalAveragePool", x)
    weighed = net.node("Mul", x, net.node("Sigmoid", net.conv(pooled, 8, 8, 1)))
    graph = to_ir(prepare(net.model(net.conv(weighed, 8, 4, 1)))).graph
    channels = channel_classes(graph, through_gates=True)
    assert channels.of(weighed).tolist() == channels.of(x).tolist()
    assert channels.is_frozen().isdisjoint(channels.of(x).tolist())


def test_the_runtime_computes_factors_in_integers() -> None:
    quantized, actions = made(uneven(), "gates+w8a8-pc-mse")
    ops = nets.ops(nets.optimized(quantized).graph.node)
    assert ops["QLinearMul"] == 2 + actions.count("changed") > 2
    assert ops["Mul"] == 0


def test_a_network_that_mixed_leaves_float_pays_for_no_factors() -> None:
    def judge(candidate: Model) -> Lost:
        grids = nets.ops(to_proto(candidate).graph.node)["QuantizeLinear"]
        return Lost(float(grids), 0.001, "map50_95", "no images at all")

    model = uneven()
    free, tight = (nets.compressed(model, f"gates+mix-drop{p}", judge=judge).model for p in (99, 0.1))
    assert nets.ops(to_proto(free).graph.node)["Mul"] > 2
    assert nets.ops(to_proto(tight).graph.node)["Mul"] == 2
    for image in nets.images(2, seed=9):
        np.testing.assert_allclose(nets.run(tight, image)[0], nets.run(model, image)[0], rtol=1e-5, atol=1e-6)


def test_what_changed_behind_gates_is_not_undone() -> None:
    draft = Draft(to_ir(uneven()))
    gates.apply(gates.Gates(), draft, context_of(uneven()))
    gated_model = to_model(draft.model, uneven())
    assert gates.without(draft, gated_model) is not None
    assert gates.without(draft, uneven()) is None
    assert gates.without(Draft(to_ir(uneven())), uneven()) is None


def test_channels_that_are_alike_are_left() -> None:
    _, actions = made(uneven(gains=np.ones(8, np.float32)), "gates")
    assert set(actions) == {"skipped"}


def test_without_gates_it_says_so() -> None:
    done = nets.compressed(prepare(nets.NETS["residual"]()), "gates")
    (record,) = done.log
    assert record.action == "skipped"
    assert "sigmoid" in record.why


def test_a_node_kept_float_is_not_touched() -> None:
    model = uneven()
    kept = next(n for n in to_ir(model).graph if n.op_type == "Conv")
    done = nets.compressed(model, "gates", keep_float=(str(kept.name),))
    (now,) = (n for n in to_ir(done.model).graph if n.name == kept.name)
    for value, before in zip(now.inputs[1:], kept.inputs[1:], strict=True):
        np.testing.assert_array_equal(constant(value), constant(before))
    behind = {n.name for v in kept.outputs for n in consumers(v)}
    assert behind.isdisjoint(r.where for r in done.log if r.action == "changed")


def test_a_sigmoid_that_others_read_is_no_gate() -> None:
    net = nets.Net(seed=1)
    x = net.conv("image", 3, 4)
    gate = net.node("Sigmoid", x)
    both = net.node("Add", net.node("Mul", x, gate), gate)
    graph = to_ir(prepare(net.model(net.conv(both, 4, 4)))).graph
    assert not [n for n in graph if gated(n) is not None]
    channels = channel_classes(graph, through_gates=True)
    assert channels.is_frozen() >= set(channels.of(x).tolist())


def test_the_range_sees_each_channel_through_its_own_gate() -> None:
    model, _ = made(uneven(), "gates")
    graph = to_ir(model).graph
    first = next(n for n in graph if n.op_type == "Conv").outputs[0]
    after = post_activation(first)
    assert isinstance(after, PerChannel)
    x = np.linspace(-4, 4, 8, dtype=np.float32)
    np.testing.assert_allclose(after.function(x, after.factors), x * sigmoid(after.factors * x))


def test_a_range_by_factor_clips_where_every_gate_is_shut() -> None:
    """Two channels, their gates shut below -8 and below -1: what lies lower than -8 is not worth a step."""
    rng = np.random.default_rng(0)
    sample = rng.uniform(-40, 4, 4000).astype(np.float32)
    channel = np.tile([0, 1], 2000).astype(np.int32)
    ends = np.array([-40.0, -40.0], np.float32), np.array([4.0, 4.0], np.float32)
    seen = Seen(sample, channel, *(e[None] for e in ends))
    after = PerChannel(lambda x, f: x * sigmoid(f * x), np.array([1.0, 8.0], np.float32))
    low, high = least_cubed_error(seen, after=after)
    assert -10 < low < -2
    assert high == pytest.approx(4.0, rel=0.05)


@pytest.mark.parametrize(
    ("values", "holds"), [([0.5, 2.0, 64.0], True), ([1.0, 1.5], False), ([-1.0], False)]
)
def test_exact_grids(values: list[float], holds: bool) -> None:
    x = np.array(values, np.float32)
    grid = exact(x)
    assert (grid is not None) == holds
    if grid is not None:
        np.testing.assert_array_equal(grid.dequantize(grid.quantize(x)), x)
