"""Node times: every kernel that ONNX Runtime runs is led back to a node of the model as given."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

import nets
from paredown.errors import TargetError
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.hosts import open_host
from paredown.machine import Counters
from paredown.model import Model
from paredown.runtimes.onnxruntime_nodes import node_times, owners_of
from paredown.targets import target


def proto(*nodes: tuple[str, str, list[str], list[str]]) -> onnx.ModelProto:
    made = [helper.make_node(op, i, o, name=name) for op, name, i, o in nodes]
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", "y")]
    return helper.make_model(helper.make_graph(made, "g", value[:1], value[1:]))


def test_fused_and_renamed_kernels_find_their_node() -> None:
    given = proto(
        ("Conv", "a", ["x", "w"], ["t"]),
        ("Sigmoid", "b/sig", ["t"], ["s"]),
        ("Mul", "b/mul", ["t", "s"], ["u"]),
        ("Conv", "a_1", ["u", "w"], ["v"]),
        ("QuantizeLinear", "v_Q", ["v", "k"], ["v_q"]),
        ("Relu", "r", ["v_q"], ["y"]),
    )
    run = proto(
        ("ReorderInput", "ReorderInput_token_7", ["x"], ["r0"]),
        ("Conv", "t_nchwc", ["r0", "w"], ["r1"]),  # named after the tensor it writes
        ("QuickGelu", "b/mul/QuickGeluFusion/", ["r1"], ["r2"]),
        ("ReorderOutput", "ReorderOutput", ["r2"], ["u"]),
        ("QLinearConv", "fused_12", ["u", "w"], ["v_q"]),  # known only by the Q behind it
        ("Transpose", "a_1_token_3", ["v_q"], ["r3"]),  # a layout change, whatever its name begins with
        ("Relu", "nobody", ["r3"], ["z"]),
    )
    assert owners_of(run, given) == {
        "ReorderInput_token_7": "a",
        "t_nchwc": "a",
        "b/mul/QuickGeluFusion/": "b/mul",
        "ReorderOutput": "b/mul",
        "fused_12": "a_1",
        "a_1_token_3": "a_1",
    }


def test_a_product_fused_with_a_sum_finds_its_own_weights() -> None:
    """Both convolutions lead to the sum; the one that has a kernel of its own is not the one fused."""
    given = proto(
        ("Conv", "a", ["x", "w"], ["t"]),
        ("Conv", "b", ["x", "v"], ["u"]),
        ("Add", "sum", ["t", "u"], ["s"]),
        ("Relu", "act", ["s"], ["y"]),
    )
    run = proto(
        ("Conv", "t_nchwc", ["x", "w"], ["r1"]),
        ("Conv", "y_nchwc", ["x", "v", "", "r1"], ["r2"]),
    )
    assert owners_of(run, given) == {"t_nchwc": "a", "y_nchwc": "b"}


@pytest.mark.parametrize("name", nets.NETS)
def test_the_time_of_float_and_integer_networks_belongs_to_nodes(name: str) -> None:
    model = prepare(nets.NETS[name]())
    made = nets.compressed(model, "w8a8").model
    for times, subject in zip(node_times([model, made], threads=1, rounds=3), (model, made), strict=True):
        assert times.seconds.keys() <= {n.name for n in to_proto(subject).graph.node}
        assert times.total_s > 0
        assert times.latency_s == times.run_s > 0
        assert times.unmapped_s <= 0.1 * times.total_s
        convs = {n.name for n in to_proto(subject).graph.node if n.op_type == "Conv"}
        assert convs <= times.seconds.keys()


def test_a_model_that_is_refused_says_why() -> None:
    broken = Model(b"no model", (), (), "broken")
    with pytest.raises(TargetError, match="time its nodes"):
        node_times([broken])


def test_a_target_that_is_not_here_has_no_times() -> None:
    assert target("local").time_nodes(1) is not None
    assert target("reference").time_nodes(1) is None
    elsewhere = next(t for name in ("raspberry-pi-5", "raspberry-pi-4") if not (t := target(name)).runs_here)
    assert elsewhere.time_nodes(1) is None


def test_times_say_what_others_used_of_the_machine_meanwhile() -> None:
    """Of four cores ten seconds each: others' ten seconds, and two that the virtual machine's host kept."""
    moments = iter([Counters(0.0, busy_s=5.0), Counters(10.0, busy_s=25.0, ours_s=10.0, withheld_s=2.0)])
    machine = replace(open_host().facts(), cores_logical=4)
    host: Any = SimpleNamespace(
        name="local", times=True, counters=lambda: next(moments), facts=lambda: machine
    )
    here = replace(target("local"), host=host).time_nodes(1)
    assert here is not None
    assert [t.others for t in here([nets.detector()])] == [pytest.approx(0.25 + 0.05)]
