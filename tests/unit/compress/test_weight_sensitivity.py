"""Damage of weights: found by halving, and equal to what the rounded network does."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import nets
from paredown._compress.quantize.placement.widths import spared
from paredown._compress.quantize.sensitivity.activations import by_halves
from paredown._compress.quantize.sensitivity.noise import answers
from paredown._compress.quantize.sensitivity.weights import SwitchedWeights
from paredown.graph.load import from_proto, to_proto
from paredown.graph.prepare import prepare
from paredown.graph.walk import constant, to_ir, weight_of
from paredown.model import Model
from paredown.numerics.quant_params import symmetric, weight_limits


def switched(bits: int) -> tuple[Model, SwitchedWeights, dict[str, np.ndarray]]:
    model = prepare(nets.depthwise())
    errors = {}
    for node in to_ir(model).graph:
        if weight_of(node) is not None:
            weight = np.asarray(constant(weight_of(node)), np.float32)
            errors[str(node.name)] = symmetric(weight_limits(weight, 0), bits, 0).snap(weight) - weight
    heads = [o.name for o in model.outputs]
    return model, SwitchedWeights(model, errors, heads, nets.feeds(2), threads=1), errors


def test_by_halves_every_figure_is_exact_where_damages_add_up() -> None:
    damage = {"a": 1.0, "b": 0.0, "c": 0.25, "d": 0.0, "e": 8.0}
    asked = []

    def together(items: list[str]) -> float:
        asked.append(tuple(items))
        return sum(damage[i] for i in items)

    assert by_halves(list(damage), together, enough=0.0) == damage
    assert by_halves(list(damage), together, enough=0.5)["c"] <= 0.25
    assert asked[0] == ("a", "b", "c", "d", "e")


def test_a_half_is_not_asked_where_the_other_does_all() -> None:
    damage = {"a": 0.0, "b": 0.4, "c": 0.0, "d": 0.01}
    asked = []

    def together(items: list[str]) -> float:
        asked.append("".join(items))
        return sum(damage[i] for i in items)

    found = by_halves(list(damage), together, enough=0.1)
    assert asked == ["abcd", "ab", "a", "b"]
    assert found == pytest.approx({"a": 0.0, "b": 0.4, "c": 0.005, "d": 0.005})
    assert by_halves(list(damage), together, enough=0.04)["d"] == pytest.approx(0.005)
    assert asked[4:] == ["abcd", "ab", "a", "b", "cd"]  # 0.41 is not known to within 0.04


def test_a_harmless_set_is_asked_once() -> None:
    asked = []

    def together(items: list[str]) -> float:
        asked.append(items)
        return 0.04

    assert by_halves(list("abcd"), together, enough=0.1) == dict.fromkeys("abcd", 0.01)
    assert len(asked) == 1
    assert by_halves([], together, enough=0.1) == {}


def test_nothing_is_held_once_all_figures_are_known() -> None:
    """A session stood behind the function, and stayed until the collector came by."""

    class Session:
        def damage(self, items: list[str]) -> float:
            return 1.0 * len(items)

    session = Session()
    gone = weakref.ref(session)
    gc.disable()
    try:
        by_halves(list("abcd"), session.damage, enough=0.1)
        del session
        assert gone() is None
    finally:
        gc.enable()


def test_without_a_switch_it_is_the_float_network() -> None:
    _, weights, _ = switched(8)
    assert weights.damage([]) == 0.0


def test_one_switch_is_the_network_with_that_weight_rounded() -> None:
    model, weights, errors = switched(4)
    name = weights.nodes[1]
    proto = to_proto(model)
    node = next(n for n in proto.graph.node if n.name == name)
    stored = next(t for t in proto.graph.initializer if t.name == node.input[1])
    values = np.frombuffer(stored.raw_data, np.float32).reshape(stored.dims) + errors[name]
    stored.raw_data = values.astype(np.float32).tobytes()
    rounded = from_proto(proto, "rounded")
    want = []
    for image in nets.feeds(2):
        clean = answers(nets.run(model, image))
        want += [c.damage(o) for c, o in zip(clean, nets.run(rounded, image), strict=True)]
    assert weights.damage([name]) == pytest.approx(np.mean(want), rel=1e-3)


def test_four_bits_do_more_damage_than_eight() -> None:
    (_, eight, _), (_, four, _) = switched(8), switched(4)
    fine, coarse = eight.alone(0.0), four.alone(0.0)
    assert all(coarse[name] > 10 * fine[name] for name in fine)


def test_layers_that_damage_most_for_their_size_keep_eight_bits() -> None:
    layers = [n for n in to_ir(prepare(nets.depthwise())).graph if weight_of(n) is not None]
    sizes = [int(constant(weight_of(n)).size) for n in layers]
    damage = {n: float(size) for n, size in zip(layers, sizes, strict=True)}  # alike for their size, but one
    damage[layers[1]] *= 5
    share = (sizes[1] + 0.5) / sum(sizes)
    found = spared(dict.fromkeys(layers, (4, "")), damage, share, 8)
    assert [n for n, (bits, _) in found.items() if bits == 8] == [layers[1]]
    assert "of the signal" in found[layers[1]][1]


def test_some_more_layers_kept_at_eight_bits_answer_nearer() -> None:
    source = prepare(nets.residual())
    errors = []
    for recipe in ("w4a8-pc-mse-ends", "w4a8-pc-mse-ends-keep60"):
        made = nets.compressed(source, recipe)
        pairs = [(nets.run(source, i)[0], nets.run(made.model, i)[0]) for i in nets.images(4)]
        errors.append(np.mean([nets.agreement(*pair) for pair in pairs]))
    assert errors[1] < 0.9 * errors[0]
    assert any("few bits alone put noise" in r.why for r in made.log)


def test_where_no_layer_gets_few_bits_nothing_is_measured() -> None:
    net = nets.Net()
    source = prepare(net.model(net.conv("image", 3, 4)))  # first layer and head in one
    made = nets.compressed(source, "w4a8-pc-mse-keep10")
    assert not any("few bits alone" in r.why for r in made.log)
    assert any("a head" in r.why or "first layer" in r.why for r in made.log)
