"""Parts of a graph: what they hold, and that front and back together answer as the whole."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from paredown.graph.cut import cut, nodes_before, part_of
from paredown.graph.run import open_session


@pytest.fixture
def proto() -> onnx.ModelProto:
    """x -> twice -> up -> y, and beside it x -> left -> z, which reads `twice` as well."""

    def value(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [3])

    nodes = [
        helper.make_node("Add", ["x", "x"], ["twice"]),
        helper.make_node("Add", ["twice", "one"], ["up"]),
        helper.make_node("Neg", ["x"], ["left"]),
        helper.make_node("Mul", ["up", "twice"], ["y"]),
        helper.make_node("Add", ["left", "twice"], ["z"]),
    ]
    one = numpy_helper.from_array(np.ones(3, np.float32), "one")
    inner = [value(name) for name in ("twice", "up", "left")]
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y"), value("z")], [one], value_info=inner)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = [v.name for v in model.graph.output]
    session = open_session(model.SerializeToString(), 1)
    return dict(
        zip(names, session.run(names, {v.name: feeds[v.name] for v in model.graph.input}), strict=True)
    )


def test_only_what_a_tensor_depends_on(proto):
    assert [n.output[0] for n in nodes_before(proto.graph, ["up"])] == ["twice", "up"]
    assert [n.output[0] for n in nodes_before(proto.graph, ["z"])] == ["twice", "left", "z"]
    assert nodes_before(proto.graph, ["x"]) == []


def test_front_and_back_answer_as_the_whole(proto):
    x = np.array([1, -2, 3], np.float32)
    front, back = cut(proto, ["up"], ["left"])
    assert [n.output[0] for n in front.graph.node] == ["twice", "up", "left"]
    assert {v.name for v in back.graph.input} == {"twice", "up", "left"}
    assert not back.graph.initializer
    found = run(back, run(front, {"x": x}))
    want = run(proto, {"x": x})
    assert found.keys() == want.keys()
    for name, values in want.items():
        np.testing.assert_array_equal(found[name], values)


def test_a_border_of_unknown_type_is_not_drawn(proto):
    del proto.graph.value_info[:]
    front, back = cut(proto, ["up"], [])
    assert not front.graph.node
    assert len(back.graph.node) == len(proto.graph.node)


def test_a_part_takes_the_constants_that_it_reads_or_others(proto):
    nodes, x, up = proto.graph.node[:2], list(proto.graph.input), [proto.graph.value_info[1]]
    assert run(part_of(proto, nodes, x, up), {"x": np.ones(3, np.float32)})["up"].tolist() == [3, 3, 3]
    ten = numpy_helper.from_array(np.full(3, 10, np.float32), "one")
    assert run(part_of(proto, nodes, x, up, [ten]), {"x": np.ones(3, np.float32)})["up"].tolist() == [12] * 3
