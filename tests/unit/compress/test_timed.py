"""What a processor computes faster in float stays float, its weights in 8 bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from onnx import TensorProto

import nets
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.model import Model
from paredown.protocols import NodeTimes

Clock = Callable[[Sequence[Model]], list[NodeTimes]]


def clock(integer_s: Callable[[bool], float]) -> Clock:
    """A device: a Conv takes 2 ms in float, and in integers what is said of depthwise ones and others."""

    def seconds(model: Model) -> NodeTimes:
        graph = to_proto(model).graph
        made = {o: n.op_type for n in graph.node for o in n.output}
        groups = {n.name: next((a.i for a in n.attribute if a.name == "group"), 1) for n in graph.node}
        found = {}
        for node in graph.node:
            if node.op_type == "Conv":
                integer = made.get(node.input[1]) == "DequantizeLinear"
                found[node.name] = integer_s(groups[node.name] > 1) if integer else 2e-3
        return NodeTimes(found)

    return lambda models: [seconds(m) for m in models]


def quantized(time_nodes: Clock | None, recipe: str = "w8a8-pc-minmax-timed"):
    model = prepare(nets.NETS["depthwise"]())
    return model, nets.compressed(model, recipe, time_nodes=time_nodes)


def floats_and_integers(model: Model) -> tuple[set[int], set[int]]:
    """Groups of the convolutions computed in float, and of those computed in integers."""
    graph = to_proto(model).graph
    made = {o: n.op_type for n in graph.node for o in n.output}
    found: tuple[set[int], set[int]] = (set(), set())
    for node in graph.node:
        if node.op_type == "Conv":
            group = next((a.i for a in node.attribute if a.name == "group"), 1)
            found[made.get(node.input[1]) == "DequantizeLinear"].add(group)
    return found


def float_bytes(model: Model) -> int:
    return sum(len(i.raw_data) for i in to_proto(model).graph.initializer if i.data_type == TensorProto.FLOAT)


def test_what_is_slow_in_integers_stays_float_with_its_weight_in_8_bits():
    source, made = quantized(clock(lambda depthwise: 9e-3 if depthwise else 1e-3))
    floats, integers = floats_and_integers(made.model)
    assert 8 in floats  # the depthwise ones
    assert integers == {1}
    note = next(r for r in made.log if r.action == "note")
    assert note.why.startswith("on this processor all in integers takes ")
    assert note.data["int8_ms"] > note.data["float_ms"] > note.data["chosen_ms"]
    reasons = [r.why for r in made.log if r.action == "float"]
    assert any("faster in float on this processor: 2.000 ms against 9.000 ms" in why for why in reasons)
    assert float_bytes(made.model) < 0.6 * float_bytes(source)
    image = nets.images(1, seed=7)[0]
    assert nets.agreement(nets.run(source, image)[0], nets.run(made.model, image)[0]) < 0.1


def test_where_no_layer_is_faster_only_the_weights_are_in_8_bits():
    source, made = quantized(clock(lambda depthwise: 9e-3))
    assert floats_and_integers(made.model)[1] == set()
    assert not any(n.op_type == "QuantizeLinear" for n in to_proto(made.model).graph.node)
    assert float_bytes(made.model) < 0.6 * float_bytes(source)
    image = nets.images(1, seed=7)[0]
    assert nets.agreement(nets.run(source, image)[0], nets.run(made.model, image)[0]) < 0.05


def beside(others: float, integer_s: Callable[[bool], float]) -> Clock:
    """A device that other processes use so much of."""
    honest = clock(integer_s)
    return lambda models: [replace(t, others=others) for t in honest(models)]


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (clock(lambda depthwise: 1e-3), "0.50 of float"),  # everything is faster in integers
        (clock(lambda depthwise: 1.99e-3), "0.99 of float"),  # nothing saves what could not be noise
        (clock(lambda depthwise: 2.06e-3), "1.03 of float"),
        (beside(0.7, lambda depthwise: 9e-3), "other processes used 70% of the cores"),
        (None, ""),  # not at hand
    ],
)
def test_else_everything_is_in_integers(times: Clock | None, said: str):
    _, made = quantized(times)
    _, plain = quantized(times, recipe="w8a8-pc-minmax")
    assert floats_and_integers(made.model)[0] == set()
    first, second = ([i.raw_data for i in to_proto(m.model).graph.initializer] for m in (made, plain))
    assert first == second
    notes = [r.why for r in made.log if r.action == "note"]
    assert len(notes) == bool(said)
    assert all(said in why for why in notes)


def test_a_busy_moment_later_on_is_told_as_well():
    """It was quiet while float and integers were timed, and not any more when it came to mixtures."""
    honest, busy = clock(lambda depthwise: 9e-3 if depthwise else 1e-3), []

    def times(models: Sequence[Model]) -> list[NodeTimes]:
        busy.append(0.1 if len(busy) < 2 else 0.9)
        return [replace(t, others=busy[-1]) for t in honest(models)]

    _, made = quantized(times)
    assert floats_and_integers(made.model)[0] == set()
    assert any("other processes used 90% of the cores" in r.why for r in made.log)


@pytest.mark.parametrize(
    "recipe", ["int8", "w8a8-pc-minmax-timed+gptq+qat-steps2", "w8a8-pc-mse-timed+adaround"]
)
def test_what_comes_behind_takes_a_network_that_stays_float(recipe: str):
    source, made = quantized(clock(lambda depthwise: 9e-3), recipe)
    assert floats_and_integers(made.model)[1] == set()
    image = nets.images(1, seed=7)[0]
    assert nets.agreement(nets.run(source, image)[0], nets.run(made.model, image)[0]) < 0.05


def test_only_what_may_be_faster_in_part_is_searched_for_mixtures():
    """Three timings where a mixture may be worth it, one where it is not."""
    for integer_s, asked in ((lambda d: 9e-3, 1), (lambda d: 9e-3 if d else 1e-3, 3), (lambda d: 1e-3, 1)):
        calls, honest = [], clock(integer_s)
        quantized(lambda models, honest=honest, calls=calls: (calls.append(len(models)), honest(models))[1])
        assert len(calls) == asked


def test_the_clock_goes_before_the_kernels():
    """Kernels are twice as fast in integers, and a run takes twice as long: what is between them counts."""
    honest = clock(lambda depthwise: 1e-3)

    def times(models: Sequence[Model]) -> list[NodeTimes]:
        integers = [bool(floats_and_integers(m)[1]) for m in models]
        return [replace(t, run_s=0.02 * (1 + i)) for t, i in zip(honest(models), integers, strict=True)]

    _, made = quantized(times)
    assert floats_and_integers(made.model)[1] == set()
    assert "40.00 ms, 2.00 of float; so all of it stays float" in made.log[0].why


def test_a_sum_over_nodes_that_the_clock_contradicts_is_not_followed():
    """Every graph of both forms takes 20 ms longer than its nodes: conversions that no estimate knows."""
    honest, asked = clock(lambda depthwise: 9e-3 if depthwise else 1e-3), []

    def late(models: Sequence[Model]) -> list[NodeTimes]:
        asked.append(len(models))
        more = 0.02 * (len(asked) == 3)  # not where the nodes' costs come from
        both = [all(floats_and_integers(m)) for m in models]
        return [replace(t, unmapped_s=more * b) for t, b in zip(honest(models), both, strict=True)]

    _, made = quantized(late)
    assert not all(floats_and_integers(made.model))
