"""What a processor without dot products computes faster in float stays float, its weights in 8 bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from onnx import TensorProto

import nets
from paredown.device import Device
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.model import Model
from paredown.protocols import NodeTimes

WITHOUT = Device("old", "no dot products", isa=("avx2",), saturates=True)
WITH = Device("new", "dot products", isa=("avx2", "vnni"))
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


def quantized(time_nodes: Clock, device: Device = WITHOUT, recipe: str = "w8a8-pc-minmax-timed"):
    model = prepare(nets.NETS["depthwise"]())
    return model, nets.compressed(model, recipe, time_nodes=time_nodes, device=device)


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
    assert "no instructions for sums of 8-bit products" in note.why
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


@pytest.mark.parametrize(
    ("times", "device"),
    [
        (clock(lambda depthwise: 1e-3), WITHOUT),  # everything is faster in integers
        (clock(lambda depthwise: 1.99e-3), WITHOUT),  # nothing saves what could not be noise
        (clock(lambda depthwise: 9e-3), WITH),  # has dot products: not even timed
        (None, WITHOUT),  # not at hand
    ],
)
def test_else_everything_is_in_integers(times, device):
    _, made = quantized(times, device)
    _, plain = quantized(times, device, recipe="w8a8-pc-minmax")
    assert floats_and_integers(made.model)[0] == set()
    first, second = ([i.raw_data for i in to_proto(m.model).graph.initializer] for m in (made, plain))
    assert first == second
    said = any("no instructions for sums of 8-bit products" in r.why for r in made.log)
    assert said == (times is not None and device is WITHOUT)


def test_a_sum_over_nodes_that_the_clock_contradicts_is_not_followed():
    """Every graph of both forms takes 20 ms longer than its nodes: conversions that no estimate knows."""
    honest = clock(lambda depthwise: 9e-3 if depthwise else 1e-3)

    def late(models: Sequence[Model]) -> list[NodeTimes]:
        times = honest(models)
        both = [all(floats_and_integers(m)) for m in models]
        return [NodeTimes(t.seconds, 0.02 * b * (len(models) != 3)) for t, b in zip(times, both, strict=True)]

    _, made = quantized(late)
    assert not all(floats_and_integers(made.model))
