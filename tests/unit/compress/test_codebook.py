"""Codebooks by hand: even cells, their widths, entropy; and rounding that makes up for its errors."""

from __future__ import annotations

import numpy as np
import pytest

import nets
from paredown._compress.pack.codebook import POWER, entropy, kmeans, lattice, short, widths
from paredown._compress.pack.sensitivity import sensitivities
from paredown._compress.recipe import Context
from paredown.errors import UsageError
from paredown.graph.prepare import prepare
from paredown.graph.walk import constant, to_ir, weight_of


def test_even_cells_by_hand() -> None:
    """Cells one wide around zero; the value of a cell is the mean of what falls into it, zero stays zero."""
    w = np.array([-0.4, 0.3, 0.8, 1.2, -1.1, 9.0], np.float32)
    book = lattice(w, 5, 1.0)  # cells -2 .. 2: what lies beyond goes into the last
    np.testing.assert_allclose(book.table, [-1.1, 0.0, 1.0, 9.0])
    np.testing.assert_allclose(book.values, [0, 0, 1, 1, -1.1, 9])


def test_the_entropy_of_four_equal_values_is_two_bits() -> None:
    assert entropy(np.array([0, 1, 2, 3])) == 2.0
    assert entropy(np.array([7, 7, 7])) == 0.0


def test_the_bits_asked_for_are_spent_and_large_layers_get_fewer() -> None:
    rng = np.random.default_rng(0)
    weights = {"large": rng.normal(size=40_000), "small": rng.normal(size=4_000)}
    found = widths(weights, 256, 2.4)
    bits = {name: entropy(lattice(w, 256, found[name]).indices) for name, w in weights.items()}
    total = sum(bits[name] * w.size for name, w in weights.items()) / 44_000
    assert total == pytest.approx(2.4, abs=0.1)  # values that are means move some weights to the next cell
    assert bits["small"] > bits["large"] + 0.5


def test_layers_to_which_the_answer_is_sensitive_get_narrower_cells() -> None:
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(size=20_000) for name in ("loud", "quiet")}
    found = widths(weights, 256, 3.0, {"loud": 16.0})
    assert found["quiet"] / found["loud"] == pytest.approx(16 ** (POWER / 2), rel=0.02)


def test_what_a_layer_counts_is_measured_alone() -> None:
    """One of two branches is a tenth of the answer: noise in it is a hundredth of the damage."""
    net = nets.Net()
    branches = [net.conv("image", 3, 24) for _ in range(2)]
    tenth = net.node("Mul", branches[1], net.constant(np.float32(0.1)))
    model = prepare(net.model(net.conv(net.node("Add", branches[0], tenth), 24, 4)))
    layers = [n for n in to_ir(model).graph if n.op_type == "Conv"][:2]
    weights = {n: constant(weight_of(n)) for n in layers}
    context = Context(
        source=model, images=lambda: iter(nets.feeds()), device=nets.ANY_BOARD, policy=nets.POLICY
    )
    found = sensitivities(model, weights, {n: float(w.std()) for n, w in weights.items()}, 256, context)
    loud, quiet = found.values()
    assert 50 < loud / quiet < 200


@pytest.mark.parametrize("keep", [(), ("N1",)])
def test_codebooks_behind_int8(keep: tuple[str, ...]) -> None:
    source = prepare(nets.residual())
    made = nets.compressed(source, "w8a8-pc-mse+cluster-gptq-bits5", keep_float=keep)
    assert any(r.action == "changed" and "values" in r.why for r in made.log)
    pairs = [(nets.run(source, i)[0], nets.run(made.model, i)[0]) for i in nets.images(4)]
    assert np.mean([nets.agreement(*pair) for pair in pairs]) < 0.2


def test_numbers_of_few_digits() -> None:
    assert short(5.0, 3) == 5.0
    assert short(0.8, 3) == 0.75
    np.testing.assert_array_equal(short(np.array([1.5, -3.0], np.float32), 2), [1.5, -3.0])


def test_k_means_finds_three_heaps() -> None:
    heaps = np.concatenate([np.full(50, -2.0), np.full(500, 0.5), np.full(5, 7.0)])
    assert kmeans(heaps, 3).table.tolist() == [-2.0, 0.5, 7.0]


def test_zeros_keep_a_value_of_their_own() -> None:
    w = np.array([0.0, 0.0, 0.1, 0.2, -5.0])
    book = kmeans(w, 3)
    assert 0.0 in book.table
    assert np.all(book.values[:2] == 0)


def test_rounding_with_regard_to_what_is_read_is_nearer() -> None:
    source = prepare(nets.residual())
    errors = []
    for recipe in ("cluster-bits2", "cluster-gptq-bits2"):
        made = nets.compressed(source, recipe).model
        pairs = [(nets.run(source, i)[0], nets.run(made, i)[0]) for i in nets.images(4)]
        errors.append(np.mean([nets.agreement(*pair) for pair in pairs]))
    assert errors[1] < 0.9 * errors[0]


@pytest.mark.parametrize("recipe", ["cluster-k1", "cluster-k300", "cluster-bits9", "cluster-gptq"])
def test_settings_that_mean_nothing_are_refused(recipe: str) -> None:
    with pytest.raises(UsageError):
        nets.compressed(prepare(nets.residual()), recipe)


def test_the_log_says_that_nothing_gets_faster() -> None:
    made = nets.compressed(prepare(nets.residual()), "cluster")
    assert any(r.action == "note" and "no gain in latency" in r.why for r in made.log)
