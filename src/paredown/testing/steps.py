"""What every compression step must do on every tiny network.

    @pytest.mark.parametrize("check", steps.CHECKS)
    @pytest.mark.parametrize("network", networks.NETS)
    def test_my_step(check, network):
        check(MyStep(), network)

The step's kind must be a row of `STEPS`. What a step makes of a network is kept: checks share it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import onnxruntime as ort
from onnx.reference import ReferenceEvaluator

from paredown._compress.compress import compress
from paredown._compress.recipe import Compressed, Context, Recipe, Step
from paredown._compress.size import at_recipe_size
from paredown.device import Device
from paredown.errors import UnknownName
from paredown.graph.input_size import size_of
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.graph.session_options import session_options
from paredown.hosts import open_host
from paredown.model import Model
from paredown.runtimes import onnxruntime
from paredown.testing import networks

ACTIONS = {"quantized", "float", "skipped", "changed", "note"}
DEVICE = Device("any-board", "what every device can do")
MOST_STEPS, MEAN_STEPS = 6, 1  # of a 256th of an output's range, between fused kernels and the definition
OPSET = 21  # from 19 on the reference knows (de)quantization; what we write means the same there


@cache
def source(network: str) -> Model:
    return prepare(networks.NETS[network]())


@cache
def result(step: Step, network: str) -> Compressed:
    return _made(step, source(network))


def the_input_is_left_as_it_was(step: Step, network: str) -> None:
    model = prepare(networks.NETS[network]())
    before = bytes(model.data)
    made = _made(step, model)
    assert model.data == before, "the model given was changed"
    assert made.source_sha256 == model.sha256, (made.source_sha256, model.sha256)


def inputs_and_outputs_stay(step: Step, network: str) -> None:
    """But for a step that asks for another input size: then they are as at that size."""
    made, before = result(step, network).model, at_recipe_size(source(network), Recipe((step,)))
    assert made.inputs == before.inputs, made.inputs
    assert made.outputs == before.outputs, made.outputs


def the_same_bytes_come_every_time(step: Step, network: str) -> None:
    assert _made(step, source(network)).model.data == result(step, network).model.data, "another file"


def every_record_names_a_node_of_the_source(step: Step, network: str) -> None:
    """Or none; it says what was done, and why."""
    names = {*_node_names(source(network)), ""}
    log = result(step, network).log
    assert log, "the step leaves no record: what it does not do it says too"
    for record in log:
        assert record.where in names, f"no node {record.where!r}"
        assert record.action in ACTIONS, record
        assert record.why, record
        assert record.step == step.name, record


def the_runtime_agrees_with_the_definition(step: Step, network: str) -> None:
    """ONNX Runtime's fused kernels against ONNX's own reference: a few steps of the output apart."""
    made = result(step, network).model
    proto = to_proto(made)
    for opset in proto.opset_import:
        if not opset.domain:
            opset.version = OPSET
    reference = ReferenceEvaluator(proto)
    options = session_options(exact_products=open_host().facts().saturates)
    session = ort.InferenceSession(made.data, options, providers=["CPUExecutionProvider"])
    rows, columns = size_of(made)
    for image in networks.images(2, seed=9):
        feeds = {made.inputs[0].name: np.resize(image, (*image.shape[:2], rows, columns))}
        for want, got in zip(reference.run(None, feeds), session.run(None, feeds), strict=True):
            apart = np.abs(want - got) / max(float(np.ptp(want)) / 255, 1e-12)
            assert apart.max() <= MOST_STEPS, f"{apart.max():.3g} steps, at most {MOST_STEPS}"
            assert apart.mean() <= MEAN_STEPS, f"{apart.mean():.3g} steps on average, at most {MEAN_STEPS}"


def a_node_kept_float_stays_as_it_was(step: Step, network: str) -> None:
    """It reads its own float weights, and the record says why."""
    first = next(n for n in to_proto(source(network)).graph.node if n.op_type == "Conv")
    made = _made(step, source(network), keep_float=(first.name,))
    after = {n.name: n for n in to_proto(made.model).graph.node}[first.name]
    assert after.op_type == first.op_type, after.op_type
    assert list(after.input[1:]) == list(first.input[1:]), list(after.input)
    other = [r for r in made.log if r.where == first.name and r.action != "float"]
    assert not other, other


def a_misspelled_node_is_asked_back(step: Step, network: str) -> None:
    try:
        _made(step, source(network), keep_float=("no such node",))
    except UnknownName:
        return
    raise AssertionError("a name that is no node's was taken")


CHECKS: tuple[Callable[[Step, str], None], ...] = (
    the_input_is_left_as_it_was,
    inputs_and_outputs_stay,
    the_same_bytes_come_every_time,
    every_record_names_a_node_of_the_source,
    the_runtime_agrees_with_the_definition,
    a_node_kept_float_stays_as_it_was,
    a_misspelled_node_is_asked_back,
)


def _made(step: Step, model: Model, *, keep_float: tuple[str, ...] = ()) -> Compressed:
    policy = replace(
        onnxruntime.policy(DEVICE), computed=frozenset({"bfloat16"})
    )  # of one that takes them all
    return compress(Recipe((step,)), Context(model, networks.feeds, DEVICE, policy, keep_float=keep_float))


def _node_names(model: Model) -> list[str]:
    return [node.name for node in to_proto(model).graph.node]
