"""--dequantize: a quantized file as the float model it stands for, or a refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime.quantization as ort_quant
import pytest
from onnx import TensorProto, helper, numpy_helper

import nets
from paredown.errors import UnsupportedModel
from paredown.graph.dequantize import dequantized
from paredown.graph.load import from_proto, load_model, to_proto
from paredown.graph.precision import quantized_ops
from paredown.graph.prepare import frozen_sizes, prepare
from paredown.model import Model


def near(model: Model, quantized: Model, least: float = 0.99) -> None:
    """The float model answers as the quantized one, and recipes take it."""
    made = dequantized(quantized)
    assert quantized_ops(made) == {}
    ready = prepare(made)
    assert "already quantized" in frozen_sizes(made, ready)
    for image in nets.images(3):
        for want, got in zip(nets.run(quantized, image), nets.run(ready, image), strict=True):
            assert np.corrcoef(want.ravel(), got.ravel())[0, 1] > least
    assert any(r.action == "quantized" for r in nets.compressed(ready, "w8a8-pc-minmax").log)
    assert [s.name for s in made.outputs] == [s.name for s in model.outputs]


@pytest.mark.parametrize("name", ["residual", "classifier", "depthwise", "detector", "attention"])
@pytest.mark.parametrize("recipe", ["w8a8-pc-minmax", "dynamic", "int4"])
def test_what_we_made_comes_back(name: str, recipe: str) -> None:
    model = prepare(nets.NETS[name]())
    near(model, nets.compressed(model, recipe).model, 0.9 if recipe == "int4" else 0.98)


class Feeds(ort_quant.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self) -> None:
        self.left = [{"image": x} for x in nets.images(4)]

    def get_next(self) -> dict[str, np.ndarray] | None:
        return self.left.pop() if self.left else None


@pytest.mark.parametrize(
    ("form", "activations"),
    [("QDQ", "QInt8"), ("QDQ", "QUInt8"), ("QOperator", "QUInt8")],
    # QOperator with int8 activations: ONNX Runtime opens such a file only on a processor with dot products
)
@pytest.mark.parametrize("name", ["residual", "classifier", "depthwise", "detector"])
def test_files_of_onnx_runtimes_quantizer(name: str, form: str, activations: str, tmp_path: Path) -> None:
    model = prepare(nets.NETS[name]())
    (tmp_path / "m.onnx").write_bytes(model.data)
    ort_quant.quantize_static(
        tmp_path / "m.onnx",
        tmp_path / "q.onnx",
        Feeds(),
        quant_format=ort_quant.QuantFormat[form],
        activation_type=ort_quant.QuantType[activations],
    )
    near(model, load_model(tmp_path / "q.onnx"), 0.9)


def test_a_relu_in_disguise_stays() -> None:
    """uint8 with zero point 0: what is negative was cut off by the integers alone."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in ("x", "y")]
    stored = [numpy_helper.from_array(np.float32(0.01), "s"), numpy_helper.from_array(np.uint8(0), "z")]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], stored)
    model = from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), "g")
    made = dequantized(model)
    session = nets.ort.InferenceSession(made.data)
    x = np.array([[-3.0, 0.004, 1.0, 9.0]], np.float32)
    np.testing.assert_allclose(session.run(None, {"x": x})[0], [[0, 0.004, 1.0, 2.55]], rtol=1e-5)


def test_what_is_float_or_computed_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match="not quantized"):
        dequantized(nets.residual())
    proto = to_proto(nets.compressed(prepare(nets.residual()), "w8a8-pc-minmax").model)
    scale = next(n.input[1] for n in proto.graph.node if n.op_type == "QuantizeLinear")
    tensor = next(t for t in proto.graph.initializer if t.name == scale)
    proto.graph.node.insert(0, helper.make_node("Abs", ["kept"], [scale]))
    tensor.name = "kept"
    with pytest.raises(UnsupportedModel, match="computed, not stored"):
        dequantized(from_proto(proto, "computed"))
    assert isinstance(proto, onnx.ModelProto)
