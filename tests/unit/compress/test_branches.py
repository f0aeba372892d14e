"""Heads without NMS behind them: their own branches stay float, where integers would put noise on them."""

from __future__ import annotations

import numpy as np
import pytest

import nets
from paredown._compress.quantize.placement.branches import unsuppressed_branches
from paredown._compress.quantize.placement.plan import place
from paredown._compress.quantize.sensitivity import guard
from paredown.graph.prepare import prepare
from paredown.graph.walk import to_ir
from paredown.model import Model


def two_heads(suppresses: str = "", chooses: bool = True, body: int = 3) -> Model:
    """Boxes and scores from a trunk that both read; behind them the best eight scores with their boxes."""
    net = nets.Net(seed=8)
    trunk = net.silu(net.conv("image", 3, 16))
    for _ in range(body):
        trunk = net.silu(net.conv(trunk, 16, 16))
    boxes = net.conv(net.silu(net.conv(trunk, 16, 4)), 4, 4, 1)
    scores = net.conv(net.silu(net.conv(trunk, 16, 4, 1)), 4, 1, 1)
    if suppresses == "MaxPool":
        peak = net.node("MaxPool", scores, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        scores = net.node("Mul", scores, net.node("Cast", net.node("Equal", scores, peak), to=1))
    flat = net.node("Sigmoid", net.reshape(scores, 1, nets.SIZE**2))
    if not chooses:
        return prepare(net.model(net.reshape(boxes, 1, 4, nets.SIZE**2), flat))
    best = net.node("TopK", flat, net.constant(np.array([8])), axis=1, outputs=2)
    places = net.node("Expand", net.reshape(f"{best}_1", 1, 1, 8), net.constant(np.array([1, 4, 8])))
    rows = net.node("GatherElements", net.reshape(boxes, 1, 4, nets.SIZE**2), places, axis=2)
    return prepare(net.model(rows, best))


def branches(model: Model) -> tuple[list[str], float]:
    graph = to_ir(model).graph
    found, share = unsuppressed_branches(graph, place(graph, nets.POLICY))
    return sorted(node.op_type for node in found), share


def test_the_branches_are_what_one_head_alone_depends_on() -> None:
    ops, share = branches(two_heads())
    assert ops == ["Conv"] * 4 + ["Mul"] * 2 + ["Sigmoid"] * 2
    of_branches = 16 * 4 * 9 + 4 * 4 + 16 * 4 + 4
    assert share == pytest.approx(of_branches / (of_branches + 3 * 16 * 9 + 3 * 16 * 16 * 9))


@pytest.mark.parametrize(
    "model",
    [two_heads("MaxPool"), two_heads(chooses=False), two_heads(body=0), prepare(nets.detector())],
    ids=["peaks", "NMS by the reader", "most of the network", "a detector with NMS"],
)
def test_there_are_none_elsewhere(model: Model) -> None:
    assert branches(model) == ([], 0.0)


def test_they_stay_float_where_there_is_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    model = two_heads()
    monkeypatch.setattr(guard, "UNSUPPRESSED", 0.0)
    made = nets.compressed(model, "w8a8-guard+gptq")
    told = [r for r in made.log if r.action == "float" and "no NMS" in r.why]
    assert len(told) == 8
    assert all("% of all operations" in r.why for r in told)
    session = nets.optimized(made.model)
    assert nets.ops(session.graph.node)["QLinearConv"] == 4
    assert len(made.model.data) < len(nets.compressed(model, "float").model.data)
    monkeypatch.setattr(guard, "UNSUPPRESSED", 1.0)
    whole = nets.compressed(model, "w8a8-guard+gptq")
    assert nets.ops(nets.optimized(whole.model).graph.node)["QLinearConv"] == 8


def test_their_weights_are_stored_in_8_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "UNSUPPRESSED", 0.0)
    made = nets.compressed(two_heads(), "w8a8-guard")
    graph = to_ir(made.model).graph
    weights = [v.const_value for v in graph.initializers.values() if v.const_value is not None]
    assert not [w for w in weights if len(w.shape) == 4 and w.dtype.name == "FLOAT" and w.size > 16]


def test_the_answer_is_nearer_the_float_one(monkeypatch: pytest.MonkeyPatch) -> None:
    model, wrong = two_heads(), {}
    for least in (0.0, 1.0):
        monkeypatch.setattr(guard, "UNSUPPRESSED", least)
        made = nets.compressed(model, "w8a8-guard").model
        pairs = [(nets.run(model, x)[1], nets.run(made, x)[1]) for x in nets.images(6, seed=9)]
        wrong[least] = np.mean([np.abs(a - b).mean() for a, b in pairs])
    assert wrong[0.0] < wrong[1.0]
