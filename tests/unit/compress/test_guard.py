"""The guard: ranges that ruin the answer are found at the heads, and searched or released."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
import pytest

import nets
from paredown._compress.draft import Draft
from paredown._compress.quantize.placement.plan import Plan, place
from paredown._compress.quantize.ranges.calibrate import calibrate
from paredown._compress.quantize.ranges.choose import activation_params
from paredown._compress.quantize.sensitivity.guard import BUDGET, FLOOR, Guarded, guard
from paredown._compress.recipe import Context
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.graph.walk import to_ir
from paredown.model import Model
from paredown.numerics.quant_params import QuantParams, affine
from paredown.numerics.ranges import Seen
from paredown.protocols import NodeTimes


class Case:
    """A network with the plan, calibration and grids that stand before the guard."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.draft = Draft(to_ir(model))
        self.graph: ir.Graph = self.draft.graph
        self.plan: Plan = place(self.graph, nets.POLICY)
        self.seen: dict[str, Seen] = calibrate(model, sorted(self.plan.group), nets.feeds())
        self.grids = activation_params(self.graph, self.plan, self.seen, "mse", per_channel=True)

    def guarded(self, **changed: QuantParams) -> Guarded:
        context = Context(self.model, nets.feeds, nets.ANY_BOARD, nets.POLICY, threads=1)
        return guard(self.draft.graph, self.model, self.plan, {**self.grids, **changed}, self.seen, context)

    def inner(self) -> str:
        """A group in the middle of the network: one tensor, a grid of one scale, not the input."""
        return next(
            g
            for g, members in self.plan.members().items()
            if len(members) == 1 and self.grids[g].axis is None and members[0] != "image"
        )

    def widened(self, group: str, factor: float) -> QuantParams:
        low, high = (float(b) for b in self.grids[group].bounds())
        return affine(low * factor, high * factor)


def amplified_whispers() -> Model:
    """Channels a millionth as loud as others, as loud behind the depthwise layer: 8 bits lose them."""
    net = nets.Net(seed=6)
    gains = np.array([1e3, 1e-3] * 4, np.float32).reshape(-1, 1, 1, 1)
    first = net.rng.normal(size=(8, 3, 1, 1)).astype(np.float32)
    x = net.node("Conv", "image", net.constant(first * gains))
    second = net.rng.normal(size=(8, 1, 1, 1)).astype(np.float32) / gains
    y = net.node("Conv", x, net.constant(second), group=8)
    return prepare(net.model(net.conv(y, 8, 4, 1)))


def test_what_is_well_is_left_alone() -> None:
    case = Case(prepare(nets.residual()))
    found = case.guarded()
    assert found.before < BUDGET
    assert found.plan is case.plan
    assert found.released == {}
    quiet = [g for g, damage in found.alone.items() if damage < FLOOR / 10]
    assert quiet, "a network in which every grid does damage says nothing here"
    assert all(found.grids[g] is case.grids[g] for g in quiet)
    assert found.after <= found.before


def test_a_ruinous_range_is_searched_the_others_stay() -> None:
    case = Case(prepare(nets.residual()))
    group = case.inner()
    wide = case.widened(group, 60.0)
    found = case.guarded(**{group: wide})
    assert found.before > BUDGET
    assert found.after < found.before / 20
    assert found.released == {}
    assert float(np.ptp(found.grids[group].bounds())) < float(np.ptp(wide.bounds())) / 20
    kept = [g for g in case.grids if g != group and found.grids[g] is case.grids[g]]
    assert len(kept) >= len(case.grids) / 2


def test_what_does_no_damage_is_not_searched() -> None:
    case = Case(prepare(nets.residual()))
    group = case.inner()
    found = case.guarded(**{group: case.widened(group, 60.0)})
    others = [g for g, damage in found.alone.items() if g != group and damage < FLOOR / 10]
    assert others
    assert all(found.grids[other] is case.grids[other] for other in others)


def test_what_nothing_helps_is_released_and_told() -> None:
    case = Case(amplified_whispers())
    found = case.guarded()
    assert found.before > BUDGET
    assert found.after <= BUDGET
    assert found.released
    assert all("noise" in why and "%" in why for why in found.released.values())
    left = {str(n.name) for n in found.plan.left}
    assert set(found.released) <= left
    assert set(found.plan.members()) == set(found.grids)


def test_a_released_node_is_in_the_log_and_the_answer_is_saved() -> None:
    model = amplified_whispers()
    image = nets.images(1, seed=7)[0]
    want = nets.run(model, image)[0]
    plain, guarded = (nets.compressed(model, recipe) for recipe in ("w8a8", "w8a8-guard"))
    assert nets.agreement(want, nets.run(plain.model, image)[0]) > 0.3
    assert nets.agreement(want, nets.run(guarded.model, image)[0]) < 0.1
    note = next(r for r in guarded.log if r.action == "note")
    released = note.data["released"]
    assert isinstance(released, list)
    assert released
    told = {r.where: r.why for r in guarded.log if r.action == "float"}
    assert all("noise" in told[name] for name in released)


def test_only_nodes_around_a_noisy_grid_are_released() -> None:
    """Each has in its reason the noise of a group next to it; what does no damage keeps its neighbours."""
    case = Case(amplified_whispers())
    found = case.guarded()
    noisy = [g for g in found.alone if found.alone[g] > BUDGET / 10]
    assert 0 < len(noisy) < len(found.alone)
    assert found.released
    assert all(any(repr(g) in why for g in noisy) for why in found.released.values())


def test_nothing_is_released_while_all_together_keep_the_budget() -> None:
    found = Case(prepare(nets.depthwise())).guarded()
    assert found.before <= BUDGET
    assert not found.released


def test_the_same_every_time() -> None:
    first, again = (Case(amplified_whispers()).guarded() for _ in range(2))
    assert first.alone == again.alone
    assert first.released == again.released
    for group, grid in first.grids.items():
        for a, b in zip(grid.bounds(), again.grids[group].bounds(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_nothing_left_to_compute_in_integers_is_no_crash() -> None:
    """Every layer around the one bad tensor is released: the float network comes back."""
    net = nets.Net(seed=6)
    gains = np.array([1e3, 1e-3] * 4, np.float32).reshape(-1, 1, 1, 1)
    x = net.node("Conv", "image", net.constant(net.rng.normal(size=(8, 3, 1, 1)).astype(np.float32) * gains))
    second = net.rng.normal(size=(8, 1, 1, 1)).astype(np.float32) / gains
    model = prepare(net.model(net.node("Conv", x, net.constant(second), group=8)))
    image = nets.images(1, seed=7)[0]
    made = nets.compressed(model, "w8a8-guard")
    assert nets.agreement(nets.run(model, image)[0], nets.run(made.model, image)[0]) < 0.1


def test_what_is_released_is_justified_by_its_time_both_ways() -> None:
    """A device on which every node takes 2 ms in float and 1 ms in integers."""

    def times(models: Sequence[Model]) -> list[NodeTimes]:
        nodes = [[n.name for n in to_proto(m).graph.node] for m in models]
        return [NodeTimes(dict.fromkeys(names, 1e-3 * ms)) for names, ms in zip(nodes, (2, 1), strict=True)]

    made = nets.compressed(amplified_whispers(), "w8a8-pc-mse-guard", time_nodes=times)
    released = [r for r in made.log if "float_ms" in r.data and r.where]
    assert released
    for record in released:
        assert record.action == "float"
        assert record.why.endswith("2.000 ms in float, 1.000 ms in integers")
    total = next(r for r in made.log if r.why.startswith("what was released"))
    assert total.data["float_ms"] == pytest.approx(2.0 * len(released))
    assert total.data["int8_ms"] == pytest.approx(1.0 * len(released))
