"""Roundings that change nothing are taken out; those that change something stay."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from paredown._compress.compress import compress
from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Context
from paredown.graph.prepare import prepare
from paredown.graph.run import run_once
from paredown.runtimes import onnxruntime, openvino
from paredown.runtimes.repeated import without_repeats
from paredown.testing import networks
from paredown.testing.runtimes import DEVICE


def quantized(policy):
    context = Context(prepare(networks.detector()), networks.feeds, DEVICE, policy)
    return onnx.load_model_from_string(compress(parse_recipe("w8a8-pc-mse"), context).model.data)


def behind(proto):
    """Op types that a QuantizeLinear stands behind."""
    made_by = {o: n for n in proto.graph.node for o in n.output}
    found = [
        made_by[n.input[0]]
        for n in proto.graph.node
        if n.op_type == "QuantizeLinear" and n.input[0] in made_by
    ]
    return [n.op_type for n in found]


@pytest.mark.parametrize("policy", [openvino.policy(DEVICE), onnxruntime.policy(DEVICE)])
def test_the_answer_is_the_same(policy):
    before, after = quantized(policy), quantized(policy)
    assert without_repeats(after) >= 3
    onnx.checker.check_model(after)
    for feeds in networks.feeds():
        exact, found = (run_once(m.SerializeToString(), feeds) for m in (before, after))
        for name, value in exact.items():
            np.testing.assert_array_equal(found[name], value)


def test_nothing_that_only_moves_is_rounded_again():
    proto = quantized(openvino.policy(DEVICE))
    moved = {"MaxPool", "Resize", "Concat", "Split"}
    assert moved & set(behind(proto))
    without_repeats(proto)
    assert not moved & set(behind(proto))


def test_a_concat_of_other_scales_keeps_its_rounding():
    proto = quantized(onnxruntime.policy(DEVICE))
    concat = next(n for n in proto.graph.node if n.op_type == "Concat")
    dq = next(n for n in proto.graph.node if n.output[0] == concat.input[0])
    scale = next(t for t in proto.graph.initializer if t.name == dq.input[1])
    other = onnx.numpy_helper.from_array(2 * onnx.numpy_helper.to_array(scale), "other")
    proto.graph.initializer.append(other)
    q = next(n for n in proto.graph.node if n.output[0] == dq.input[0])
    dq.input[1] = q.input[1] = "other"
    without_repeats(proto)
    assert "Concat" in behind(proto)


def test_a_float_graph_stays_as_it_is():
    proto = onnx.load_model_from_string(networks.detector().data)
    before = proto.SerializeToString()
    assert without_repeats(proto) == 0
    assert proto.SerializeToString() == before
