"""From what calibration saw to grids: gates, heads, concats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import nets
from paredown._compress.quantize.placement.plan import Plan, place
from paredown._compress.quantize.ranges.calibrate import calibrate
from paredown._compress.quantize.ranges.choose import activation_params, pool
from paredown._compress.quantize.ranges.post_activation import UNHEARD
from paredown.graph.prepare import prepare
from paredown.graph.walk import to_ir
from paredown.model import Model
from paredown.numerics.quant_params import QuantParams
from paredown.numerics.ranges import Seen


@dataclass
class Chosen:
    plan: Plan
    seen: dict[str, Seen]
    grids: dict[str, QuantParams]

    def of(self, tensor: str) -> QuantParams:
        return self.grids[self.plan.group[tensor]]


def chosen(model: Model, method: str = "mse", per_channel: bool = True) -> Chosen:
    graph = to_ir(model).graph
    plan = place(graph, nets.POLICY)
    seen = calibrate(model, sorted(plan.group), nets.feeds())
    return Chosen(plan, seen, activation_params(graph, plan, seen, method, per_channel))


def bounds(grid: QuantParams) -> tuple[np.ndarray, np.ndarray]:
    low, high = grid.bounds()
    return np.atleast_1d(low), np.atleast_1d(high)


def joined(first: float, second: float, apart: bool) -> tuple[Chosen, list[str]]:
    """Two tensors of the given loudness and their Concat; `apart`: a convolution reads the second as well."""
    net = nets.Net(seed=3)
    weight = net.rng.normal(size=(4, 3, 1, 1)).astype(np.float32)
    parts = [
        net.node("LeakyRelu", net.node("Conv", "image", net.constant(weight * np.float32(s))), alpha=0.5)
        for s in (first, second)
    ]
    both = net.node("Concat", *parts, axis=1)
    outputs = [net.conv(both, 8, 4)] + ([net.conv(parts[1], 4, 4)] if apart else [])
    return chosen(prepare(net.model(*outputs))), [*parts, both]


def test_a_gate_covers_zero_to_one_whatever_was_seen() -> None:
    found = chosen(prepare(nets.detector()))
    gates = [n for n in found.plan.roles if n.op_type == "Sigmoid"]
    assert len(gates) == 3
    for gate in gates:
        (low,), (high,) = bounds(found.of(str(gate.outputs[0].name)))
        assert low == 0
        assert abs(high - 1) < 1e-6


def test_a_head_has_a_grid_for_every_channel_over_what_was_seen() -> None:
    found = chosen(prepare(nets.detector()))
    assert len(found.plan.heads) == 2
    for head in found.plan.heads:
        grid, seen = found.of(head), found.seen[head]
        low, high = bounds(grid)
        step = np.atleast_1d(grid.scale)
        assert grid.axis == 1
        assert len(step) == len(seen.channel_low)
        assert (low <= np.minimum(seen.channel_low, 0) + step).all()
        assert (high >= np.maximum(seen.channel_high, 0) - step).all()


def test_no_channel_of_a_head_reaches_beyond_the_whole_tensor() -> None:
    found = chosen(prepare(nets.detector()))
    for head in found.plan.heads:
        low, high = bounds(found.of(head))
        step = np.atleast_1d(found.of(head).scale)
        assert (low >= min(found.seen[head].low, 0) - step).all()
        assert (high <= max(found.seen[head].high, 0) + step).all()


def test_a_class_that_was_never_shown_has_room_to_answer() -> None:
    """Two channels of the same weights, one silenced by its bias: calibration sees it whisper only."""
    net = nets.Net(seed=2)
    x = net.node("Relu", net.conv("image", 3, 8))
    row = net.rng.normal(size=(1, 8, 1, 1)).astype(np.float32)
    weight = net.constant(np.concatenate([row, -row, 0.2 * row]))
    last = net.node("Conv", x, weight, net.constant(np.array([0.0, 0.0, 0.0], np.float32)))
    found = chosen(prepare(net.model(net.node("Sigmoid", last))))
    _, high = bounds(found.of(last))
    seen = found.seen[last]
    loudest = int(np.argmax(seen.channel_high[:2]))
    quiet = 1 - loudest
    assert high[quiet] > 1.5 * max(float(seen.channel_high[quiet]), 0.0)
    assert high[quiet] > 0.9 * min(high[loudest], seen.high)


def scores(loudness: float, function: str) -> tuple[Chosen, str]:
    """A head whose scores are as low as -40 where the loudness is 1, behind a function."""
    net = nets.Net(seed=4)
    weight = net.rng.normal(size=(4, 3, 1, 1)).astype(np.float32)
    bias = net.constant(np.full(4, -30 * loudness, np.float32))
    head = net.node("Conv", "image", net.constant(weight * np.float32(8 * loudness)), bias)
    return chosen(prepare(net.model(net.node(function, head)))), head


def test_a_head_that_a_sigmoid_reads_wastes_no_steps_on_what_that_does_not_hear() -> None:
    found, head = scores(1.0, "Sigmoid")
    assert (found.seen[head].channel_low < -20).all()
    low, _ = bounds(found.of(head))
    np.testing.assert_allclose(low, UNHEARD, atol=0.1)
    quiet, head = scores(0.1, "Sigmoid")
    assert (bounds(quiet.of(head))[0] > -5).all()
    other, head = scores(1.0, "Tanh")
    assert (bounds(other.of(head))[0] <= other.seen[head].channel_low + 0.2).all()


def test_without_scales_per_channel_a_head_covers_its_extremes() -> None:
    found = chosen(prepare(nets.detector()), per_channel=False)
    assert all(grid.axis is None for grid in found.grids.values())
    for head in found.plan.heads:
        (low,), (high,) = bounds(found.of(head))
        step = float(found.of(head).scale)
        assert abs(low - min(found.seen[head].low, 0)) <= step
        assert abs(high - max(found.seen[head].high, 0)) <= step


def test_like_loudness_shares_the_grid_of_the_concat() -> None:
    found, (a, b, both) = joined(1.0, 0.9, apart=True)
    assert found.plan.group[a] == found.plan.group[b] == found.plan.group[both]


def test_a_quiet_tensor_that_others_read_keeps_its_own_grid() -> None:
    found, (a, b, both) = joined(1.0, 0.01, apart=True)
    assert found.plan.group[a] == found.plan.group[both] != found.plan.group[b]
    assert float(found.of(b).scale) < float(found.of(both).scale) / 20


def test_a_quiet_tensor_that_only_the_concat_reads_shares() -> None:
    """Its own grid would be rounded onto the Concat's anyway."""
    found, (_, b, both) = joined(1.0, 0.01, apart=False)
    assert found.plan.group[b] == found.plan.group[both]
    assert set(found.plan.members()) == set(found.grids)


def test_a_concat_with_an_activation_behind_it_shares_the_grid_of_what_that_makes() -> None:
    """The Concat's own output never exists on the device, and has no group."""
    net = nets.Net(seed=3)
    weight = net.rng.normal(size=(4, 3, 1, 1)).astype(np.float32)
    parts = [
        net.node("LeakyRelu", net.node("Conv", "image", net.constant(weight * np.float32(s))), alpha=0.5)
        for s in (1.0, 0.9)
    ]
    both = net.node("Concat", *parts, axis=1)
    after = net.node("Relu", both)
    found = chosen(prepare(net.model(net.conv(after, 8, 4))))
    assert both not in found.plan.group
    assert {found.plan.group[part] for part in parts} == {found.plan.group[after]}
    assert set(found.plan.members()) == set(found.grids)


def test_the_method_decides_the_range() -> None:
    model = prepare(nets.residual())
    wide, narrow = chosen(model, "minmax"), chosen(model, "percentile")
    spans = [
        [float(np.ptp(c.grids[g].bounds())) for g in c.grids if c.grids[g].axis is None]
        for c in (wide, narrow)
    ]
    assert all(n <= w for w, n in zip(*spans, strict=True))
    assert sum(spans[1]) < sum(spans[0])


def test_pooled_tensors_are_seen_as_one() -> None:
    found = chosen(prepare(nets.residual()))
    parts = list(found.seen.values())[:2]
    together = pool(parts)
    assert (together.low, together.high) == (min(p.low for p in parts), max(p.high for p in parts))
    assert len(together.sample) == sum(len(p.sample) for p in parts)
    assert pool(parts[:1]) is parts[0]
