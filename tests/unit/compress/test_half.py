"""fp16 and bf16 mean what the runtime can do, are kept with the file, or are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paredown._compress.compress import compress
from paredown._compress.presets import DEFAULT_RECIPES, default_recipes, parse_recipe, refusal
from paredown._compress.recipe import Context
from paredown.errors import TargetError, UsageError
from paredown.graph.load import from_proto, to_proto
from paredown.policy import PRECISION_KEY
from paredown.runtimes import onnxruntime, runtime
from paredown.testing import networks
from paredown.testing.runtimes import DEVICE

PLAIN = onnxruntime.policy(DEVICE)
BOTH = replace(PLAIN, computed=frozenset({"float16", "bfloat16"}), stored=frozenset())


def made(recipe, policy, model=None, **more):
    model = model or networks.classifier()
    return compress(parse_recipe(recipe), Context(model, networks.feeds, DEVICE, policy, **more))


@pytest.mark.parametrize("name", ["fp16", "bf16", "cle+fp16"])
def test_names_parse_back(name):
    assert parse_recipe(name).name == name


@pytest.mark.parametrize(("name", "precision"), [("fp16", "float16"), ("bf16", "bfloat16")])
def test_where_it_is_computed_the_file_says_so_and_is_the_float_graph(name, precision):
    found = made(name, BOTH)
    assert found.model.metadata[PRECISION_KEY] == precision
    before, after = (to_proto(m).graph for m in (networks.classifier(), found.model))
    assert [n.op_type for n in after.node] == [n.op_type for n in before.node]
    assert {t.data_type for t in after.initializer} == {t.data_type for t in before.initializer}
    assert precision in found.log[0].why


def test_where_only_weights_can_be_halved_they_are_and_answers_hardly_move():
    model = networks.classifier()
    found = made("fp16", PLAIN)
    assert PRECISION_KEY not in found.model.metadata
    assert found.model.size_bytes < 0.75 * model.size_bytes
    sessions = [onnxruntime.open(onnxruntime.build(m.data, DEVICE, None)) for m in (model, found.model)]
    for feeds in networks.feeds():
        exact, near = (s.run(feeds) for s in sessions)
        for name, value in exact.items():
            np.testing.assert_allclose(near[name], value, atol=1e-3 * float(np.ptp(value)))


def test_a_weight_beyond_float16_stays_as_it_is():
    model = networks.classifier()
    proto = to_proto(model)
    weight = next(t for t in proto.graph.initializer if len(t.dims) == 4)
    values = np.frombuffer(weight.raw_data, np.float32).copy()
    values[0] = 1e6
    weight.raw_data = values.tobytes()
    found = made("fp16", PLAIN, from_proto(proto, "loud"))
    assert [r.why for r in found.log if r.action == "float"] == ["its weight exceeds 65504"]


def test_what_a_runtime_cannot_do_is_refused_before_any_work_with_what_it_could():
    with pytest.raises(
        UsageError, match=r"takes the recipes float, fp16, int8, int4, mixed, int8-weights"
    ) as caught:
        made("bf16", PLAIN)
    assert caught.value.got == "bf16"


def test_integers_are_refused_where_there_are_none():
    floats = replace(PLAIN, kernel=frozenset(), same=frozenset(), absorbed=frozenset(), name="Floats")
    for name in ("int8", "int4", "mixed", "int8-dynamic"):
        with pytest.raises(UsageError, match="Floats takes the recipes float, fp16"):
            made(name, floats)
        assert refusal(parse_recipe(name), floats)
    assert not refusal(parse_recipe("int8-weights"), floats)
    assert not {"int8", "int4", "mixed"} & set(default_recipes(floats))


def test_default_recipes_have_the_floats_that_are_computed():
    assert default_recipes(BOTH) == ("fp16", "bf16", *DEFAULT_RECIPES)
    assert default_recipes(PLAIN) == DEFAULT_RECIPES


@pytest.mark.parametrize("name", ["fp16+cle", "bf16+int8", "fp16+bf16"])
def test_nothing_comes_behind_it(name):
    with pytest.raises(UsageError, match="cannot do anything at its place"):
        parse_recipe(name)


def test_a_file_for_bfloat16_is_not_opened_in_float32(tmp_path):
    data = made("bf16", BOTH).model.data
    with pytest.raises(TargetError, match="numbers that it is written in"):
        runtime("onnxruntime").build(data, DEVICE, tmp_path, "bfloat16")


def test_integers_and_halves_go_together():
    found = made("int8-minmax+bf16", BOTH, networks.residual())
    assert found.model.metadata[PRECISION_KEY] == "bfloat16"
    assert any(n.op_type == "QuantizeLinear" for n in to_proto(found.model).graph.node)


@pytest.mark.parametrize("name", ["ncnn", "tensorrt", "litert"])
def test_what_a_runtime_has_no_form_for_is_refused_by_its_policy_and_tried_by_no_default(name):
    found = runtime(name).policy(DEVICE)
    for recipe, possible in (("int8-dynamic", found.dynamic), ("int8-weights", found.small_weights)):
        assert bool(refusal(parse_recipe(recipe), found)) == (not possible)
        assert (recipe in default_recipes(found)) == possible
    assert not found.dynamic
    assert found.small_weights == (name == "litert")
