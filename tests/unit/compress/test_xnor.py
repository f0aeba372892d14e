"""XNOR layers: the equation on a case computed by hand, the graph, and what is left alone."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper

import nets
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.model import Model


@pytest.fixture(scope="module")
def model() -> Model:
    """A 1x1 layer and a 3x3 one between the first layer and the head."""
    net = nets.Net(seed=6)
    x = net.node("Relu", net.conv("image", 3, 8))
    x = net.node("Relu", net.conv(x, 8, 8, 1))
    x = net.node("Relu", net.conv(x, 8, 8, stride=2))
    return prepare(net.model(net.conv(x, 8, 4, 1)))


def test_the_equation_by_hand(model: Model) -> None:
    """A pixel of a 1x1 layer: alpha K sum sign(w) sign(i - m), and the sum of w m and the bias beside it."""
    torch = pytest.importorskip("torch", reason="pip install 'paredown[train]'")
    from paredown.graph.executor import Executor

    made = nets.compressed(model, "xnor").model
    layer = [n for n in to_proto(model).graph.node if n.op_type == "Conv"][1]
    float_weights = {t.name: numpy_helper.to_array(t) for t in to_proto(model).graph.initializer}
    w, b = float_weights[layer.input[1]][:, :, 0, 0], float_weights[layer.input[2]]
    constants = {t.name: numpy_helper.to_array(t) for t in to_proto(made).graph.initializer}
    m = constants[f"{layer.name}_mean"].reshape(-1)
    executor = Executor(made, [layer.input[0], layer.output[0]])
    with torch.no_grad():
        i, got = (x[0, :, 3, 5].numpy() for x in executor.run(executor.feeds(nets.feeds(1)[0])).values())
    alpha, k = np.abs(w).mean(axis=1), np.abs(i - m).mean()
    want = alpha * k * (np.where(w < 0, -1, 1) @ np.sign(i - m)) + w @ m + b
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_first_layers_and_heads_stay_float(model: Model) -> None:
    made = nets.compressed(model, "xnor")
    assert [r.action for r in made.log] == ["float", "float", "quantized", "quantized"]
    assert nets.ops(to_proto(made.model).graph.node)["Sign"] == 2
    assert made.model.outputs == model.outputs


def test_signs_are_learned(model: Model) -> None:
    """Nearer to the float model after qat, and the file answers as the executor does."""
    torch = pytest.importorskip("torch", reason="pip install 'paredown[train]'")
    from paredown.graph.executor import Executor

    plain, learned = (
        nets.compressed(model, r, threads=1).model for r in ("xnor", "xnor+qat-steps60-rate0.006")
    )
    image = nets.images(1, seed=8)[0]
    want = nets.run(model, image)[0]
    answers = [nets.run(m, image)[0] for m in (plain, learned)]
    assert nets.agreement(want, answers[1]) < 0.9 * nets.agreement(want, answers[0])
    executor = Executor(learned)
    with torch.no_grad():
        mine = next(iter(executor.run(executor.feeds({"image": image})).values())).numpy()
    np.testing.assert_allclose(mine, answers[1], rtol=1e-3, atol=1e-3 * float(np.abs(want).max()))
