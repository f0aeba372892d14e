"""The step `mix`: choices under limits on drop, latency and size, each explained in the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

import nets
from paredown._compress.mixed.candidate import Weights, coarser, narrowed, plain_choices
from paredown._compress.mixed.mix import Mixed
from paredown._compress.presets import parse_recipe
from paredown._compress.quantize.placement.allocate import Point
from paredown._compress.quantize.placement.plan import place
from paredown._compress.recipe import Bounds, Compressed, Recipe
from paredown.errors import UnsupportedModel, UsageError
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.graph.walk import to_ir
from paredown.measurement import StepRecord
from paredown.model import Model
from paredown.numerics.quant_params import affine
from paredown.protocols import Lost, NodeTimes
from paredown.study.limits import Limits


def quick_integers(models: Sequence[Model]) -> list[NodeTimes]:
    """A device on which a float layer takes 2 ms, an integer one 1 ms, and a conversion 1 us."""

    def seconds(model: Model) -> dict[str, float]:
        integer = any(n.op_type == "QuantizeLinear" for n in to_proto(model).graph.node)
        made = {o: n for n in to_proto(model).graph.node for o in n.output}
        found = {}
        for node in to_proto(model).graph.node:
            if node.op_type == "Conv":
                source = made.get(node.input[0])
                quantized = integer and source is not None and source.op_type == "DequantizeLinear"
                found[node.name] = 1e-3 if quantized else 2e-3
            elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
                found[node.name] = 1e-6
        return found

    return [NodeTimes(seconds(m)) for m in models]


def slow_after_all(models: Sequence[Model]) -> list[NodeTimes]:
    """As `quick_integers` while costs are asked for; what is made of them takes 5 ms more a grid."""
    grids = [sum(n.op_type == "QuantizeLinear" for n in to_proto(m).graph.node) for m in models]
    late = [0.005 * g * (len(models) != 3) for g in grids]
    return [NodeTimes(t.seconds, more) for t, more in zip(quick_integers(models), late, strict=True)]


def judge_by_integers(model: Model) -> Lost:
    """A quarter of a point for every activation on a grid; never by chance."""
    grids = sum(n.op_type == "QuantizeLinear" for n in to_proto(model).graph.node)
    return Lost(0.25 * grids, 0.001, "map50_95", "no images at all")


def mixed(recipe: str = "mix", net: str = "depthwise", **more: object) -> Compressed:
    return nets.compressed(prepare(nets.NETS[net]()), recipe, **more)


def choices(made: Compressed) -> dict[str, str]:
    return {r.where: str(r.data["choice"]) for r in made.log if "choice" in r.data}


def first_note(made: Compressed) -> StepRecord:
    return next(r for r in made.log if not r.where)


def test_limits_fill_what_the_recipe_leaves_open() -> None:
    recipe = parse_recipe("mixed").limited(Bounds(0.3, 0.0125, 2_500_000))
    assert recipe.steps[-1] == Mixed(0.3, 12.5, 2.5)
    assert recipe.name == "cle+gates+mix-drop0.3-ms12.5-mb2.5"
    assert parse_recipe(recipe.name) == recipe
    assert parse_recipe("mix-drop0.1").limited(Bounds(0.3)).steps == (Mixed(0.1),)
    assert parse_recipe("int8").limited(Bounds(0.3, 1.0, 1.0)) == parse_recipe("int8")
    assert Recipe().limited(Bounds(0.3)) == Recipe()


def test_without_judge_and_clock_it_goes_by_damage_and_says_so() -> None:
    note = first_note(mixed()).why
    assert "nothing to judge on" in note
    assert "latency not known" in note


def test_times_taken_beside_other_work_are_told() -> None:
    def beside(models: Sequence[Model]) -> list[NodeTimes]:
        return [replace(t, others=0.6) for t in quick_integers(models)]

    assert "other processes used 60% of the cores" in first_note(mixed(time_nodes=beside)).why
    assert "other processes" not in first_note(mixed(time_nodes=quick_integers)).why


def test_every_layer_says_what_it_became_and_by_which_figures() -> None:
    made = mixed(time_nodes=quick_integers, judge=judge_by_integers)
    layers = [r for r in made.log if "choice" in r.data]
    assert [r.where for r in layers] == ["N0", "N2", "N4"]
    for record in layers:
        assert {"damage", "damage_w8", "damage_w4", "float_ms", "int8_ms", "weights"} <= record.data.keys()
        assert record.why.startswith(str(record.data["choice"]))
        assert record.data["float_ms"] == pytest.approx(2.0)
        assert record.data["int8_ms"] == pytest.approx(1.0)


def test_the_drop_is_kept_on_what_the_judge_says() -> None:
    """Six activations on grids cost 1.5 points: some must go, and no more than needed."""
    free = mixed("mix-drop9", judge=judge_by_integers, time_nodes=quick_integers)
    tight = mixed("mix-drop0.9", judge=judge_by_integers, time_nodes=quick_integers)
    none = mixed("mix-drop0.1", judge=judge_by_integers, time_nodes=quick_integers)
    assert set(choices(free).values()) == {"W8A8"}
    assert judge_by_integers(tight.model).points <= 0.9
    assert "W8A8" in choices(tight).values()
    assert judge_by_integers(none.model).points == 0.0
    assert any("chosen" in r.why for r in tight.log if not r.where)


def test_where_integers_turn_out_slower_the_network_stays_float() -> None:
    made = mixed("mix-drop9", judge=judge_by_integers, time_nodes=slow_after_all)
    assert set(choices(made).values()) == {"float"}
    assert judge_by_integers(made.model).points == 0.0


def test_a_limit_on_latency_takes_the_least_damage_under_it() -> None:
    made = mixed("mix-ms4.5", time_nodes=quick_integers)  # three layers: 3 ms in integers, 6 in float
    assert sorted(choices(made).values()).count("W8A8") == 2
    assert float(str(first_note(made).data["latency_ms"])) <= 4.5
    with pytest.raises(UnsupportedModel, match="as fast as asked"):
        mixed("mix-ms2.5", time_nodes=quick_integers)


def test_a_limit_on_latency_is_refused_where_nothing_can_be_timed() -> None:
    with pytest.raises(UsageError, match="without timing on the device") as refusal:
        mixed("mix-ms4.5")
    assert "hint" in str(refusal.value)


def test_a_limit_on_size_narrows_weights_and_holds() -> None:
    net = nets.Net(seed=8)
    x = net.node("Relu", net.conv("image", 3, 48))
    model = prepare(net.model(net.conv(net.node("Relu", net.conv(x, 48, 48)), 48, 4, 1)))
    free = nets.compressed(model, "mix")
    limit = free.model.size_bytes - 6000  # 20,736 weights in the middle layer
    made = nets.compressed(model, f"mix-mb{limit / 1e6:.6f}")
    assert made.model.size_bytes <= limit
    assert "W4A8" in choices(made).values()
    assert choices(made)["N2"] == "W4A8"
    with pytest.raises(UnsupportedModel, match="as small as asked"):
        nets.compressed(model, "mix-mb0.001")


def test_what_the_user_keeps_float_stays_float() -> None:
    made = mixed(keep_float=("N2",))
    assert "N2" not in choices(made)
    assert next(r for r in made.log if r.where == "N2").why == "kept float as asked"
    everything = mixed(keep_float=("N0", "N2", "N4"))
    assert all(r.action == "float" for r in everything.log)


def point(*released: str, damage: float) -> Point:
    graph = to_ir(prepare(nets.depthwise())).graph
    plan = place(graph, nets.POLICY, (), dict.fromkeys(released, "released"))
    return Point(frozenset(released), plan, damage, 0.0)


def test_float_layers_are_stored_in_8_bits_while_there_is_room_for_it() -> None:
    weights = Weights({"N0": 1000, "N2": 4000, "N4": 100}, {"N0": 0.004, "N2": 0.004, "N4": 0.0}, {})
    chosen, added = plain_choices(point("N0", "N2", "N4", damage=0.05), weights, room=0.005)
    assert chosen == {"N0": "float", "N2": "w8", "N4": "float"}  # N4: too small to be worth it
    assert added == 0.004
    assert plain_choices(point("N0", "N2", "N4", damage=0.05), weights, room=0.0)[0]["N2"] == "float"
    some, _ = plain_choices(point("N0", damage=0.05), weights, room=0.005)
    assert some == {"N0": "w8", "N2": "w8a8", "N4": "w8a8"}


def test_bytes_are_saved_where_they_do_least_damage() -> None:
    """a saves 3,000 bytes for 0.003, b 1,000 for 0.0005, c 1,000 for 0.01."""
    size = {"a": 1000, "b": 2000, "c": 2000, "d": 100}
    weights = Weights(
        size, {"a": 0.003, "b": 0.0, "c": 0.0, "d": 0.0}, {"a": 1.0, "b": 0.0005, "c": 0.01, "d": 0.0}
    )
    start = {"a": "float", "b": "w8a8", "c": "w8a8", "d": "w8a8"}
    assert narrowed(start, weights, 500) == ({**start, "b": "w4a8"}, pytest.approx(0.0005))
    both = {**start, "a": "w8", "b": "w4a8"}
    assert narrowed(start, weights, 3000) == (both, pytest.approx(0.0035))
    assert narrowed(start, weights, 1e9)[0] == {**both, "c": "w4a8"}  # d is too small to be worth it
    floats_only = replace(weights, stored8=False)  # the runtime opens no small weight beside float arithmetic
    assert narrowed(start, floats_only, 1e9)[0] == {**start, "b": "w4a8", "c": "w4a8"}


def test_a_coarser_grid_has_the_same_range_and_half_the_steps() -> None:
    fine = affine(-1.0, 2.0)
    half = coarser(fine)
    assert half.steps == 127
    np.testing.assert_allclose(half.bounds(), fine.bounds(), atol=2 * float(half.scale))
    x = np.linspace(-1, 2, 4001, dtype=np.float32)
    errors = [float(np.mean((g.snap(x) - x) ** 2)) for g in (fine, half)]
    assert errors[1] == pytest.approx(4 * errors[0], rel=0.1)


def test_a_limit_holds_in_the_metric_that_the_candidates_are_judged_by() -> None:
    step = Mixed()
    assert step.allowed("map50_95") == 0.5
    assert step.allowed("fidelity_map50_95") == pytest.approx(6)
    assert Mixed(agree=90).allowed("fidelity_top1") == pytest.approx(10)
    assert Mixed(agree=90).allowed("map50_95") == pytest.approx(10 / 12)  # what goes with it as a rule
    assert step.held_to("map50_95") == "held to 0.5 points of map50_95"
    assert "held to 94 % agreement with the float model" in step.held_to("fidelity_map50_95")


def test_a_limit_of_agreement_reaches_the_step_and_its_name_parses_back() -> None:
    asked = Limits(min_agreement=96.5).on(parse_recipe("mixed"))
    assert asked.name.endswith("mix-agree96.5")
    assert parse_recipe(asked.name) == asked
    assert Limits(min_agreement=90).on(asked) == asked  # a limit of its own stays
    assert Limits(min_agreement=90).taken_by(parse_recipe("mixed"))
    assert not Limits(min_agreement=90).taken_by(parse_recipe("int8"))
