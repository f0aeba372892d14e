"""The allocator: which nodes belong to a layer, what a border costs, and the path from integers to float."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import onnx_ir as ir
import pytest

import nets
from paredown._compress.quantize.placement.allocate import Choices, Point, blocks, front, moves, path
from paredown._compress.quantize.placement.costs import Costs, changing, costs_from
from paredown._compress.quantize.placement.plan import Plan, place
from paredown.graph.prepare import prepare
from paredown.graph.walk import to_ir
from paredown.protocols import NodeTimes


def chain() -> tuple[ir.Graph, Plan]:
    """conv a, LeakyRelu, depthwise conv b, LeakyRelu, conv c: nodes N0 to N4."""
    graph = to_ir(prepare(nets.depthwise())).graph
    return graph, place(graph, nets.POLICY)


def choices(costs: Costs | None, **damage: float) -> Choices:
    """Of the chain, with the damage of grids by the number of the node that writes them."""
    graph, plan = chain()
    made = {str(n.name): str(n.outputs[0].name) for n in graph}
    return Choices(graph, plan, nets.POLICY, (), {made[n]: d for n, d in damage.items()}, {}, costs)


def costs(floats: dict[str, float], border_s: float = 0.0) -> Costs:
    """Every node takes a second in integers, and in float what is said."""
    return Costs(
        {f"N{i}": floats.get(f"N{i}", 1.0) for i in range(5)}, {f"N{i}": 1.0 for i in range(5)}, border_s, 0.0
    )


def test_a_layer_is_its_weights_and_the_function_behind_it() -> None:
    assert blocks(*chain()) == [{"N0", "N1"}, {"N2", "N3"}, {"N4"}]


def test_a_sigmoid_and_its_product_belong_to_the_layer_but_a_sum_does_not() -> None:
    graph = to_ir(prepare(nets.detector())).graph
    first = blocks(graph, place(graph, nets.POLICY))[0]
    assert sorted(n.op_type for n in graph if n.name in first) == ["Conv", "Mul", "Sigmoid"]
    graph = to_ir(prepare(nets.residual())).graph
    assert all(
        n.op_type != "Add" for b in blocks(graph, place(graph, nets.POLICY)) for n in graph if n.name in b
    )


def test_a_move_frees_a_layer_or_all_around_a_noisy_tensor() -> None:
    found = moves(choices(None, N1=0.5))  # between the first and the depthwise layer
    assert {frozenset({"N0", "N1"}), frozenset({"N4"})} <= set(found)
    assert {"N0", "N1", "N2", "N3"} in found


def test_where_no_layer_is_in_integers_nothing_is() -> None:
    net = nets.Net(seed=2)
    halves = net.node("Split", "image", net.constant(np.array([nets.SIZE // 2] * 2)), axis=2, outputs=2)
    joined = net.node("Concat", halves, f"{halves}_1", axis=1)
    graph = to_ir(prepare(net.model(net.conv(net.node("Relu", net.conv(joined, 6, 4)), 4, 4)))).graph
    layers = frozenset(str(n.name) for n in graph if n.op_type in ("Conv", "Relu"))
    left = place(graph, nets.POLICY, (), dict.fromkeys(layers, "released"))
    assert {n.op_type for n in left.roles} == {"Split", "Concat"}
    found = Choices(graph, place(graph, nets.POLICY), nets.POLICY, (), {}, {}, None).point(layers)
    assert not found.plan.roles
    assert layers < found.released


def test_a_function_released_behind_an_add_releases_the_add() -> None:
    net = nets.Net(seed=3)
    x = net.node("Relu", net.conv("image", 3, 4))
    both = net.node("Relu", net.node("Add", net.conv(x, 4, 4), x))
    graph = to_ir(prepare(net.model(net.conv(both, 4, 4)))).graph
    (add,) = (n for n in graph if n.op_type == "Add")
    (relu,) = (str(u.node.name) for u in add.outputs[0].uses())
    base = place(graph, nets.POLICY)
    found = Choices(graph, base, nets.POLICY, (), {}, {}, None).point(frozenset({relu}))
    assert found.released == {relu, str(add.name)}
    assert found.plan.group.keys() <= base.group.keys()
    assert any(n.op_type == "Conv" for n in found.plan.roles)


def test_values_that_change_their_form_are_counted() -> None:
    graph, plan = chain()
    pixels, channels = nets.SIZE**2, 8
    assert changing(graph, plan) == 3 * pixels + 4 * pixels  # the image in, the answer out
    middle = place(graph, nets.POLICY, (), dict.fromkeys(("N2", "N3"), "released"))
    assert changing(graph, middle) == 7 * pixels + 2 * channels * pixels


def test_what_an_alternating_graph_takes_beyond_its_nodes_is_the_border() -> None:
    graph, _ = chain()
    mixed = place(graph, nets.POLICY, (), dict.fromkeys(("N2", "N3"), "released"))
    floats, integers = ({f"N{i}": s for i in range(5)} for s in (3.0, 1.0))
    alternating = NodeTimes({"N0": 1.0, "q": 8.0}, unmapped_s=1.0)  # 10 s; the nodes alone take 3 + 2 * 3
    found = costs_from(NodeTimes(floats), NodeTimes(integers), alternating, graph, mixed)
    assert found.border_s == pytest.approx((10 - 9) / changing(graph, mixed))
    assert found.unmapped == pytest.approx(1 / 30)
    assert found.latency_s(graph, mixed) == pytest.approx(10)


def test_the_noisiest_layer_for_its_price_goes_first() -> None:
    """Damage 4 for one second more stands before damage 6 for three."""
    found = path(choices(costs({"N0": 4.0, "N2": 2.0}), N0=6.0, N2=4.0))
    assert {"N2"} < found[1].released
    assert "N0" not in found[1].released
    assert found[0].damage == 10.0
    assert found[1].damage == 6.0


def test_a_layer_that_is_faster_in_float_goes_before_all() -> None:
    found = path(choices(costs({"N4": 0.5}), N0=9.0))
    assert found[1].released == {"N4"}
    assert found[1].price == pytest.approx(4.5)


def test_a_path_ends_in_float_and_never_takes_back() -> None:
    found = path(choices(costs({}, border_s=1e-6), N0=1.0, N1=2.0, N3=0.5))
    assert not found[-1].plan.group
    assert found[-1].damage == 0.0
    for before, after in pairwise(found):
        assert before.released < after.released
        assert after.damage <= before.damage


def test_neighbours_go_together_where_the_border_between_them_costs() -> None:
    """The tensor between two layers is freed only when both are float, and then its border is gone."""
    both = {"N0", "N1", "N2", "N3"}
    found = path(choices(costs({}, border_s=1e-3), N1=1.0))
    assert found[1].released == both


def test_without_costs_every_layer_has_the_same_price() -> None:
    found = path(choices(None, N0=1.0, N2=5.0))
    assert found[1].released == {"N2", "N3"}
    assert [p.price for p in found] == [0.0, 1.0, 2.0, 3.0]


def test_the_front_holds_what_none_beats() -> None:
    plan = Plan()
    points = [
        Point(frozenset(str(i)), plan, d, p)
        for i, (p, d) in enumerate([(1, 5), (2, 6), (3, 2), (3, 4), (4, 0)])
    ]
    assert [(p.price, p.damage) for p in front(points)] == [(1, 5), (3, 2), (4, 0)]


def test_of_prices_alike_the_front_holds_the_least_damage() -> None:
    figures = [(100, 5), (104, 3), (105, 2.5), (106, 2), (109, 1), (111, 0)]
    points = [Point(frozenset(str(p)), Plan(), d, p) for p, d in figures]
    assert [p.price for p in front(points)] == [105, 111]


def test_one_network_gives_one_path() -> None:
    twice = [path(choices(costs({"N0": 2.0}, border_s=1e-6), N0=1.0, N3=np.pi)) for _ in range(2)]
    assert [p.released for p in twice[0]] == [p.released for p in twice[1]]


def test_a_path_that_is_to_save_ends_where_nothing_does() -> None:
    given = choices(costs({"N0": 0.1, "N2": 9.0, "N4": 0.2}))
    whole, saving = path(given), path(given, saving=True)
    assert len(saving) < len(whole)
    assert [p.released for p in saving] == [p.released for p in whole[: len(saving)]]
    assert saving[-1].price == min(p.price for p in whole)
