"""What every step in STEPS must do, in its default setting, on every tiny network."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

import nets
from paredown._compress.recipe import Compressed
from paredown._compress.steps import STEPS
from paredown.errors import UnknownName
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.model import Model

ACTIONS = {"quantized", "float", "skipped", "changed", "note"}

pytestmark = [pytest.mark.parametrize("kind", STEPS), pytest.mark.parametrize("name", nets.NETS)]


@cache
def source(name: str) -> Model:
    return prepare(nets.NETS[name]())


@cache
def result(name: str, kind: str) -> Compressed:
    return nets.compressed(source(name), kind)


def node_names(model: Model) -> list[str]:
    return [n.name for n in to_proto(model).graph.node]


def test_the_input_is_left_as_it_was(name: str, kind: str) -> None:
    model = prepare(nets.NETS[name]())
    before = bytes(model.data)
    nets.compressed(model, kind)
    assert model.data == before
    assert result(name, kind).source_sha256 == model.sha256


def test_inputs_and_outputs_stay(name: str, kind: str) -> None:
    made = result(name, kind).model
    assert made.inputs == source(name).inputs
    assert made.outputs == source(name).outputs


def test_the_same_bytes_every_time(name: str, kind: str) -> None:
    assert nets.compressed(source(name), kind).model.data == result(name, kind).model.data


def test_every_record_names_a_node_of_the_source(name: str, kind: str) -> None:
    log, names = result(name, kind).log, {*node_names(source(name)), ""}
    assert log
    for record in log:
        assert record.where in names
        assert record.action in ACTIONS
        assert record.why
        assert record.step == STEPS[kind][0]().name


def test_the_runtime_agrees_with_the_definition(name: str, kind: str) -> None:
    """ONNX Runtime's fused kernels against onnx's own reference: a few steps of the output's grid apart."""
    made = result(name, kind).model
    proto = to_proto(made)
    for opset in proto.opset_import:
        if (
            not opset.domain
        ):  # onnx's reference knows (de)quantization from 19 on; what we write means the same there
            opset.version = 21
    reference = ReferenceEvaluator(proto)
    for image in nets.images(2, seed=9):
        truth = reference.run(None, {"image": image})
        for want, got in zip(truth, nets.run(made, image), strict=True):
            step = float(np.ptp(want)) / 255
            assert np.abs(want - got).max() <= 6 * step
            assert np.abs(want - got).mean() <= step


def test_a_node_kept_float_stays_as_it_was(name: str, kind: str) -> None:
    """The node reads its own float weights, and the record says why."""
    first = next(n for n in to_proto(source(name)).graph.node if n.op_type == "Conv")
    made = nets.compressed(source(name), kind, keep_float=(first.name,))
    after = {n.name: n for n in to_proto(made.model).graph.node}[first.name]
    assert after.op_type == first.op_type
    assert list(after.input[1:]) == list(first.input[1:])
    said = [r for r in made.log if r.where == first.name]
    assert all(r.action == "float" for r in said)


def test_a_misspelled_node_is_asked_back(name: str, kind: str) -> None:
    with pytest.raises(UnknownName):
        nets.compressed(source(name), kind, keep_float=("no such node",))
