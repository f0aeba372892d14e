"""A quantized graph becomes INT8 and INT4 on its own scales, and answers as its Q/DQ pairs do."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx_ir as ir
import pytest

import litert
import nets
from nets import Net
from paredown._compress.quantize.writing.qdq import add_constant
from paredown.errors import UnsupportedModel
from paredown.graph.prepare import prepare
from paredown.graph.run import run_once
from paredown.graph.walk import constant, to_ir, to_model
from paredown.model import Model
from paredown.runtimes.tflite import write
from paredown.runtimes.tflite.flatbuffer import pack_int4
from paredown.runtimes.tflite.net import QuantParams
from paredown.runtimes.tflite.write import lowered

FOUR_BITS = "w4a8-pc-mse-even+pack"  # levels with even steps: a table of others is no INT4 of TFLite's
ROUNDED = 0.025  # of an output's spread: runtimes round a product or a tie by one step elsewhere


def as_written(model: Model, image: np.ndarray) -> list[np.ndarray]:
    """What the Q/DQ pairs say, node by node, fused by nothing."""
    return list(run_once(model.data, {model.inputs[0].name: image}).values())


def types(model: Model) -> Counter[str]:
    """How many constants of each type the file holds."""
    return Counter(t.type for t in lowered(model).tensors if t.data is not None)


@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize("recipe", ["int8", FOUR_BITS])
@pytest.mark.parametrize("name", nets.NETS)
def test_integers_answer_as_the_pairs_do(name: str, recipe: str, reference: bool) -> None:
    model = nets.compressed(prepare(nets.NETS[name]()), recipe, threads=1).model
    file = write(model)
    for image in nets.images(3, seed=5):
        for want, got in zip(
            as_written(model, image), litert.run(file, image, reference=reference).values(), strict=True
        ):
            assert nets.agreement(want, got) < ROUNDED


@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize("name", nets.NETS)
def test_a_grid_of_fewer_bits_stays_within_its_ends(name: str, reference: bool) -> None:
    """`mixed` judges such a model; w4a4 is one."""
    made = nets.compressed(prepare(nets.NETS[name]()), "int8", threads=1).model
    model = to_ir(made)
    for node in [n for n in model.graph if n.op_type == "QuantizeLinear"]:
        wide = node.outputs[0]
        uses = list(wide.uses())
        ends = [add_constant(model.graph, f"{wide.name}_{end}", np.uint8(end)) for end in (30, 200)]
        clip = ir.Node("", "Clip", [wide, *ends], name=f"{wide.name}_clip")
        clip.outputs[0].shape, clip.outputs[0].type = wide.shape, wide.type
        for use in uses:
            use.node.replace_input_with(use.idx, clip.outputs[0])
        model.graph.insert_after(node, clip)
    narrow = to_model(model, made)
    file = write(narrow)
    for image in nets.images(3, seed=5):
        got = litert.run(file, image, reference=reference)
        for want, wide, found in zip(
            as_written(narrow, image), as_written(made, image), got.values(), strict=True
        ):
            assert nets.agreement(want, found) < ROUNDED
            assert nets.agreement(want, wide) > ROUNDED  # the limits are felt


def test_every_tensor_has_our_scale() -> None:
    model = nets.compressed(prepare(nets.residual()), "int8", threads=1).model
    found = {t.name: t.params for t in lowered(model).tensors if t.type == "INT8" and t.data is None}
    nodes = [n for n in to_ir(model).graph if n.op_type == "QuantizeLinear"]
    checked = 0
    for node in nodes:
        scale, zero = (np.asarray(constant(v)) for v in node.inputs[1:])
        source = str(node.inputs[0].name)
        if source in found:
            assert found[source] == QuantParams((float(scale),), int(zero) - 128)
            checked += 1
    assert checked >= 5


def test_a_classifier_is_all_integers() -> None:
    model = nets.compressed(prepare(nets.classifier()), "int8", threads=1).model
    assert litert.codes(model)["QUANTIZE"] == 1  # the image
    assert litert.codes(model)["DEQUANTIZE"] == 1  # the answer
    assert types(model)["FLOAT32"] == 0


def test_four_bits_are_stored_in_half_a_byte() -> None:
    eight = nets.compressed(prepare(nets.residual()), "int8", threads=1).model
    four = nets.compressed(prepare(nets.residual()), FOUR_BITS, threads=1).model
    inner = 8 * 8 * 3 * 3
    assert types(four) - types(eight) == {"INT4": 2}
    assert len(write(eight)) - len(write(four)) == pytest.approx(2 * inner / 2, abs=160)


def test_the_first_number_is_in_the_low_bits() -> None:
    assert pack_int4(np.array([1, -2, 7, -8, 3])).tolist() == [0xE1, 0x87, 0x03]


def test_levels_of_a_table_stay_eight_bits() -> None:
    model = nets.compressed(prepare(nets.residual()), "w4a8-pc-mse+pack", threads=1).model
    assert types(model)["INT4"] == 0
    image = nets.images(1, seed=6)[0]
    (want,), (got,) = as_written(model, image), litert.run(write(model), image).values()
    assert nets.agreement(want, got) < ROUNDED


def quantized(net: Net, value: str, scale: float, zero: int) -> str:
    params = [net.constant(np.array(scale, np.float32)), net.constant(np.array(zero, np.uint8))]
    return net.node("DequantizeLinear", net.node("QuantizeLinear", value, *params), *params)


def test_what_shares_no_scale_goes_over_to_the_outputs() -> None:
    """TFLite's CONCATENATION takes one scale only."""
    net = Net(seed=20)
    parts = [quantized(net, "image", 0.01, 100), quantized(net, "image", 0.005, 0)]
    both = quantized(net, net.node("Concat", *parts, axis=1), 0.008, 80)
    model = net.model(both)
    assert litert.codes(model)["QUANTIZE"] == 4
    image = nets.images(1, seed=7)[0] * 2 - 1
    (want,), (got,) = as_written(model, image), litert.run(write(model), image).values()
    assert np.abs(want - got).max() <= 0.008 * 1.01


@pytest.mark.parametrize("op", ["Sigmoid", "Softmax"])
@pytest.mark.parametrize(("scale", "requantized"), [(1 / 255, 0), (0.001, 1)])
def test_the_fixed_grid_of_sigmoid_and_softmax(op: str, scale: float, requantized: int) -> None:
    net = Net(seed=21)
    x = quantized(net, net.conv("image", 3, 4, 1), 0.02, 128)
    model = net.model(quantized(net, net.node(op, x), scale, 0))
    assert litert.codes(model)["QUANTIZE"] == 1 + requantized
    image = nets.images(1, seed=8)[0]
    (want,), (got,) = as_written(model, image), litert.run(write(model), image).values()
    assert np.abs(want - got).max() <= 1.01 / 255


def test_a_scale_for_every_channel_of_an_activation_is_refused() -> None:
    net = Net(seed=22)
    params = [net.constant(np.full(3, 0.01, np.float32)), net.constant(np.zeros(3, np.uint8))]
    q = net.node("QuantizeLinear", "image", *params, axis=1)
    model = net.model(net.node("DequantizeLinear", q, *params, axis=1))
    with pytest.raises(UnsupportedModel, match="QuantizeLinear 'N0'"):
        write(model)


@pytest.mark.parametrize("slope", [0.1, 0.01])
@pytest.mark.parametrize("ratio", [1.0, 0.83, 0.61])
def test_leaky_relu_is_one_step_off_at_most(slope: float, ratio: float) -> None:
    """XNNPACK multiplies with 8 bits behind the point: where the quotient of the scales has more, up to a
    tenth of the answers are one step off, all to the same side. LiteRT's plain kernel is nearer."""
    net = nets.Net()
    ends = [
        (net.constant(np.float32(s)), net.constant(np.uint8(z))) for s, z in ((0.05, 77), (0.05 * ratio, 20))
    ]
    real = net.node("DequantizeLinear", net.node("QuantizeLinear", "image", *ends[0]), *ends[0])
    made = net.node("QuantizeLinear", net.node("LeakyRelu", real, alpha=slope), *ends[1])
    model = net.model(net.node("DequantizeLinear", made, *ends[1]))
    image = np.random.default_rng(0).uniform(-4, 9, nets.images(1)[0].shape).astype(np.float32)
    (want,) = run_once(model.data, {"image": image}).values()
    for reference, most in ((False, 0.15), (True, 0.05)):
        (got,) = litert.run(write(model), image, reference=reference).values()
        steps = np.rint((got - want) / (0.05 * ratio))
        assert np.abs(steps).max() <= 1
        assert (steps != 0).mean() <= most


def test_a_linear_resize_of_integers_is_rounded_once() -> None:
    """The plan leaves it float; in INT8 its answers would be rounded to the grid of what it reads as well."""
    net = nets.Net()
    coarse, fine = (
        (net.constant(np.float32(s)), net.constant(np.uint8(z))) for s, z in ((0.05, 77), (0.011, 20))
    )
    real = net.node("DequantizeLinear", net.node("QuantizeLinear", "image", *coarse), *coarse)
    scales = net.constant(np.array([1, 1, 2, 2], np.float32))
    wide = net.node("Resize", real, "", scales, mode="linear")
    model = net.model(net.node("DequantizeLinear", net.node("QuantizeLinear", wide, *fine), *fine))
    image = nets.images(1)[0]
    (want,) = run_once(model.data, {"image": image}).values()
    (got,) = litert.run(write(model), image).values()
    assert (np.rint((got - want) / 0.011) != 0).mean() < 0.01
