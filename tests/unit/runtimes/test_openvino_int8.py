"""INT8 under OpenVINO's own policy: what the plan says is what OpenVINO executes."""

from __future__ import annotations

import numpy as np
import pytest

from paredown._compress.compress import compress
from paredown._compress.presets import parse_recipe
from paredown._compress.quantize.placement.plan import place
from paredown._compress.recipe import Context
from paredown.errors import MissingDependency
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.graph.run import run_once
from paredown.graph.walk import consumers, to_ir, weight_of
from paredown.runtimes import openvino, openvino_nodes
from paredown.testing import networks
from paredown.testing.runtimes import DEVICE

try:
    openvino.version()
except MissingDependency as error:
    pytest.skip(f"{error.what}: {error.hint}", allow_module_level=True)

POLICY = openvino.policy(DEVICE)
INTEGERS = {"u8", "i8"}


def mobile():
    """A residual block of pointwise and depthwise convolutions with SiLU, a concat of two scales, a head."""
    net = networks.Net()
    x = net.silu(net.conv("image", 3, 8, stride=2))
    wide = net.silu(net.conv(x, 8, 12, kernel=1))
    deep = net.silu(net.conv(net.silu(net.conv(wide, 12, 12, group=12)), 12, 8, kernel=1))
    x = net.node("Add", deep, x)
    half = net.silu(net.conv(net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 8, 8, kernel=1))
    back = net.node("Resize", half, "", net.constant(np.array([1, 1, 2, 2], np.float32)), mode="nearest")
    both = net.node("Concat", back, x, axis=1)
    return net.model(net.conv(net.silu(net.conv(both, 16, 8)), 8, 6, kernel=1))


NETS = {**networks.NETS, "mobile": mobile}


def made(name, recipe="w8a8-pc-mse"):
    model = prepare(NETS[name]())
    return model, compress(parse_recipe(recipe), Context(model, networks.feeds, DEVICE, POLICY)).model


@pytest.mark.parametrize("name", sorted(NETS))
def test_every_planned_product_runs_in_integers(name):
    model, quantized = made(name)
    plan = place(to_ir(model).graph, POLICY)
    planned = {str(n.name) for n in plan.roles if weight_of(n) is not None}
    ran = openvino_nodes.precisions(quantized, threads=1)
    assert planned
    assert {n: ran.get(n) for n in planned if ran.get(n) not in INTEGERS} == {}
    moved = {str(n.name) for n, r in plan.roles.items() if r == "same" and n.op_type in ("Concat", "MaxPool")}
    assert {n: ran[n] for n in moved & ran.keys() if ran[n] not in INTEGERS} == {}


def test_a_plan_that_is_not_honoured_is_seen():
    ran = openvino_nodes.precisions(prepare(mobile()), threads=1)
    assert not INTEGERS & set(ran.values())


def test_nothing_is_rounded_between_a_convolution_and_its_activation():
    model = prepare(mobile())
    graph = to_ir(model).graph
    plan = place(graph, POLICY)
    for node in graph:
        readers = consumers(node.outputs[0])
        if node.op_type == "Conv" and {r.op_type for r in readers} == {"Sigmoid", "Mul"}:
            assert str(node.outputs[0].name) not in plan.group
    sums = [n for n in graph if n.op_type == "Add" and plan.roles.get(n) == "fused"]
    assert len(sums) == 1
    sides = [str(v.name) in plan.group for v in sums[0].inputs]
    assert sorted(sides) == [
        False,
        True,
    ]  # the kernel's own answer is not rounded before it


def test_a_concat_has_one_grid():
    graph = to_ir(prepare(mobile())).graph
    plan = place(graph, POLICY)
    (joined,) = [n for n in graph if n.op_type == "Concat"]
    assert len({plan.group[str(v.name)] for v in (*joined.inputs, *joined.outputs)}) == 1


def test_what_depthwise_convolutions_alone_read_has_a_grid_for_every_channel():
    model, quantized = made("mobile")
    plan = place(to_ir(model).graph, POLICY)
    assert len(plan.channelwise) == 1
    (tensor,) = plan.channelwise
    nodes = {n.name: n for n in to_proto(quantized).graph.node}
    scale = nodes[f"{tensor}_QuantizeLinear"].input[1]
    assert next(t.dims for t in to_proto(quantized).graph.initializer if t.name == scale) == [12]


def test_a_file_for_openvino_runs_in_onnx_runtime_where_convolutions_follow_each_other():
    """Whose QLinearConv has one zero point for what it writes."""
    net = networks.Net()
    x = net.conv("image", 3, 12)  # no activation between it and the depthwise one
    x = net.node("Relu", net.conv(net.conv(x, 12, 12, group=12), 12, 8, kernel=1))
    model = prepare(net.model(net.conv(x, 8, 4, kernel=1)))
    quantized = compress(parse_recipe("int8"), Context(model, networks.feeds, DEVICE, POLICY)).model
    feeds = next(iter(networks.feeds()))
    want, got = (next(iter(run_once(m.data, feeds).values())) for m in (model, quantized))
    assert np.abs(want - got).mean() < 0.1 * np.abs(want).mean()


def test_gates_stay_as_they_are():
    model = prepare(mobile())
    found = compress(parse_recipe("gates+w8a8-pc-mse"), Context(model, networks.feeds, DEVICE, POLICY))
    assert [r.action for r in found.log if r.step == "gates"] == ["skipped"]
