"""Short names: the same function, interfaces and source nodes called as before."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import nets
from paredown._compress.pack.names import shorten
from paredown.graph.load import from_proto, to_proto
from paredown.graph.prepare import prepare
from paredown.graph.run import run_once
from paredown.graph.walk import to_ir, to_model


@pytest.mark.parametrize("name", nets.NETS)
def test_the_same_answers_under_shorter_names(name: str) -> None:
    source = prepare(nets.NETS[name]())
    model = to_ir(source)
    nodes = [str(node.name) for node in model.graph]
    before = sum(v.ByteSize() for v in to_proto(source).graph.node)
    saved = shorten(model.graph, nodes)
    made = to_model(model, source)
    graph = to_proto(made).graph
    assert [n.name for n in graph.node] == nodes
    assert before - sum(n.ByteSize() for n in graph.node) <= saved
    assert made.size_bytes <= source.size_bytes
    inner = {t for n in graph.node for t in n.output} - {v.name for v in graph.output}
    assert max(map(len, inner)) <= 3
    image = nets.images(1)[0]
    for want, got in zip(nets.run(source, image), nets.run(made, image), strict=True):
        assert np.array_equal(want, got)


def test_names_of_branches_do_not_meet_those_around_them() -> None:
    """Inner tensors called as the short names would be, and an outer tensor that is read inside."""

    def branch(name: str, op: str) -> onnx.GraphProto:
        inner = helper.make_node(op, ["outer", "a"], ["b"])
        last = helper.make_node("Neg", ["b"], [name])
        made = helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])
        one = numpy_helper.from_array(np.array([3.0, 5.0], np.float32), "a")
        return helper.make_graph([inner, last], "branch", [], [made], [one])

    nodes = [
        helper.make_node("Abs", ["x"], ["outer"], name="first"),
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0, name="most"),
        helper.make_node("Greater", ["most", "c"], ["large"], name="compare"),
        helper.make_node(
            "If", ["large"], ["y"], name="if", then_branch=branch("t", "Add"), else_branch=branch("e", "Mul")
        ),
    ]
    limit = numpy_helper.from_array(np.array(1.0, np.float32), "c")
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in ("x", "y"))
    proto = helper.make_model(
        helper.make_graph(nodes, "g", [x], [y], [limit]),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    source = from_proto(proto, "branches")
    model = to_ir(source)
    shorten(model.graph, {"first", "if"})
    made = to_model(model, source)
    assert {"first", "if"} < {n.name for n in to_proto(made).graph.node}
    for values in ([-2.0, 4.0], [-2.0, -4.0]):
        feeds = {"x": np.array(values, np.float32)}
        assert np.array_equal(run_once(source.data, feeds)["y"], run_once(made.data, feeds)["y"])
