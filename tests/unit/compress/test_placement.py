"""Where integers go: decided by the graph's shape and the runtime's policy alone."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

import nets
from paredown._compress.quantize.placement.plan import Plan, place
from paredown.errors import UnknownName, UnsupportedModel
from paredown.graph.load import from_proto, to_proto
from paredown.graph.prepare import prepare
from paredown.graph.walk import to_ir, weight_of
from paredown.model import Model


def planned(model: Model, keep_float: tuple[str, ...] = ()) -> tuple[ir.Graph, Plan]:
    graph = to_ir(prepare(model)).graph
    return graph, place(graph, nets.POLICY, keep_float)


def roles(model: Model) -> list[tuple[str, str]]:
    """(op, role or "float") of every node in file order."""
    graph, plan = planned(model)
    return [(n.op_type, plan.roles.get(n, "float")) for n in graph]


def test_every_node_is_decided_once() -> None:
    for build in nets.NETS.values():
        graph, plan = planned(build())
        assert set(plan.roles) | set(plan.left) == set(graph)
        assert not set(plan.roles) & set(plan.left)
        assert all(plan.left.values())


def test_the_decode_tail_stays_float() -> None:
    graph, plan = planned(nets.detector())
    nodes = list(graph)
    softmax = next(n for n in nodes if n.op_type == "Softmax")
    integral = next(u.node for u in softmax.outputs[0].uses())
    assert integral.op_type == "Conv"
    assert weight_of(integral) is not None
    tail = [softmax, integral, nodes[-1], next(n for n in reversed(nodes) if n.op_type == "Sigmoid")]
    assert all("decode tail" in plan.left[n] for n in tail)
    convolutions = [n for n in nodes if n.op_type == "Conv" and n is not integral]
    assert [plan.roles[n] for n in convolutions] == ["kernel"] * 5
    assert [n.op_type for n in plan.roles].count("Concat") == 1


def test_names_do_not_matter() -> None:
    renamed = to_proto(nets.detector())
    for index, node in enumerate(renamed.graph.node):
        node.name = f"model.22/dfl/Concat_{index}"
    before = roles(nets.detector())
    assert roles(from_proto(renamed, "renamed")) == before


def test_what_only_moves_values_shares_its_inputs_grid() -> None:
    _, plan = planned(nets.detector())
    for node, role in plan.roles.items():
        groups = {plan.group[str(o.name)] for o in node.outputs}
        source = node.inputs[0]
        assert source is not None
        if role == "same":
            assert groups == {plan.group[str(source.name)]}, node.op_type
    moved = {n.op_type for n, role in plan.roles.items() if role == "same"}
    assert moved == {"MaxPool", "Resize", "Split"}


def test_members_are_the_groups() -> None:
    _, plan = planned(nets.detector())
    members = plan.members()
    assert sorted(t for group in members.values() for t in group) == sorted(plan.group)
    assert all(plan.group[t] == g for g, tensors in members.items() for t in tensors)


def test_relu_and_clip_are_absorbed() -> None:
    graph, plan = planned(nets.classifier())
    for node in graph:
        if node.op_type in ("Relu", "Clip"):
            source = node.inputs[0]
            assert source is not None
            assert plan.roles[node] == "absorbed"
            assert str(source.name) not in plan.group
            assert str(node.outputs[0].name) in plan.group


def test_a_clip_away_from_zero_is_not_absorbed() -> None:
    net = nets.Net()
    limits = [net.constant(np.array(v, np.float32)) for v in (1, 6)]
    x = net.node("Clip", net.conv("image", 3, 4), *limits)
    assert ("Clip", "float") in roles(net.model(net.conv(x, 4, 4)))


@pytest.mark.parametrize("shape", [(), (1,)])
def test_limits_of_a_clip_may_be_scalars_or_hold_one_value(shape) -> None:
    net = nets.Net()
    limits = [net.constant(np.full(shape, v, np.float32)) for v in (0, 6)]
    x = net.node("Clip", net.conv("image", 3, 4), *limits)
    assert ("Clip", "absorbed") in roles(net.model(net.conv(x, 4, 4)))


def test_a_relu_whose_input_is_read_elsewhere_too() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 4)
    y = net.node("Add", net.node("Relu", x), x)
    graph, plan = planned(net.model(net.conv(y, 4, 4)))
    first = next(n for n in graph if n.op_type == "Conv")
    assert str(first.outputs[0].name) in plan.group


def test_attention_products_stay_float() -> None:
    graph, plan = planned(nets.attention())
    for node in graph:
        if node.op_type == "MatMul":
            assert (node in plan.roles) == (weight_of(node) is not None)
        if node.op_type == "Softmax":
            assert node in plan.left
    why = [plan.left[n] for n in plan.left if n.op_type == "MatMul"]
    assert why == ["MatMul of two computed tensors"] * 2


def test_an_interpolating_resize_and_a_reflecting_pad_stay_float() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 4)
    x = net.node("Resize", x, "", net.constant(np.array([1, 1, 2, 2], np.float32)), mode="linear")
    x = net.node("Pad", net.conv(x, 4, 4), net.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1])), mode="reflect")
    found = roles(net.model(net.conv(x, 4, 4)))
    assert ("Resize", "float") in found
    assert ("Pad", "float") in found


def test_input_normalisation_stays_float() -> None:
    net = nets.Net()
    x = net.node("Mul", "image", net.constant(np.array(1 / 255, np.float32)))
    assert roles(net.model(net.conv(net.conv(x, 3, 4), 4, 4)))[0] == ("Mul", "float")


def test_kept_float_as_asked() -> None:
    graph, _ = planned(nets.residual())
    name = str(next(n.name for n in graph if n.op_type == "Conv"))
    graph, plan = planned(nets.residual(), (name,))
    node = next(n for n in graph if n.name == name)
    assert plan.left[node] == "kept float as asked"


def test_a_misspelled_name_is_asked_back() -> None:
    with pytest.raises(UnknownName, match="did you mean") as caught:
        planned(nets.residual(), ("N00",))
    assert "N0" in str(caught.value.hint)


def test_a_model_without_layers() -> None:
    net = nets.Net()
    with pytest.raises(UnsupportedModel, match="nothing to quantize"):
        planned(net.model(net.node("Relu", net.node("Add", "image", "image"))))


@pytest.mark.parametrize("net", sorted(nets.NETS))
def test_a_graph_s_parts_may_be_found_once_for_many_plans(net: str) -> None:
    graph = to_ir(prepare(nets.NETS[net]())).graph
    first = place(graph, nets.POLICY)
    released = {str(n.name): "released" for n in list(first.roles)[:2]}
    again, anew = (
        place(graph, nets.POLICY, (), released, first.parts),
        place(graph, nets.POLICY, (), released),
    )
    assert again == anew
    assert again != first or not released
