"""Second-order rounding leaves the scores of a head alone: its patches show hardly an object."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

import nets
from paredown.graph.prepare import prepare
from paredown.graph.walk import constant, consumers, to_ir
from paredown.model import Model


def heads(model: Model) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Head -> the integers of its weight and of its bias."""
    found = {}
    for node in to_ir(model).graph:
        if node.op_type == "Conv" and not any(n.op_type == "Conv" for n in behind(node)):
            values = [v.producer().inputs[0] for v in node.inputs[1:]]
            found[str(node.name)] = tuple(np.asarray(constant(v)) for v in values)
    return found


def behind(node: ir.Node) -> list[ir.Node]:
    todo, seen = [node], list[ir.Node]()
    while todo:
        for reader in (r for o in todo.pop().outputs for r in consumers(o)):
            if reader not in seen:
                seen.append(reader)
                todo.append(reader)
    return seen


@pytest.mark.parametrize("bias", [-6.0, 0.0])
def test_rows_of_rare_scores_stay_as_they_are(bias: float) -> None:
    net = nets.Net(seed=5)
    body = net.node("Relu", net.conv("image", 3, 8))
    boxes = net.conv(body, 8, 4)
    weight = net.constant(net.rng.normal(size=(5, 8, 1, 1)).astype(np.float32) * np.float32(0.1))
    scores = net.node("Conv", body, weight, net.constant(np.full(5, bias, np.float32)))
    model = prepare(net.model(boxes, net.node("Sigmoid", scores)))
    before = heads(nets.compressed(model, "w8a8-pc-mse").model)
    after = heads(nets.compressed(model, "w8a8-pc-mse+gptq").model)
    same = {
        len(before[n][0]): all(np.array_equal(a, b) for a, b in zip(before[n], after[n], strict=True))
        for n in before
    }
    assert same == {4: False, 5: bias < 0}
