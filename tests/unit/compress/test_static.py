"""Static INT8: a standard QDQ graph that the runtime turns into integer kernels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

import nets
from paredown.errors import CalibrationError, UnknownName
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.model import Model

STATIC = [f"w8a8-{w}-{r}" for w in ("pc", "pt") for r in ("mse", "minmax", "ema", "percentile", "entropy")]
INTEGER_OPS = {"QLinearConv", "QLinearMatMul", "QGemm", "QLinearGlobalAveragePool"}


def constants(model: Model) -> dict[str, onnx.TensorProto]:
    return {t.name: t for t in to_proto(model).graph.initializer}


def producers(model: Model) -> dict[str, onnx.NodeProto]:
    return {o: n for n in to_proto(model).graph.node for o in n.output}


@pytest.mark.parametrize("name", nets.NETS)
@pytest.mark.parametrize("recipe", ["w8a8-pc-mse", "w8a8-pt-minmax"])
def test_valid_standard_and_close(name: str, recipe: str) -> None:
    model = prepare(nets.NETS[name]())
    made = nets.compressed(model, recipe).model
    proto = to_proto(made)
    onnx.checker.check_model(proto, full_check=True)
    assert {o.domain for o in proto.opset_import} <= {"", "ai.onnx"}
    assert [(s.name, s.shape, s.dtype) for s in made.outputs] == [
        (s.name, s.shape, s.dtype) for s in model.outputs
    ]
    for image in nets.images(3, seed=9):
        for want, got in zip(nets.run(model, image), nets.run(made, image), strict=True):
            assert nets.agreement(want, got) < 0.08


@pytest.mark.parametrize("recipe", STATIC)
def test_every_setting(recipe: str) -> None:
    model = prepare(nets.residual())
    image = nets.images(1, seed=9)[0]
    made = nets.compressed(model, recipe).model
    assert nets.agreement(nets.run(model, image)[0], nets.run(made, image)[0]) < 0.15


@pytest.mark.parametrize("name", nets.NETS)
def test_the_body_runs_in_integers(name: str) -> None:
    made = nets.compressed(prepare(nets.NETS[name]()), "w8a8").model
    found = nets.ops(nets.optimized(made).graph.node)
    layers = {"detector": 5, "depthwise": 3, "classifier": 4, "residual": 4, "attention": 5}
    assert sum(found[op] for op in INTEGER_OPS) == layers[name]
    assert found["Conv"] == (1 if name == "detector" else 0)  # the softmax integral of the tail
    assert found["Gemm"] + found["FusedConv"] == 0


def test_weights_are_int8_and_biases_int32() -> None:
    model = prepare(nets.residual())
    made = nets.compressed(model, "w8a8").model
    stored, made_by = constants(made), producers(made)
    for node in to_proto(made).graph.node:
        if node.op_type != "Conv":
            continue
        weight, bias = (made_by[name] for name in node.input[1:3])
        assert weight.op_type == bias.op_type == "DequantizeLinear"
        assert stored[weight.input[0]].data_type == TensorProto.INT8
        assert stored[bias.input[0]].data_type == TensorProto.INT32
        values = numpy_helper.to_array(stored[weight.input[0]])
        assert values.min() >= -127
        assert numpy_helper.to_array(stored[weight.input[1]]).shape == (len(values),)
        assert not numpy_helper.to_array(stored[weight.input[2]]).any()
        assert made_by[node.input[0]].op_type == "DequantizeLinear"


def test_per_tensor_weights_have_one_scale() -> None:
    made = nets.compressed(prepare(nets.residual()), "w8a8-pt").model
    stored, made_by = constants(made), producers(made)
    for node in to_proto(made).graph.node:
        if node.op_type == "Conv":
            assert numpy_helper.to_array(stored[made_by[node.input[1]].input[1]]).size == 1


def test_seven_bits_where_the_device_saturates() -> None:
    """Instructions that sum products in 16 bits need weights of at most 63."""
    model = prepare(nets.residual())
    made = nets.compressed(model, "w8a8", device=replace(nets.ANY_BOARD, saturates=True)).model
    weights = [numpy_helper.to_array(t) for t in constants(made).values() if t.data_type == TensorProto.INT8]
    layers = [w for w in weights if w.ndim == 4]
    assert len(layers) == 4
    assert max(int(np.abs(w.astype(int)).max()) for w in layers) == 63


def test_activations_are_uint8_and_groups_share_parameters() -> None:
    made = nets.compressed(prepare(nets.detector()), "w8a8").model
    stored, nodes = constants(made), list(to_proto(made).graph.node)
    made_by = {o: n for n in nodes for o in n.output}
    quantizers = {n.input[0]: n for n in nodes if n.op_type == "QuantizeLinear"}
    assert all(stored[n.input[2]].data_type == TensorProto.UINT8 for n in quantizers.values())
    moved = [n for n in nodes if n.op_type in ("MaxPool", "Resize") and n.output[0] in quantizers]
    assert [n.op_type for n in moved] == ["MaxPool", "Resize"]
    for node in moved:
        before, behind = made_by[node.input[0]], quantizers[node.output[0]]
        assert list(before.input[1:]) == list(behind.input[1:])


def test_what_reads_a_quantized_tensor_reads_its_dq() -> None:
    made = nets.compressed(prepare(nets.detector()), "w8a8").model
    nodes = list(to_proto(made).graph.node)
    quantized = {n.input[0] for n in nodes if n.op_type == "QuantizeLinear"}
    assert not [n for n in nodes if n.op_type != "QuantizeLinear" and quantized & set(n.input)]


def test_nothing_unused_is_left() -> None:
    made = nets.compressed(prepare(nets.detector()), "w8a8").model
    read = {i for n in to_proto(made).graph.node for i in n.input}
    assert set(constants(made)) <= read
    assert made.size_bytes > 0


def test_layers_that_share_a_weight_and_layers_without_bias() -> None:
    net = nets.Net()
    weight = net.normal(3, 3, 3, 3, spread=0.3)
    x = net.node("Relu", net.node("Conv", "image", weight, pads=[1, 1, 1, 1]))
    x = net.node("Conv", x, weight, pads=[1, 1, 1, 1])
    model = prepare(net.model(net.node("Relu", x)))
    made = nets.compressed(model, "w8a8").model
    image = nets.images(1)[0]
    assert nets.agreement(nets.run(model, image)[0], nets.run(made, image)[0]) < 0.05
    assert nets.ops(nets.optimized(made).graph.node)["QLinearConv"] == 2


def test_a_dead_channel_with_a_large_bias() -> None:
    """A weight near zero gives a bias scale near zero: the bias must not overflow int32."""
    net = nets.Net()
    weight = net.rng.normal(size=(4, 3, 3, 3)).astype(np.float32)
    weight[1] *= 1e-12
    weight[2] = 0
    bias = net.constant(np.array([0.1, 5.0, -3.0, 0], np.float32))
    x = net.node("Relu", net.node("Conv", "image", net.constant(weight), bias, pads=[1, 1, 1, 1]))
    model = prepare(net.model(net.conv(x, 4, 4, 1)))
    image = nets.images(1)[0]
    made = nets.compressed(model, "w8a8").model
    assert nets.agreement(nets.run(model, image)[0], nets.run(made, image)[0]) < 0.05


def test_a_quantized_tensor_that_is_an_output_keeps_its_name() -> None:
    net = nets.Net()
    x = net.node("Relu", net.conv("image", 3, 4))
    model = prepare(net.model(x, net.conv(x, 4, 2)))
    made = nets.compressed(model, "w8a8").model
    assert [s.name for s in made.outputs] == [s.name for s in model.outputs]
    image = nets.images(1)[0]
    for want, got in zip(nets.run(model, image), nets.run(made, image), strict=True):
        assert nets.agreement(want, got) < 0.05


def test_an_image_that_is_black_everywhere() -> None:
    model = prepare(nets.residual())
    black = {"image": np.zeros((1, 3, 16, 16), np.float32)}
    from_black = nets.compressed(model, "w8a8", given=lambda: [black]).model
    assert np.isfinite(nets.run(from_black, nets.images(1)[0])[0]).all()


def test_images_that_are_not_there_and_a_name_that_is_not() -> None:
    model = prepare(nets.residual())
    with pytest.raises(CalibrationError):
        nets.compressed(model, "w8a8", given=lambda: [])
    with pytest.raises(UnknownName, match="did you mean"):
        nets.compressed(model, "w8a8", keep_float=("N0", "N00"))


def test_every_layer_kept_float() -> None:
    model = prepare(nets.residual())
    layers = tuple(n.name for n in to_proto(model).graph.node if n.op_type == "Conv")
    made = nets.compressed(model, "w8a8", keep_float=layers)
    image = nets.images(1)[0]
    np.testing.assert_allclose(
        nets.run(made.model, image)[0], nets.run(model, image)[0], rtol=1e-4, atol=1e-4
    )
    assert {r.action for r in made.log} == {"float"}


def heads(gains: tuple[float, ...]) -> Model:
    """A last layer whose channels differ in range by `gains`, read by the float tail."""
    net = nets.Net()
    x = net.silu(net.conv("image", 3, 8))
    weight = net.rng.normal(size=(len(gains), 8, 1, 1)).astype(np.float32)
    last = net.node("Conv", x, net.constant(weight * np.reshape(gains, (-1, 1, 1, 1)).astype(np.float32)))
    return prepare(net.model(net.node("Sigmoid", last), last))


def test_a_last_layer_has_a_grid_for_every_channel() -> None:
    """Box pixels and scores leave one layer: a small channel keeps its own steps, an integer kernel stays."""
    model = heads((1000.0, 1.0, 0.01))
    made = nets.compressed(model, "w8a8-pc").model
    found = nets.ops(nets.optimized(made).graph.node)
    assert (found["QLinearConv"], found["Conv"]) == (2, 0)
    image = nets.images(1, seed=9)[0]
    want, got = (nets.run(m, image)[1] for m in (model, made))
    for channel in range(3):
        assert nets.agreement(want[0, channel], got[0, channel]) < 0.05


def test_no_grid_for_every_channel_where_weights_have_none() -> None:
    made = nets.compressed(heads((4.0, 1.0)), "w8a8-pt").model
    stored = constants(made)
    quantizers = [n for n in to_proto(made).graph.node if n.op_type == "QuantizeLinear"]
    activations = {i for n in quantizers for i in n.input[1:2]}
    assert all(numpy_helper.to_array(stored[i]).size == 1 for i in activations)
    behind = [n for n in to_proto(made).graph.node if n.op_type == "DequantizeLinear" and len(n.input) > 2]
    unsigned = [n for n in behind if numpy_helper.to_array(stored[n.input[2]]).dtype == np.uint8]
    assert len(unsigned) >= 3
    assert all(numpy_helper.to_array(stored[n.input[1]]).size == 1 for n in unsigned)
