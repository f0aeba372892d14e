"""The verb: the source left alone, the result marked, everything logged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import nets
from paredown._compress import compress as module
from paredown._compress.compress import PROFILE_KEY, RECIPE_KEY
from paredown._compress.presets import PRESETS
from paredown._compress.recipe import Context
from paredown._compress.steps import STEPS
from paredown.card import Card, Preprocess
from paredown.errors import ModelError, ParedownError, UnsupportedModel
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.measurement import StepRecord


def test_the_source_is_not_changed_and_named() -> None:
    model = prepare(nets.detector())
    before = bytes(model.data)
    made = nets.compressed(model, "int8")
    assert model.data == before
    assert made.source_sha256 == model.sha256 != made.model.sha256
    assert made.recipe.name == PRESETS["int8"][0]
    assert made.seconds > 0


def test_metadata_and_card_stay_and_ours_is_added() -> None:
    card = Card("yolov8", "detect", Preprocess((16, 16)), ("disc", "box"))
    model = prepare(nets.detector()).with_card(card)
    for recipe in ("int8", "int8-weights", "int8-dynamic", "ort-static", "ort-dynamic"):
        made = nets.compressed(model, recipe, device=replace(nets.ANY_BOARD, name="board")).model
        ours = {PROFILE_KEY: "board", RECIPE_KEY: nets.spelled(recipe).name}
        assert {k: v for k, v in made.metadata.items() if k in {*ours, *model.metadata}} == {
            **model.metadata,
            **ours,
        }
        assert (made.card, made.name) == (card, model.name)


@pytest.mark.parametrize("name", nets.NETS)
def test_the_log_has_an_entry_for_every_node(name: str) -> None:
    model = prepare(nets.NETS[name]())
    log = nets.compressed(model, "w8a8").log
    assert sorted(r.where for r in log) == sorted(n.name for n in to_proto(model).graph.node)
    assert all(r.action in ("quantized", "float") and r.why and r.step == "w8a8-pc-mse" for r in log)
    ops = {n.name: n.op_type for n in to_proto(model).graph.node}
    assert all(r.data["op"] == ops[r.where] for r in log)


def test_no_steps_is_the_model_itself() -> None:
    model = prepare(nets.residual())
    made = nets.compressed(model, "float")
    assert made.model is model
    assert made.log == ()


def test_steps_run_in_order_on_one_another() -> None:
    """A Gemm with a factor, for which dynamic quantization has no form, is left to the weight-only step."""
    given = nets.classifier()
    proto = onnx.load_from_string(given.data)
    (gemm,) = (node for node in proto.graph.node if node.op_type == "Gemm")
    gemm.attribute.append(onnx.helper.make_attribute("alpha", 0.5))
    model = prepare(replace(given, data=proto.SerializeToString()))
    made = nets.compressed(model, "dynamic+w8")
    assert made.recipe.name == "dynamic+w8-pc"
    done = [(r.step, r.data["op"]) for r in made.log if r.action == "quantized"]
    assert done == [("dynamic", "Conv"), ("dynamic", "Conv"), ("w8-pc", "Gemm")]
    image = nets.images(1, seed=9)[0]
    assert nets.agreement(nets.run(model, image)[0], nets.run(made.model, image)[0]) < 0.06


def test_progress_is_told_what_is_done() -> None:
    told: list[str] = []

    def progress(items: Iterable[np.ndarray], what: str, total: int | None = None) -> Iterator[np.ndarray]:
        told.append(what)
        yield from items

    nets.compressed(prepare(nets.residual()), "cle+w8a8", progress=progress)
    assert told == ["calibrating"]  # once: what cle scales is known from what it saw


def test_the_seed_decides() -> None:
    model = prepare(nets.residual())
    first, again = (nets.compressed(model, "int8", seed=3).model for _ in range(2))
    assert first.data == again.data


def test_a_step_that_loses_an_output_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(step: object, model: ir.Model, context: Context) -> tuple[ir.Model, tuple[StepRecord, ...]]:
        model.graph.outputs[0].name = "renamed"
        return model, ()

    monkeypatch.setitem(module.STEPS, "dynamic", (STEPS["dynamic"][0], lose))
    with pytest.raises(ModelError, match="outputs"):
        nets.compressed(prepare(nets.residual()), "dynamic")


def test_a_step_that_breaks_the_graph_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_it(step: object, model: ir.Model, context: Context) -> tuple[ir.Model, tuple[StepRecord, ...]]:
        next(n for n in model.graph if n.op_type == "Add").op_type = "Concat"
        return model, ()

    monkeypatch.setitem(module.STEPS, "dynamic", (STEPS["dynamic"][0], break_it))
    with pytest.raises(UnsupportedModel):
        nets.compressed(prepare(nets.residual()), "dynamic")


@pytest.mark.parametrize("recipe", ["int8", "int8-weights", "int8-dynamic", "ort-static"])
def test_a_model_without_layers_is_refused(recipe: str) -> None:
    net = nets.Net()
    model = prepare(net.model(net.node("Relu", net.node("Mul", "image", "image"))))
    with pytest.raises(UnsupportedModel, match="nothing to quantize"):
        nets.compressed(model, recipe)


@pytest.mark.parametrize("recipe", ["int8", "int8-weights", "int8-dynamic"])
def test_a_bias_that_is_computed(recipe: str) -> None:
    """A layer whose bias depends on the image has no integer bias: it is left float."""
    net = nets.Net()
    bias = net.reshape(net.node("GlobalAveragePool", "image"), 3)
    x = net.node("Conv", "image", net.normal(3, 3, 1, 1), bias)
    flat = net.node("Flatten", net.node("GlobalAveragePool", net.conv(x, 3, 4)))
    model = prepare(net.model(net.node("Gemm", flat, net.normal(4, 4), flat)))
    image = nets.images(1)[0]
    want, got = (nets.run(m, image)[0] for m in (model, nets.compressed(model, recipe).model))
    assert nets.agreement(want, got) < 0.05


def test_images_that_do_not_fit_the_model() -> None:
    small = [{"image": np.zeros((1, 3, 8, 8), np.float32)}]
    with pytest.raises(ParedownError):
        nets.compressed(prepare(nets.residual()), "int8", given=lambda: small)


def test_a_model_of_two_inputs() -> None:
    net = nets.Net()
    both = net.node("Add", net.conv("image", 3, 4), "second")
    inputs: dict[str, list[int | str]] = {"image": [1, 3, 16, 16], "second": [1, 4, 16, 16]}
    model = prepare(net.model(net.conv(both, 4, 2), inputs=inputs))
    with pytest.raises(ParedownError):
        nets.compressed(model, "int8")  # fed the image only
    rng = np.random.default_rng(0)
    fed = [{**feeds, "second": rng.random((1, 4, 16, 16), np.float32)} for feeds in nets.feeds()]
    made = nets.compressed(model, "int8", given=lambda: fed).model
    assert [spec.name for spec in made.inputs] == ["image", "second"]
    (want,), (got,) = (nets.run(m, fed[0]) for m in (model, made))
    assert nets.agreement(want, got) < 0.05
