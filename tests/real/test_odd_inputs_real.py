"""Real weights behind odd inputs and in odd files: right values, or a refusal that names the cure."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from paredown import api
from paredown.errors import UnsupportedModel

MATERIAL = os.environ.get("PAREDOWN_MATERIAL")
pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(
        MATERIAL is None, reason="PAREDOWN_MATERIAL does not point at the real models and images"
    ),
]
ROOT = Path(MATERIAL or ".")
RESNET = ROOT / "models" / "resnet20_cifar10.onnx"
CALIB, EVAL = ROOT / "data/cifar10/calib.zip", ROOT / "data/cifar10/eval.zip"
MEAN = np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1)
STD = np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1)


def behind_int8(inside: bool) -> onnx.ModelProto:
    """The classifier with an int8 input; ImageNet's normalisation in the graph, or outside the grid."""
    proto = onnx.load(RESNET)
    graph, old = proto.graph, proto.graph.input[0].name
    scale, zero = (1 / 255, -128) if inside else (4.8 / 255, -14)
    stored = {"s": np.float32(scale), "z": np.int8(zero), "mean": MEAN, "std": STD}
    graph.initializer.extend(numpy_helper.from_array(np.asarray(a), f"front_{n}") for n, a in stored.items())
    real = "front_real" if inside else old
    front = [helper.make_node("DequantizeLinear", ["pixels", "front_s", "front_z"], [real])]
    if inside:
        front += [
            helper.make_node("Sub", [real, "front_mean"], ["front_even"]),
            helper.make_node("Div", ["front_even", "front_std"], [old]),
        ]
    rest = list(graph.node)
    del graph.node[:], graph.input[:], graph.value_info[:]
    graph.node.extend(front + rest)
    graph.input.append(helper.make_tensor_value_info("pixels", TensorProto.INT8, [1, 3, 32, 32]))
    return proto


@pytest.mark.parametrize("inside", [True, False])
def test_an_int8_input_is_fed_rightly(tmp_path: Path, inside: bool) -> None:
    """0.80 is what the float model has on these images; pixels clipped at 127 gave 0.54."""
    file = tmp_path / "int8.onnx"
    onnx.save(behind_int8(inside), file)
    found = api.measure(file, EVAL, what=["map"])
    assert found.value("top1") == pytest.approx(0.80, abs=0.02)


def test_an_int8_input_in_front_of_the_recipe(tmp_path: Path) -> None:
    file = tmp_path / "int8.onnx"
    onnx.save(behind_int8(True), file)
    made = api.compress(file, "int8-minmax", CALIB, target="x86-vnni")
    assert sum(record.action == "quantized" for record in made.log) == 54


def test_local_functions_and_external_constants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proto = onnx.load(RESNET)
    for index, node in enumerate(n for n in proto.graph.node if n.op_type == "Conv"):
        inner = helper.make_node("Conv", ["x", "w", "b"], ["y"])
        inner.attribute.extend(node.attribute)
        ids = [helper.make_opsetid("", 13)]
        name = f"conv{index}"
        proto.functions.append(helper.make_function("pkg.local", name, ["x", "w", "b"], ["y"], [inner], ids))
        node.op_type, node.domain = name, "pkg.local"
        del node.attribute[:]
    proto.opset_import.append(helper.make_opsetid("pkg.local", 1))
    proto.ir_version = 9
    wide = [t for t in proto.graph.initializer if len(t.raw_data) > 1024]
    constants = [helper.make_node("Constant", [], [t.name], value=t) for t in wide]
    for tensor in wide:
        proto.graph.initializer.remove(tensor)
    rest = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend(constants + rest)
    file = tmp_path / "functions.onnx"
    beside = {"save_as_external_data": True, "location": "functions.data", "convert_attribute": True}
    onnx.save_model(proto, file, size_threshold=0, **beside)
    monkeypatch.chdir("/")
    plain, odd = api.inspect(RESNET), api.inspect(file)
    assert odd.macs == plain.macs > 0
    assert odd.weights == plain.weights
    made = api.compress(file, "int8-minmax", CALIB, target="x86-vnni")
    assert sum(record.action == "quantized" for record in made.log) == 54


def test_a_quantized_file_is_refused_by_run_and_compress(tmp_path: Path) -> None:
    made = api.compress(RESNET, "int8-minmax", CALIB, target="x86-vnni")
    proto = onnx.load_model_from_string(made.model.data)
    del proto.metadata_props[:]
    file = tmp_path / "qdq.onnx"
    onnx.save(proto, file)
    with pytest.raises(UnsupportedModel, match="already quantized"):
        api.compress(file, "int8", CALIB)
    with pytest.raises(UnsupportedModel, match="already quantized"):
        api.run(file, EVAL, CALIB, out=tmp_path / "out")
    assert any("already quantized" in risk for risk in api.inspect(file).risks)
