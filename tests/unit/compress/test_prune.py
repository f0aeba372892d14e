"""Structured pruning: choosing, shrinking, taking over, and what the step says."""

from __future__ import annotations

import numpy as np
import pytest

import nets
import pruned
from paredown._compress.prune.choose import choose
from paredown._compress.prune.l1 import by_weights
from paredown._compress.prune.moments import Moments, Place, moments
from paredown._compress.prune.refit import refit
from paredown._compress.prune.shrink import shrink
from paredown._compress.recipe import Context
from paredown.errors import UsageError
from paredown.graph.inspect import inspect
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.graph.removal import Removable, removable
from paredown.graph.walk import to_ir, to_model
from paredown.model import Model


def two_layers(first: np.ndarray, bias: np.ndarray, second: np.ndarray) -> Model:
    """1x1 convolutions: image -> (first, bias) -> ReLU -> second."""
    net = nets.Net()
    a = net.node(
        "Conv",
        "image",
        net.constant(first[..., None, None].astype(np.float32)),
        net.constant(bias.astype(np.float32)),
    )
    return net.model(
        net.node("Conv", net.node("Relu", a), net.constant(second[..., None, None].astype(np.float32)))
    )


def inner(model: Model) -> tuple[list[int], Removable]:
    """The classes between the two layers."""
    found = removable(to_ir(model).graph)
    read = found.operands[-1].ids[1]
    assert read is not None
    return found.classes(read).tolist(), found


def test_l1_is_relative_to_the_layer() -> None:
    model = two_layers(np.array([[1, 0, 0], [2, -2, 0]]), np.zeros(2), np.array([[30.0, 10.0]]))
    (a, b), found = inner(model)
    worth = by_weights(found)
    assert worth[a] == pytest.approx((1 / 2.5 + 30 / 20) / 2)  # rows 1 and 4, columns 30 and 10
    assert worth[b] == pytest.approx((4 / 2.5 + 10 / 20) / 2)


def test_the_least_important_goes_first_and_multiples_are_kept() -> None:
    net = nets.Net()
    x = net.node("Relu", net.conv("image", 3, 12))
    model = net.model(net.conv(x, 12, 4))
    found = removable(to_ir(model).graph)
    classes = found.classes(next(ids for v, (_, ids) in found.axes.items() if v.name == x))
    worth = np.zeros(len(found.channels.parent))
    worth[classes] = np.arange(12)
    # both layers shrink with the 12: all MACs are proportional to them
    one = choose(found, worth, 0.1, align=8)
    assert one.removed == set(classes[:4].tolist())  # 12 -> 8
    assert one.share == pytest.approx(1 / 3)
    exact = choose(found, worth, 0.5, align=1)
    assert exact.removed == set(classes[:6].tolist())
    all_there_is = choose(found, worth, 0.99, align=1)
    assert len(all_there_is.removed) == 9  # a fifth of 12, rounded up, stays


def test_importance_counts_for_each_operation_saved() -> None:
    """Of two equally important channels the one that takes more operations goes."""
    net = nets.Net()
    wide = net.node("Relu", net.conv("image", 3, 8))
    narrow = net.node("Relu", net.conv(net.node("MaxPool", wide, kernel_shape=[4, 4], strides=[4, 4]), 8, 8))
    model = net.model(net.conv(narrow, 8, 4))
    found = removable(to_ir(model).graph)
    of = {v.name: set(found.classes(ids).tolist()) for v, (_, ids) in found.axes.items()}
    choice = choose(found, np.ones(len(found.channels.parent)), 0.05, align=1)
    assert choice.removed <= of[wide]
    assert choice.removed


@pytest.mark.parametrize("name", ["detector", "depthwise", "classifier", "residual"])
def test_shrunk_answers_as_zeroed(name: str) -> None:
    model = prepare(nets.NETS[name]())
    removed = pruned.chosen(model, 0.4)
    assert removed
    assert pruned.difference(pruned.zeroed(model, removed), pruned.shrunk(model, removed)) < 1e-5


def test_a_constant_channel_goes_into_the_bias() -> None:
    """Channel 1 answers relu(3) = 3 everywhere: 3 * 5 is added to the bias, and nothing is lost."""
    model = two_layers(np.array([[1, 2, 3], [0, 0, 0]]), np.array([0.5, 3.0]), np.array([[2.0, 5.0]]))
    made = without(model, 1, told=True)
    assert pruned.difference(model, made) < 1e-5
    assert initializers(made)["N2_pruned_2"] == pytest.approx([15.0], rel=1e-4)


def test_a_channel_that_repeats_another_is_taken_over_by_it() -> None:
    """Channel 1 is twice channel 0, so 2 x + 5 (2 x) = 12 x."""
    model = two_layers(np.array([[1, 2, 3], [2, 4, 6]]), np.array([0.5, 1.0]), np.array([[2.0, 5.0]]))
    made = without(model, 1, told=True)
    assert pruned.difference(model, made) < 1e-2
    kernel = next(a for a in initializers(made).values() if a.shape == (1, 1, 1, 1))
    assert float(kernel.ravel()[0]) == pytest.approx(12.0, rel=5e-3)


def without(model: Model, index: int, told: bool) -> Model:
    graph = to_ir(model)
    found = removable(graph.graph)
    operand = found.operands[-1]
    read, source = operand.ids[1], operand.node.inputs[0]
    assert read is not None
    assert source is not None
    place = Place((1, 2, nets.SIZE, nets.SIZE), 1)
    seen = moments(model, {str(source.name): place}, nets.feeds())
    shrink(found, [int(found.classes(read)[index])], seen if told else None)
    return to_model(graph, model)


def initializers(model: Model) -> dict[str, np.ndarray]:
    from onnx import numpy_helper

    return {t.name: numpy_helper.to_array(t) for t in to_proto(model).graph.initializer}


def test_moments_by_hand() -> None:
    net = nets.Net()
    model = net.model(net.node("Relu", "image"))
    images = nets.images(3)
    stacked = np.stack(images).astype(np.float64)[:, 0]  # (3, C, 16, 16)
    flat = stacked.transpose(1, 0, 2, 3).reshape(3, -1)
    seen: Moments = moments(model, {"relu0": Place((1, 3, 16, 16), 1)}, [{"image": x} for x in images])[
        "relu0"
    ]
    assert seen.mean == pytest.approx(flat.mean(axis=1), rel=1e-5)
    assert seen.product == pytest.approx(flat @ flat.T / flat.shape[1], rel=1e-5)


@pytest.mark.parametrize("by", ["l1", "taylor"])
def test_the_step_says_what_became_of_every_layer(by: str) -> None:
    source = prepare(nets.residual())
    made = nets.compressed(source, f"prune30-{by}-align1", threads=1)
    before, after = inspect(source).macs, inspect(made.model).macs
    assert 0.3 <= 1 - after / before < 0.45
    told, *layers = made.log
    assert told.data["macs_before"] == before
    assert told.data["macs_after"] == after
    assert [r.where for r in layers] == [layer.name for layer in inspect(source).layers]
    for record, layer in zip(layers, inspect(made.model).layers, strict=True):
        assert record.data["macs_after"] == layer.macs
    assert layers[0].action == "changed" or layers[1].action == "changed"
    assert layers[-1].data["channels"] == [4, 4]  # what the model answers stays


def test_a_layer_nothing_may_leave_says_why() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 8)
    source = prepare(net.model(net.conv(net.node("LRN", x, size=3), 8, 4)))
    log = nets.compressed(source, "prune30-l1-align1").log
    assert log[0].action == "skipped"
    assert "no more channels may go" in log[0].why
    assert "LRN" in log[1].why


def test_kept_float_stays_whole() -> None:
    source = prepare(nets.residual())
    names = [layer.name for layer in inspect(source).layers]
    log = nets.compressed(source, "prune30-l1-align1", keep_float=(names[0],)).log
    by_name = {r.where: r for r in log}
    assert by_name[names[0]].action == "float"
    assert by_name[names[0]].data["channels"] == [8, 8]


@pytest.mark.parametrize("recipe", ["prune0", "prune100", "prune30-align0"])
def test_no_part_of_a_whole(recipe: str) -> None:
    with pytest.raises(UsageError, match="pruning"):
        nets.compressed(prepare(nets.residual()), recipe)


def test_behind_a_quantizer_it_says_so() -> None:
    log = nets.compressed(prepare(nets.residual()), "w8a8+prune30").log
    assert log[-1].action == "skipped"
    assert "in front of" in log[-1].why


def test_it_composes_with_quantization() -> None:
    source = prepare(nets.detector())
    made = nets.compressed(source, "prune30-l1-align1+w8a8-pc-mse", threads=1)
    assert any(r.action == "quantized" for r in made.log)
    assert inspect(made.model).macs < inspect(source).macs


def test_taylor_knows_what_reaches_the_answer() -> None:
    """Loud channels that the answer hardly reads are worth less than quiet ones that it reads."""
    pytest.importorskip("torch", reason="pip install 'paredown[train]'")
    from paredown._compress.prune.taylor import importance

    rows = np.array([[10.0, 10, 10], [1, 1, 1]])
    model = two_layers(rows, np.zeros(2), np.array([[0.01, 1.0], [0.01, -1.0]]))
    (loud, quiet), _ = inner(model)
    graph = to_ir(model)
    worth = importance(
        graph, removable(graph.graph), {}, Context(model, nets.feeds, nets.ANY_BOARD, nets.POLICY, threads=1)
    )
    # y = W x: dy/dg_c = W_c x_c, squared and summed over the answers, x_0 = 10 x_1: (0.1)^2 against 1
    assert worth[loud] / worth[quiet] == pytest.approx(0.01, rel=0.3)


def test_recovery_brings_the_answers_nearer() -> None:
    pytest.importorskip("torch", reason="pip install 'paredown[train]'")
    source = prepare(nets.residual())
    plain = nets.compressed(source, "prune30-l1-align1", threads=1).model
    made = nets.compressed(source, "prune30-l1-align1+distill-steps80-rate0.01", threads=1)
    images = nets.images(4, seed=7)
    error = [
        np.mean([nets.agreement(nets.run(source, x)[0], nets.run(m, x)[0]) for x in images])
        for m in (plain, made.model)
    ]
    assert error[1] < 0.97 * error[0]  # fitted again already, and four images are few
    assert made.log[-1].step.startswith("distill")
    assert made.log[-1].action == "note"


def test_recovery_of_what_lost_nothing_is_skipped() -> None:
    pytest.importorskip("torch", reason="pip install 'paredown[train]'")
    log = nets.compressed(prepare(nets.residual()), "distill").log
    assert [r.action for r in log] == ["skipped"]


def test_slimming_closes_the_gates_of_what_can_be_spared() -> None:
    """Channel 0 hardly reaches the answer: its gate closes and the other's stays open."""
    pytest.importorskip("torch", reason="pip install 'paredown[train]'")
    from paredown._compress.prune.slimming import importance

    rows = np.array([[1.0, 1, 1], [1, 1, 1]])
    model = two_layers(rows, np.zeros(2), np.array([[0.01, 1.0], [0.01, -1.0]]))
    (spare, needed), _ = inner(model)
    graph = to_ir(model)
    context = Context(model, nets.feeds, nets.ANY_BOARD, nets.POLICY, threads=1)
    gates = importance(graph, removable(graph.graph), lambda g: bool(g.min() < 0.2), context)
    assert gates[spare] < 0.2
    assert gates[needed] > 0.5
    kernel = initializers(to_model(graph, model))["constant2"].reshape(2, 2)
    assert np.abs(kernel[:, 0]).max() < 0.004  # folded in: 0.01 times the gate


def test_refit_finds_what_the_channels_left_can_still_answer() -> None:
    """Four linear channels of three colours: any three of them hold all there is."""
    net = nets.Net(seed=5)
    x = net.conv("image", 3, 4, 1)
    model = net.model(net.conv(x, 4, 2, 3))
    graph = to_ir(model)
    found = removable(graph.graph)
    read = found.operands[-2].ids[1]
    assert read is not None
    left = shrink(found, [int(found.classes(read)[2])])
    context = Context(model, nets.feeds, nets.ANY_BOARD, nets.POLICY, threads=1)
    assert left[x].tolist() == [0, 1, 3]
    cut = pruned.difference(model, to_model(graph, model))
    errors = refit(graph, model, left, context)
    assert errors["N1"] < 0.2  # the damping draws it to what the weights were
    assert pruned.difference(model, to_model(graph, model)) < 0.5 * cut


def test_refit_leaves_a_whole_graph_as_it_is() -> None:
    model = prepare(nets.residual())
    graph = to_ir(model)
    refit(graph, model, {}, Context(model, nets.feeds, nets.ANY_BOARD, nets.POLICY, threads=1))
    assert pruned.difference(model, to_model(graph, model)) < 1e-4


def test_refit_takes_the_error_of_a_residual_stream_back() -> None:
    """What a layer's answer is added to is 3 too large, through no layer's fault: it answers 3 less."""

    def net(extra: float) -> Model:
        made = nets.Net(seed=6)
        x = made.node(
            "Add", made.conv("image", 3, 4, 1), made.constant(np.full((1, 4, 1, 1), extra, np.float32))
        )
        inner = made.conv(made.node("Relu", made.conv("image", 3, 4)), 4, 4)
        return made.model(made.conv(made.node("Add", x, inner), 4, 2, 1))

    whole, graph = net(0.0), to_ir(net(3.0))
    before = initializers(to_model(graph, whole))
    refit(graph, whole, {}, Context(whole, nets.feeds, nets.ANY_BOARD, nets.POLICY, threads=1))
    after = initializers(to_model(graph, whole))
    assert pruned.difference(whole, to_model(graph, whole)) < 1e-3
    bias = next(n for n in graph.graph if n.name == "N4").inputs[2]
    assert bias is not None
    assert before[str(bias.name)] - after[str(bias.name)] == pytest.approx(np.full(4, 3.0), rel=1e-3)
