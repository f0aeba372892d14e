"""What a model file says of its layers: in which numbers each computes, whoever quantized it."""

from __future__ import annotations

import pytest
from onnxruntime.quantization import quantize_dynamic

from nets import SIZE, classifier, compressed, depthwise, detector, residual
from paredown.graph.inspect import inspect
from paredown.graph.layers import Layers, layers_of
from paredown.graph.load import from_proto, load_model, to_proto
from paredown.graph.prepare import prepare
from paredown.model import Model


def prepared(model: Model) -> Model:
    return prepare(model, (SIZE, SIZE))


def read(made: Model, source: Model) -> Layers:
    return layers_of(made, tuple(layer.node for layer in layers_of(source).layers))


@pytest.mark.parametrize("net", [detector, depthwise, classifier, residual])
def test_a_float_model_is_float_throughout(net) -> None:
    source = prepared(net())
    found = layers_of(source)
    assert found.conversions == ()
    assert {layer.bits for layer in found.layers} <= {"float", "index"}
    assert sum(layer.macs for layer in found.layers) == inspect(source).macs > 0


@pytest.mark.parametrize(
    ("recipe", "bits", "arithmetic"),
    [
        ("w8a8-pc-minmax", "W8A8", "integer"),
        ("w4a8-even", "W4A8", "integer"),
        ("w8-pc", "W8", "float"),
        ("dynamic", "W8A8", "integer"),
    ],
)
def test_the_convolutions_of_a_recipe_have_its_bits(recipe: str, bits: str, arithmetic: str) -> None:
    source = prepared(residual())
    made = compressed(source, recipe)
    layers = [layer for layer in read(made.model, source).layers if layer.macs]
    assert bits in {layer.bits for layer in layers}
    assert {layer.arithmetic for layer in layers} == {arithmetic}


def test_every_layer_of_the_float_model_is_found_again_with_its_macs() -> None:
    source = prepared(detector())
    wanted = {layer.name: layer.macs for layer in layers_of(source).layers}
    for recipe in ("w8a8-pc-minmax", "w4a8-even+pack", "w8-pc", "dynamic"):
        found = read(compressed(source, recipe).model, source)
        assert {layer.name: layer.macs for layer in found.layers} == wanted, recipe


def test_what_the_log_calls_float_is_float_in_the_file_and_what_feeds_it_is_known() -> None:
    source = prepared(detector())
    made = compressed(source, "w8a8-pc-minmax")
    layers = {layer.name: layer for layer in read(made.model, source).layers}
    floats = [r.where for r in made.log if r.action == "float"]
    assert floats
    assert all(layers[name].arithmetic in ("float", "index") for name in floats)
    read_names = {name for layer in layers.values() for name in layer.inputs}
    assert read_names <= layers.keys()


def test_packed_weights_keep_their_bits_though_tensors_have_short_names() -> None:
    source = prepared(residual())
    plain, packed = (compressed(source, name).model for name in ("w4a8-even", "w4a8-even+pack"))
    bits = [
        {layer.name: layer.bits for layer in read(m, source).layers if layer.macs} for m in (plain, packed)
    ]
    assert bits[0] == bits[1]


def test_another_tools_integer_products_are_led_back_to_the_convolution(tmp_path) -> None:
    source = prepared(residual())
    (tmp_path / "float.onnx").write_bytes(source.data)
    quantize_dynamic(tmp_path / "float.onnx", tmp_path / "made.onnx")
    found = read(load_model(tmp_path / "made.onnx"), source)
    assert {layer.name for layer in found.layers} == {layer.name for layer in layers_of(source).layers}
    assert any(layer.arithmetic == "integer" for layer in found.layers)


def test_a_convolution_whose_result_float_reads_computes_in_float() -> None:
    """ONNX Runtime has an integer kernel only where a QuantizeLinear stands behind."""
    source = prepared(residual())
    proto = to_proto(compressed(source, "w8a8-pc-minmax").model)
    quantizers = {n.output[0]: n.input[0] for n in proto.graph.node if n.op_type == "QuantizeLinear"}
    made = {o: n for n in proto.graph.node for o in n.output}
    conv, dq = next(
        (made[quantizers[d.input[0]]], d)
        for d in proto.graph.node
        if d.op_type == "DequantizeLinear"
        and d.input[0] in quantizers
        and quantizers[d.input[0]] in made
        and made[quantizers[d.input[0]]].op_type == "Conv"
    )
    for node in proto.graph.node:
        node.input[:] = [conv.output[0] if name == dq.output[0] else name for name in node.input]
    layer = next(v for v in read(from_proto(proto, "cut"), source).layers if v.node == conv.name)
    assert (layer.arithmetic, layer.bits) == ("float", "W8")


def test_shapes_are_no_numbers_of_the_network() -> None:
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Shape", ["image"], ["shape"], name="shape"),
        helper.make_node("Reshape", ["image", "shape"], ["out"], name="reshape"),
    ]
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 3, 4, 4)) for n in ("image", "out")]
    proto = helper.make_model(
        helper.make_graph(nodes, "g", value[:1], value[1:]), opset_imports=[helper.make_opsetid("", 17)]
    )
    kinds = {layer.name: layer.arithmetic for layer in layers_of(from_proto(proto, "shapes")).layers}
    assert kinds == {"shape": "index", "reshape": "float"}
