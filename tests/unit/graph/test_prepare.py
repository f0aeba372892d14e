"""Preparing: canonical form, the same function, the input left as it was."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import nets
from paredown.card import Card, Preprocess
from paredown.errors import ModelError, UnsupportedModel
from paredown.graph import folding
from paredown.graph import prepare as prepare_module
from paredown.graph.load import from_proto, to_proto
from paredown.graph.prepare import convert_opset, frozen_sizes, prepare
from paredown.model import Model


def same_answers(a: Model, b: Model) -> None:
    image = nets.images(1)[0]
    for want, got in zip(nets.run(a, image), nets.run(b, image), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def opset_of(model: Model) -> int:
    return next(o.version for o in to_proto(model).opset_import if o.domain == "")


@pytest.mark.parametrize("name", nets.NETS)
def test_every_network(name: str) -> None:
    model = nets.NETS[name]()
    before = bytes(model.data)
    ready = prepare(model)
    assert model.data == before
    same_answers(model, ready)
    assert [s.name for s in ready.outputs] == [s.name for s in model.outputs]
    assert [s.shape for s in ready.outputs] == [s.shape for s in model.outputs]
    assert dict(ready.metadata) == dict(model.metadata)
    nodes = list(to_proto(ready).graph.node)
    assert len({n.name for n in nodes}) == len(nodes)
    assert all(n.name for n in nodes)
    assert prepare(model).data == ready.data


def test_the_card_stays() -> None:
    card = Card("yolov8", "detect", Preprocess((16, 16)), ("disc", "box"))
    assert prepare(nets.detector().with_card(card)).card == card


def test_every_tensor_has_a_shape() -> None:
    graph = to_proto(prepare(nets.detector())).graph
    shaped = {v.name for v in (*graph.value_info, *graph.output) if v.type.tensor_type.HasField("shape")}
    assert {o for n in graph.node for o in n.output} <= shaped


def test_an_old_opset_is_raised() -> None:
    net = nets.Net(opset=11)
    x = net.node("Relu", net.conv("image", 3, 4))
    model = net.model(net.node("Unsqueeze", net.node("GlobalAveragePool", x), axes=[0]))
    ready = prepare(model)
    assert opset_of(model) == 11
    assert opset_of(ready) >= 13
    same_answers(model, ready)


def test_an_opset_that_cannot_be_converted(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise RuntimeError("no adapter for Upsample")

    monkeypatch.setattr(prepare_module.version_converter, "convert_version", refuse)
    net = nets.Net(opset=11)
    with pytest.raises(UnsupportedModel, match="Upsample") as caught:
        prepare(net.model(net.conv("image", 3, 4)))
    assert caught.value.hint


def test_conversion_keeps_the_metadata() -> None:
    net = nets.Net(opset=11)
    proto = net.proto(net.conv("image", 3, 4), metadata={"names": "{}"})
    assert {p.key: p.value for p in convert_opset(proto, 13).metadata_props} == {"names": "{}"}
    assert convert_opset(proto, 11) is proto


def test_an_open_batch_becomes_one() -> None:
    net = nets.Net()
    ready = prepare(net.model(net.conv("image", 3, 4), inputs={"image": ["batch", 3, 16, 16]}))
    assert ready.inputs[0].shape == (1, 3, 16, 16)
    assert ready.outputs[0].shape == (1, 4, 16, 16)


def test_an_open_size_needs_a_size() -> None:
    net = nets.Net()
    model = net.model(net.conv("image", 3, 4, stride=2), inputs={"image": ["batch", 3, "height", "width"]})
    with pytest.raises(UnsupportedModel, match="dimension 2 open") as caught:
        prepare(model)
    assert caught.value.hint is not None
    assert "size" in caught.value.hint
    ready = prepare(model, (24, 32))
    assert ready.inputs[0].shape == (1, 3, 24, 32)
    assert ready.outputs[0].shape == (1, 4, 12, 16)


def test_a_fixed_size_is_not_overruled() -> None:
    assert prepare(nets.residual(), (32, 32)).inputs[0].shape == (1, 3, 16, 16)


def test_initializers_among_the_inputs_are_lifted() -> None:
    proto = to_proto(nets.residual())
    for tensor in proto.graph.initializer:
        proto.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    proto.ir_version = 3
    model = from_proto(proto, "old")
    assert len(model.inputs) == 1
    ready = prepare(model)
    assert [v.name for v in to_proto(ready).graph.input] == ["image"]
    same_answers(nets.residual(), ready)


def test_batch_norm_is_folded() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 4, bias=False)
    numbers = [net.normal(4, spread=0.1, mean=m) for m in (1, 0, 0)] + [
        net.constant(np.full(4, 0.5, np.float32))
    ]
    model = net.model(net.node("Relu", net.node("BatchNormalization", x, *numbers)))
    ready = prepare(model)
    assert [n.op_type for n in to_proto(ready).graph.node] == ["Conv", "Relu"]
    same_answers(model, ready)


def test_constants_are_folded() -> None:
    net = nets.Net()
    weight = net.node("Mul", net.normal(4, 3, 1, 1), net.constant(np.array(0.5, np.float32)))
    model = net.model(net.node("Conv", "image", weight))
    ready = prepare(model)
    assert [n.op_type for n in to_proto(ready).graph.node] == ["Conv"]
    same_answers(model, ready)


def test_nodes_without_names_get_unique_ones() -> None:
    proto = to_proto(nets.detector())
    for index, node in enumerate(proto.graph.node):
        node.name = "" if index % 2 else "twin"
    names = [n.name for n in to_proto(prepare(from_proto(proto, "net"))).graph.node]
    assert all(names)
    assert len(set(names)) == len(names)


def test_a_wrong_simplifier_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = folding.onnxslim.slim

    def wrong(proto: onnx.ModelProto) -> onnx.ModelProto:
        slim = right(proto)
        weight = next(t for t in slim.graph.initializer if len(t.dims) == 4)
        values = onnx.numpy_helper.to_array(weight) * 1.01
        weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), weight.name))
        return slim

    monkeypatch.setattr(folding.onnxslim, "slim", wrong)
    with pytest.raises(ModelError, match="preparing the graph changed output"):
        prepare(nets.residual())


def test_a_simplifier_that_loses_an_output_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    net = nets.Net()
    x = net.conv("image", 3, 4)
    model = net.model(x, net.node("Relu", x))
    right = folding.onnxslim.slim

    def wrong(proto: onnx.ModelProto) -> onnx.ModelProto:
        slim = right(proto)
        del slim.graph.output[1]
        return slim

    monkeypatch.setattr(folding.onnxslim, "slim", wrong)
    with pytest.raises(ModelError, match="changed output"):
        prepare(model)


def test_a_simplifier_that_falls_over_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(proto: onnx.ModelProto) -> onnx.ModelProto:
        raise IndexError("list index out of range")

    monkeypatch.setattr(folding.onnxslim, "slim", fall)
    with pytest.raises(UnsupportedModel, match="IndexError"):
        prepare(nets.residual())


def test_a_foreign_op_is_refused_with_the_runtimes_reason() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 4)
    net.nodes.append(helper.make_node("Telepathy", [x], ["y"], domain="elsewhere"))
    net.constants[0].name = net.constants[0].name
    graph = helper.make_graph(
        net.nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 16, 16])],
        net.constants,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("elsewhere", 1)]
    with pytest.raises(UnsupportedModel, match=r"elsewhere|Telepathy"):
        prepare(from_proto(helper.make_model(graph, opset_imports=opsets, ir_version=8), "net"))


def test_open_sizes_are_fixed_aloud() -> None:
    net = nets.Net()
    model = net.model(net.conv("image", 3, 4), inputs={"image": ["batch", 3, "h", "w"]})
    told = frozen_sizes(model, prepare(model, (24, 32)))
    assert "'image' ?x3x?x? is now 1x3x24x32" in told
    assert "size = [height, width]" in told
    whole = nets.classifier()
    assert frozen_sizes(whole, prepare(whole)) == ""


@pytest.mark.parametrize("opset", range(9, 24))
def test_every_opset(opset: int) -> None:
    """As an exporter of that time left it: an initializer among the inputs, and one that nothing reads."""
    net = nets.Net(opset=opset)
    x = net.node("Relu", net.conv("image", 3, 4))
    net.constant(np.zeros(3, np.float32))
    proto = net.proto(net.conv(x, 4, 4))
    first = proto.graph.initializer[0]
    proto.graph.input.append(helper.make_tensor_value_info(first.name, first.data_type, list(first.dims)))
    proto.ir_version = 4 if opset < 13 else 10
    model = from_proto(proto, "net")
    assert [s.name for s in model.inputs] == ["image"]
    ready = prepare(model)
    assert opset_of(ready) == max(opset, 13)
    same_answers(model, ready)
    assert any(
        n.op_type == "QuantizeLinear" for n in to_proto(nets.compressed(ready, "w8a8").model).graph.node
    )


def test_optional_outputs_and_inputs_without_a_name() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 4)
    low = net.node("Clip", x, "", net.constant(np.array(6, np.float32)))
    gain = net.constant(np.ones(16, np.float32))
    net.nodes.append(helper.make_node("LayerNormalization", [low, gain], ["even", "", "spread"]))
    model = net.model(net.conv("even", 4, 4), "spread")
    ready = prepare(model)
    same_answers(model, ready)
    assert nets.compressed(ready, "w8a8").log
