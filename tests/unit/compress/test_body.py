"""What is body and what decode tail where weights stand behind the answer, or places in front of weights."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

import nets
from paredown._compress.quantize.placement.body import body_of, pointers_of, products_of_answers
from paredown._compress.quantize.placement.plan import OF_ANSWERS, POINTS, place
from paredown.graph.prepare import prepare
from paredown.graph.walk import to_ir
from paredown.model import Model

CELLS = nets.SIZE**2


def embedded(wide: int = 8) -> Model:
    """Rows of four numbers in pixels and two scores, and an embedding that a matrix product makes of them."""
    net = nets.Net()
    x = net.node("Relu", net.conv("image", 3, 32))
    x = net.node("Relu", net.conv(x, 32, 32))
    boxes = net.node("Mul", net.conv(x, 32, 4, 1), net.constant(np.float32(300)))
    scores = net.node("Sigmoid", net.conv(x, 32, 2, 1))
    rows = net.reshape(net.node("Concat", boxes, scores, axis=1), 1, 6, CELLS)
    rows = net.node("Transpose", rows, perm=[0, 2, 1])
    return prepare(net.model(rows, net.node("MatMul", rows, net.normal(6, wide))))


def embedded_scores() -> Model:
    """Boxes beside an embedding of the scores, which never leave as they are."""
    net = nets.Net()
    x = net.node("Relu", net.conv("image", 3, 32))
    x = net.node("Relu", net.conv(x, 32, 32))
    boxes = net.node("Mul", net.conv(x, 32, 4, 1), net.constant(np.float32(300)))
    scores = net.node("Sigmoid", net.node("Add", net.conv(x, 32, 6, 1), net.constant(np.float32(-7))))
    rows = [net.node("Transpose", net.reshape(v, 1, -1, CELLS), perm=[0, 2, 1]) for v in (boxes, scores)]
    return prepare(
        net.model(net.node("Concat", rows[0], net.node("MatMul", rows[1], net.normal(6, 5)), axis=2))
    )


def embedded_raw() -> Model:
    """Distances in pixels and logits of one convolution, in rows, and an embedding of those rows."""
    net = nets.Net()
    x = net.node("Relu", net.conv("image", 3, 32))
    x = net.node("Relu", net.conv(x, 32, 32))
    wide = np.array([300, 300, 300, 300, 1, 1], np.float32)[:, None, None, None]
    rows = net.node("Conv", x, net.constant(net.rng.normal(size=(6, 32, 1, 1)).astype(np.float32) * wide))
    rows = net.node("Transpose", net.reshape(rows, 1, 6, CELLS), perm=[0, 2, 1])
    return prepare(net.model(rows, net.node("MatMul", rows, net.normal(6, 8))))


def regions() -> Model:
    """Boxes from one convolution that RoiAlign cuts out of the features in front of another."""
    net = nets.Net()
    x = net.node("Relu", net.conv("image", 3, 16))
    deltas = net.reshape(net.node("Transpose", net.conv(x, 16, 4, 1), perm=[0, 2, 3, 1]), CELLS, 4)
    y, x0 = (axis.ravel() for axis in np.mgrid[: nets.SIZE, : nets.SIZE].astype(np.float32))
    grid = net.constant(np.stack([x0, y, x0 + 4, y + 4], axis=1))
    boxes = net.node("Add", net.node("Mul", deltas, net.constant(np.float32(0.1))), grid)
    batch = net.constant(np.zeros(CELLS, np.int64))
    cut = net.node("RoiAlign", x, boxes, batch, output_height=2, output_width=2, sampling_ratio=1)
    return prepare(net.model(net.node("Gemm", net.reshape(cut, CELLS, 64), net.normal(64, 5, spread=0.2))))


def by_op(model: Model, op: str) -> list[ir.Node]:
    return [n for n in to_ir(model).graph if n.op_type == op]


@pytest.mark.parametrize("build", [embedded, embedded_scores, embedded_raw])
@pytest.mark.parametrize("recipe", ["w8a8-pc-minmax", "w8a8-pc-mse-guard", "dynamic", "w8-pc", "int8"])
def test_scores_beside_boxes_survive_a_product_behind_them(recipe, build) -> None:
    model = build()
    made = nets.compressed(model, recipe).model
    image = nets.feeds()[0]
    before, after = nets.run(model, image)[0], nets.run(made, image)[0]
    assert nets.agreement(before[..., :4], after[..., :4]) < 0.05
    assert nets.agreement(before[..., 4:], after[..., 4:]) < 0.05


def test_a_product_of_the_answer_is_no_body_and_its_weights_are_small() -> None:
    model = embedded()
    graph = to_ir(model).graph
    (product,) = (n for n in graph if n.op_type == "MatMul")
    assert products_of_answers(graph) == {product}
    assert not {"Sigmoid", "Concat", "MatMul"} & {n.op_type for n in body_of(graph)}
    assert place(graph, nets.POLICY).left[product] == OF_ANSWERS
    made = to_ir(nets.compressed(model, "w8a8-pc-minmax").model).graph
    stored = [v.const_value for v in made.initializers.values() if v.shape == ir.Shape((6, 8))]
    assert [t.dtype for t in stored if t is not None] == [ir.DataType.INT8]


def test_a_second_network_behind_an_answer_is_body() -> None:
    graph = to_ir(embedded(wide=4000)).graph
    assert not products_of_answers(graph)
    assert "Concat" in {n.op_type for n in body_of(graph)}


@pytest.mark.parametrize("name", ["relu", "silu", "pooled"])
def test_features_that_leave_the_graph_are_no_answer(name) -> None:
    net = nets.Net()
    x = net.node("Relu", net.conv("image", 3, 64))
    x = net.silu(net.conv(x, 64, 64)) if name == "silu" else net.node("Relu", net.conv(x, 64, 64))
    if name == "pooled":
        x = net.node("Flatten", net.node("GlobalAveragePool", x))
        last = net.node("Gemm", x, net.normal(64, 4))
    else:
        last = net.conv(x, 64, 2, 1)
    graph = to_ir(prepare(net.model(x, last))).graph
    assert not products_of_answers(graph)
    assert all(n in body_of(graph) for n in graph if n.op_type in ("Conv", "Gemm"))


def test_places_are_told_in_real_numbers() -> None:
    graph = to_ir(regions()).graph
    plan = place(graph, nets.POLICY)
    assert {n.op_type for n in pointers_of(graph)} == {"Add"}
    assert [why for n, why in plan.left.items() if n.op_type == "Add"] == [POINTS]
    assert [plan.roles.get(n) for n in graph if n.op_type in ("Conv", "Gemm")] == ["kernel"] * 3
    deltas = next(n for n in graph if n.op_type == "Conv" and n.outputs[0].shape == ir.Shape((1, 4, 16, 16)))
    assert str(deltas.outputs[0].name) in plan.heads or plan.roles[deltas] == "kernel"


def test_no_network_of_the_shelf_has_products_of_answers() -> None:
    for build in nets.NETS.values():
        graph = to_ir(prepare(build())).graph
        assert not products_of_answers(graph)
        assert not pointers_of(graph)
