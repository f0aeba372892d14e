"""Integer inputs: a pixel becomes the number that the graph reads as that pixel."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from paredown.families.recognition import recognise
from paredown.graph.load import from_proto
from paredown.model import Model
from paredown.preprocessing.tensor import preprocess

PIXELS = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
KINDS = {
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
    "int32": TensorProto.INT32,
    "float16": TensorProto.FLOAT16,
}


def classifier(
    dtype: str, *front: onnx.NodeProto, channels_last: bool = False, **stored: np.ndarray
) -> Model:
    """image -> front, which makes "real" -> the mean of every channel -> ten scores."""
    shape = [1, 16, 16, 3] if channels_last else [1, 3, 16, 16]
    nodes = [
        *front,
        helper.make_node("GlobalAveragePool", ["real"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["y"]),
    ]
    stored["w"] = np.ones((3, 10), np.float32)
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("image", KINDS[dtype], shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in stored.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(proto)
    return from_proto(proto, "net")


def dequantize(
    scale: float, zero: np.generic, x: str = "image"
) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    return [helper.make_node("DequantizeLinear", [x, "s", "z"], ["real"])], {
        "s": np.float32(scale),
        "z": zero,
    }


def fed(model: Model) -> np.ndarray:
    """The tensor that the default card makes of all pixel values."""
    card = recognise(model).resolve()
    return preprocess(PIXELS, card.preprocess)[0]


@pytest.mark.parametrize("scale", [1 / 255, 1 / 256, 1.0, 2 / 255])
def test_an_int8_input_takes_the_pixel_less_128(scale: float) -> None:
    zero = np.int8(0 if scale == 2 / 255 else -128)
    nodes, stored = dequantize(scale, zero)
    tensor = fed(classifier("int8", *nodes, **stored))
    assert tensor.dtype == np.int8
    np.testing.assert_array_equal(tensor[0, 0].reshape(-1), np.arange(256) - 128)


def test_an_int8_input_that_is_cast_takes_the_pixel_less_128() -> None:
    cast = helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT)
    model = classifier("int8", cast)
    np.testing.assert_array_equal(fed(model)[0, 0].reshape(-1), np.arange(256) - 128)
    assert "-128..127" in recognise(model).resolve().origin["preprocessing"]


def test_a_uint8_input_takes_the_pixels() -> None:
    nodes, stored = dequantize(1 / 255, np.uint8(0), "moved")
    move = helper.make_node("Transpose", ["image"], ["moved"], perm=[0, 3, 1, 2])
    tensor = fed(classifier("uint8", move, *nodes, channels_last=True, **stored))
    assert tensor.dtype == np.uint8
    np.testing.assert_array_equal(tensor[0, :, :, 0].reshape(-1), np.arange(256))


@pytest.mark.parametrize(("dtype", "zero"), [("int8", np.int8(-14)), ("uint8", np.uint8(114))])
@pytest.mark.parametrize("moved", [False, True])
def test_other_reals_are_quantized_as_the_graph_reads_them(dtype: str, zero: np.generic, moved: bool) -> None:
    """The grid holds -2.1 .. 2.6: what mean and deviation of ImageNet make of pixels."""
    scale = 0.0186
    nodes, stored = dequantize(scale, zero, "moved" if moved else "image")
    move = [helper.make_node("Transpose", ["image"], ["moved"], perm=[0, 3, 1, 2])] if moved else []
    model = classifier(dtype, *move, *nodes, channels_last=moved, **stored)
    card = recognise(model).resolve()
    tensor = preprocess(PIXELS, card.preprocess)[0]
    red = tensor[0, :, :, 0] if moved else tensor[0, 0]
    real = (np.arange(256) / 255 - 0.485) / 0.229
    np.testing.assert_allclose((red.reshape(-1).astype(float) - float(zero)) * scale, real, atol=scale * 0.51)
    assert f"zero point {zero}" in card.origin["preprocessing"]


def test_wider_integers_take_the_pixels() -> None:
    cast = helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT)
    tensor = fed(classifier("int32", cast))
    assert tensor.dtype == np.int32
    np.testing.assert_array_equal(tensor[0, 0].reshape(-1), np.arange(256))


def test_a_half_precision_input_takes_the_same_numbers_as_a_float() -> None:
    cast = helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT)
    tensor = fed(classifier("float16", cast))
    assert tensor.dtype == np.float16
    np.testing.assert_allclose(tensor[0, 0].reshape(-1), (np.arange(256) / 255 - 0.485) / 0.229, atol=2e-3)


def test_a_grid_of_no_usual_values_takes_the_usual_ways_quantized() -> None:
    """-5..5: no usual way fills it: the family's own are quantized, and none of it is called known."""
    nodes, stored = dequantize(5 / 128, np.int8(0))
    model = classifier("int8", *nodes, **stored)
    real = (np.arange(256) / 255 - 0.485) / 0.229
    got = fed(model)[0, 0].reshape(-1).astype(float) * 5 / 128
    np.testing.assert_allclose(got, real, atol=5 / 256 + 1e-6)
    assert "quantized" not in recognise(model).resolve().origin["preprocessing"]
