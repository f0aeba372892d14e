"""Switches: the float network, the quantized one, and everything between in one session."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import nets
from paredown._compress.quantize.placement.plan import place
from paredown._compress.quantize.ranges.calibrate import calibrate
from paredown._compress.quantize.ranges.choose import activation_params
from paredown._compress.quantize.sensitivity.activations import Behind, Switched
from paredown.graph.cut import cut
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.graph.walk import to_ir
from paredown.model import Model
from paredown.numerics.quant_params import QuantParams, affine


@cache
def switched(name: str) -> tuple[Model, Switched, dict[str, QuantParams]]:
    """A network, its switches, and the grids that calibration gives; damage is read at the outputs."""
    model = prepare(nets.NETS[name]())
    graph = to_ir(model).graph
    plan = place(graph, nets.POLICY)
    seen = calibrate(model, sorted(plan.group), nets.feeds())
    grids = activation_params(graph, plan, seen, "mse", per_channel=True)
    return model, Switched(model, plan, grids, [o.name for o in model.outputs], threads=1), grids


@pytest.mark.parametrize("name", nets.NETS)
def test_with_no_switch_on_it_is_the_float_network(name: str) -> None:
    model, switches, grids = switched(name)
    for image in nets.feeds(2, seed=9):
        for want, got in zip(nets.run(model, image), switches.answers(image, (), grids), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5 * np.abs(want).max())
    assert switches.damage(nets.feeds(2, seed=9), (), grids).max() == 0.0


@pytest.mark.parametrize("name", ["depthwise", "residual", "classifier"])
def test_with_all_switches_on_it_is_the_quantized_network(name: str) -> None:
    """Up to its weights, which stay float here: a few steps of the output."""
    model, switches, grids = switched(name)
    made = nets.compressed(model, "w8a8").model
    for image in nets.feeds(2, seed=9):
        want = nets.run(made, image)[0]
        (got,) = switches.answers(image, switches.groups, grids)
        assert np.abs(want - got).max() < 8 * np.ptp(want) / 255
        assert np.abs(want - got).mean() < 2 * np.ptp(want) / 255


@pytest.mark.parametrize("name", ["detector", "residual"])
def test_damages_about_add_up(name: str) -> None:
    _, switches, grids = switched(name)
    images = nets.feeds(3, seed=9)
    alone = [switches.damage(images, (group,), grids).mean() for group in switches.groups]
    together = switches.damage(images, switches.groups, grids).mean()
    assert all(d >= 0 for d in alone)
    assert sum(alone) / 2 < together < sum(alone) * 2


def test_a_coarser_grid_does_more_damage_without_a_new_session() -> None:
    _, switches, grids = switched("residual")
    images = nets.feeds(2, seed=9)
    group = next(g for g in switches.groups if grids[g].axis is None)
    low, high = (float(b) for b in grids[group].bounds())
    damages = [
        switches.damage(images, (group,), {**grids, group: affine(low * k, high * k)}).mean()
        for k in (1.0, 8.0, 64.0)
    ]
    assert damages == sorted(damages)
    assert damages[2] > 50 * damages[0]


def test_the_same_figure_every_time_and_the_model_untouched() -> None:
    model, switches, grids = switched("detector")
    before = bytes(model.data)
    images = nets.feeds(2, seed=9)
    first, again = (switches.damage(images, switches.groups[:2], grids) for _ in range(2))
    assert first.tolist() == again.tolist()
    assert model.data == before
    assert "/switches" not in {v.name for v in to_proto(model).graph.input}


@pytest.mark.parametrize("name", ["detector", "residual", "classifier", "depthwise"])
def test_what_lies_behind_a_group_answers_as_the_whole(name: str) -> None:
    _, switches, grids = switched(name)
    images = nets.feeds(2, seed=9)
    for group in switches.groups:
        behind = Behind(switches, [group], images, grids)
        assert behind.groups == [group]
        low, high = (float(b) / 2 for b in grids[group].bounds()) if grids[group].axis is None else (0, 0)
        trial = {**grids, group: affine(low, high)} if high > low else grids
        for tried in (grids, trial):
            want = switches.damage(images, (group,), tried)
            np.testing.assert_allclose(behind.damage(images, (group,), tried), want, rtol=1e-3, atol=1e-9)


def test_where_types_are_not_known_nothing_is_cut_off() -> None:
    _, switches, _ = switched("detector")
    proto = to_proto(switches.model)
    group = switches.groups[-1]
    members = switches.plan.members()[group]
    assert cut(proto, members, switches.heads)[0].graph.node
    proto.graph.ClearField("value_info")
    front, back = cut(proto, members, switches.heads)
    assert not front.graph.node
    assert len(back.graph.node) == len(proto.graph.node)
