"""Outputs without a shape: what runtimes take is taken."""

from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, helper

import nets
from paredown.errors import ModelError
from paredown.graph.load import load_model
from paredown.graph.prepare import prepare


def bare(folder, lost: bool = False, size: int | str = nets.SIZE):
    """A convolution whose output says no shape. lost: inference finds none behind another's operator."""
    net = nets.Net()
    x = net.node("Relu", net.conv("image", 3, 4))
    proto = net.proto(x, inputs={"image": [1, 3, size, size]})
    if lost:
        proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
        proto.graph.node.append(helper.make_node("Gelu", [x], ["y"], domain="com.microsoft"))
        proto.graph.output[0].name = "y"
    (output,) = proto.graph.output
    output.CopyFrom(helper.make_tensor_value_info(output.name, TensorProto.FLOAT, None))
    del proto.graph.value_info[:]
    onnx.save(proto, folder / "bare.onnx")
    return folder / "bare.onnx"


def test_inference_finds_the_shape(tmp_path) -> None:
    assert load_model(bare(tmp_path)).outputs[0].shape == (1, 4, 16, 16)


def test_else_a_run_tells_how_many_axes_there_are(tmp_path) -> None:
    model = load_model(bare(tmp_path, lost=True))
    assert model.outputs[0].shape == (None,) * 4
    made = nets.compressed(prepare(model), "w8a8-pc-minmax").model
    assert nets.run(made, nets.feeds()[0])[0].shape == (1, 4, 16, 16)


def test_what_does_not_run_is_refused_as_before(tmp_path) -> None:
    with pytest.raises(ModelError, match="not a valid ONNX model"):
        load_model(bare(tmp_path, lost=True, size="n"))
