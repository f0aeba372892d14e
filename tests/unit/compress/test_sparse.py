"""Zeros among the weights: patterns by hand, thresholds, what is spared, gradual and surgical learning."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper

import nets
from paredown._compress.presets import parse_recipe
from paredown._compress.prune import pattern
from paredown.errors import UsageError
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.model import Model


def zeros(model: Model) -> dict[str, np.ndarray]:
    """By node name, which of its weights are zero."""
    graph = to_proto(model).graph
    arrays = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    return {n.name: arrays[n.input[1]] == 0 for n in graph.node if n.op_type in ("Conv", "Gemm", "MatMul")
            and n.input[1] in arrays}  # fmt: skip


def test_the_least_weights_go() -> None:
    score = np.array([[3.0, 1.0], [0.5, 2.0]])
    assert pattern.anywhere(score, 0.5).tolist() == [[True, False], [False, True]]
    assert pattern.anywhere(score, 0.0).all()


def test_two_of_four_by_hand() -> None:
    """Groups run along the input channels, each place of the kernel for itself."""
    score = np.zeros((1, 4, 1, 2))
    score[0, :, 0, 0], score[0, :, 0, 1] = [4, 1, 3, 2], [1, 2, 3, 4]
    mask = pattern.in_groups(score, 2, 4)
    assert mask[0, :, 0, 0].tolist() == [True, False, True, False]
    assert mask[0, :, 0, 1].tolist() == [False, False, True, True]


def test_blocks_go_as_a_whole_and_the_last_may_be_narrow() -> None:
    score = np.array([[1.0, 9.0], [3.0, 9.0], [4.0, 0.0]])  # (O=3, I=2), lanes 2: means 2, 9 and 4, 0
    mask = pattern.in_blocks(score, 0.5, 2)
    assert mask.tolist() == [[False, True], [False, True], [True, False]]


def test_shares_of_the_layers_by_hand() -> None:
    """Scores are 1/14, 4/13, 1 and 1/5, 1 (of squares 1 4 9 and 1 4); the least two of five go."""
    shares = pattern.layer_shares({"a": np.array([[1.0, 2.0, 3.0]]), "b": np.array([[1.0, -2.0]])}, 0.4)
    assert shares == {"a": pytest.approx(1 / 3), "b": 0.5}


@pytest.mark.parametrize(
    ("recipe", "lanes"), [("sparse75", 1), ("sparse75-block", 8), ("sparse75-block-lanes4", 4)]
)
def test_so_many_weights_are_zero(recipe: str, lanes: int) -> None:
    made = nets.compressed(prepare(nets.residual()), recipe)
    found = zeros(made.model)
    for record in made.log:
        if record.action == "changed":
            zero = found[record.where]
            assert zero.mean() == pytest.approx(0.75, abs=0.02)
            blocks = zero.reshape(-1, min(lanes, len(zero)), *zero.shape[1:])
            assert np.array_equal(blocks.all(1), blocks.any(1))


def test_every_group_has_its_zeros() -> None:
    found = zeros(nets.compressed(prepare(nets.residual()), "sparse50-nm").model)
    inner = [z for z in found.values() if z.shape[1] == 8]
    assert len(inner) == 3
    for zero in inner:
        assert np.all(np.moveaxis(zero, 1, -1).reshape(-1, 4).sum(1) == 2)


def test_a_threshold_for_all_layers_leaves_the_share_over_all() -> None:
    found = zeros(nets.compressed(prepare(nets.residual()), "sparse60-global").model)
    each = [z.mean() for z in found.values()]
    total = sum(z.sum() for z in found.values()) / sum(z.size for z in found.values())
    assert total == pytest.approx(0.6, abs=0.005)
    assert max(each) - min(each) > 0.05


@pytest.mark.parametrize(
    "recipe", ["sparse100", "sparse50-block-lanes0", "sparse70-nm", "sparse50-global-nm"]
)
def test_settings_that_mean_nothing_are_refused(recipe: str) -> None:
    with pytest.raises(UsageError):
        nets.compressed(prepare(nets.residual()), recipe)


def test_what_holds_few_weights_is_spared_with_a_reason() -> None:
    net = nets.Net(seed=5)
    x = net.node("Relu", net.conv("image", 3, 8))
    x = net.node("Relu", net.conv(x, 8, 8, group=8))
    wide = net.node("Relu", net.conv(net.node("Relu", net.conv(x, 8, 64)), 64, 64))
    source = prepare(net.model(net.conv(wide, 64, 4, 1)))
    made = nets.compressed(source, "sparse50", keep_float=("N6",))
    why = {r.where: (r.action, r.why.split(":")[0]) for r in made.log if r.action in ("skipped", "float")}
    assert why == {
        "N0": ("skipped", "first layer"),
        "N2": ("skipped", "depthwise"),
        "N6": ("float", "kept as asked"),
        "N8": ("skipped", "head"),
    }
    assert [r.where for r in made.log if r.action == "changed"] == ["N4"]


def test_the_log_says_that_nothing_gets_faster() -> None:
    made = nets.compressed(prepare(nets.residual()), "sparse50")
    assert any(r.action == "note" and "no gain in latency" in r.why for r in made.log)


def test_behind_a_quantizing_step_it_says_so() -> None:
    made = nets.compressed(prepare(nets.residual()), "w8a8+sparse50")
    assert any(r.step == "sparse50" and r.action == "skipped" and "in front" in r.why for r in made.log)


def test_names() -> None:
    for name in ("sparse70", "sparse70-nm", "sparse70-surgery", "sparse62.5-global-block-gradual-lanes16"):
        assert parse_recipe(name).name == name


def test_zeros_survive_int8() -> None:
    source = prepare(nets.residual())
    before = zeros(nets.compressed(source, "sparse60").model)
    graph = to_proto(nets.compressed(source, "sparse60+w8a8").model).graph
    arrays = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    stored = [a for a in arrays.values() if a.dtype == np.int8 and a.ndim == 4]
    assert sum(int((a == 0).sum()) for a in stored) >= sum(int(z.sum()) for z in before.values())


def test_learning_beats_pruning_at_once() -> None:
    pytest.importorskip("torch", reason="pip install 'paredown[train]'")
    source = prepare(nets.classifier())
    errors = {}
    for recipe in ("sparse60", "sparse60-gradual-steps60", "sparse60-surgery-steps60"):
        made = nets.compressed(source, recipe, threads=1)
        pairs = [(nets.run(source, i)[0], nets.run(made.model, i)[0]) for i in nets.images(4, seed=3)]
        errors[recipe] = np.mean([nets.agreement(*p) for p in pairs])
        assert all(z.mean() == pytest.approx(0.6, abs=0.01) for z in zeros(made.model).values())
    plain, *learned = errors.values()
    assert max(learned) < 0.9 * plain
