"""TFLite files read: what our writer wrote comes back, what other converters write answers as on LiteRT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import litert
import nets
from paredown.errors import ModelError, UnsupportedModel
from paredown.graph.load import to_proto
from paredown.graph.precision import quantized_ops
from paredown.graph.prepare import frozen_sizes, prepare
from paredown.graph.run import run_once
from paredown.inputs import read_model
from paredown.runtimes.tflite import write
from paredown.runtimes.tflite.flatbuffer import to_bytes
from paredown.runtimes.tflite.net import Net, Operator, QuantParams, Tensor
from paredown.runtimes.tflite.reading import read

RNG = np.random.default_rng(0)


def answers(data: bytes, *inputs: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What LiteRT gives and what the model that was read gives, for inputs in TFLite's order."""
    runner = litert.interpreter.Interpreter(model_content=data, num_threads=1)
    runner.allocate_tensors()
    for place, value in zip(runner.get_input_details(), inputs, strict=True):
        runner.set_tensor(place["index"], value)
    runner.invoke()
    want = [runner.get_tensor(d["index"]) for d in runner.get_output_details()]
    model = prepare(read(data, "net"))
    return want, list(
        run_once(model.data, dict(zip([s.name for s in model.inputs], inputs, strict=True))).values()
    )


@pytest.mark.parametrize("name", nets.NETS)
def test_a_float_file_of_ours_comes_back(name: str) -> None:
    data = write(prepare(nets.NETS[name]()))
    for want, got in zip(*answers(data, nets.images(1)[0].transpose(0, 2, 3, 1)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["residual", "classifier", "depthwise", "detector"])
@pytest.mark.parametrize("recipe", ["w8a8-pc-minmax", "w4a8-pc-mse"])
def test_a_quantized_file_of_ours_comes_back_as_floats(name: str, recipe: str) -> None:
    data = write(nets.compressed(prepare(nets.NETS[name]()), recipe).model)
    model = read(data, "net")
    assert quantized_ops(model) == {}
    assert "made from an already quantized file" in frozen_sizes(model, prepare(model))
    image = nets.images(1)[0].transpose(0, 2, 3, 1)
    for want, got in zip(*answers(data, np.ascontiguousarray(image)), strict=True):
        assert np.corrcoef(want.ravel(), got.ravel())[0, 1] > 0.98


class Written:
    """A file written operator by operator, as other converters write it."""

    def __init__(self, *shape: int, kind: str = "FLOAT32", params: QuantParams | None = None) -> None:
        self.net = Net()
        self.last = self.net.add(Tensor("image", shape, kind, params))  # type: ignore[arg-type]
        self.net.inputs = [self.last]

    def constant(self, array: Any) -> int:
        array = np.asarray(array)
        kind = {"f": "FLOAT32", "i": "INT32"}[array.dtype.kind]
        kept = array.astype(np.float32 if kind == "FLOAT32" else np.int32)
        return self.net.add(Tensor(f"c{len(self.net.tensors)}", kept.shape, kind, None, kept))  # type: ignore[arg-type]

    def op(
        self, code: str, shape: tuple[int, ...], *more: Any, options: str = "", first: bool = True, **has: Any
    ) -> Written:
        """The operator on the last tensor, which comes behind the constants where `first` is False."""
        made = self.net.add(Tensor(f"t{len(self.net.tensors)}", shape, "FLOAT32"))
        constants = [self.constant(m) for m in more]
        inputs = (self.last, *constants) if first else (*constants, self.last)
        self.net.operators.append(Operator(code, inputs, (made,), options, has))
        self.last = made
        return self

    def data(self) -> bytes:
        self.net.outputs = [self.last]
        return to_bytes(self.net, "by hand")


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32) * 0.5


CONV = {"padding": "VALID", "strideW": 2, "strideH": 2, "dilationWFactor": 1, "dilationHFactor": 1}
RELU6 = {"fusedActivationFunction": "RELU6"}
BY_HAND = {
    "pad before a convolution, hard swish": lambda: (
        Written(1, 9, 9, 4)
        .op("PAD", (1, 11, 11, 4), [[0, 0], [1, 1], [1, 1], [0, 0]], options="PadOptions")
        .op("CONV_2D", (1, 5, 5, 6), normal(6, 3, 3, 4), normal(6), options="Conv2DOptions", **CONV, **RELU6)
        .op("HARD_SWISH", (1, 5, 5, 6))
    ),
    "depthwise, same": lambda: Written(1, 8, 8, 4).op(
        "DEPTHWISE_CONV_2D",
        (1, 4, 4, 8),
        normal(1, 3, 3, 8),
        normal(8),
        options="DepthwiseConv2DOptions",
        **{**CONV, "padding": "SAME", "depthMultiplier": 2},
        **RELU6,
    ),
    "a fully connected layer of an image": lambda: (
        Written(1, 3, 3, 4)
        .op(
            "FULLY_CONNECTED",
            (1, 5),
            normal(5, 36),
            normal(5),
            options="FullyConnectedOptions",
            keepNumDims=False,
        )
        .op("SOFTMAX", (1, 5), options="SoftmaxOptions", beta=1.0)
    ),
    "rows stay rows": lambda: Written(1, 6, 4).op(
        "FULLY_CONNECTED",
        (1, 6, 5),
        normal(5, 4),
        normal(5),
        options="FullyConnectedOptions",
        keepNumDims=True,
    ),
    "transposed convolution": lambda: Written(1, 4, 5, 3).op(
        "TRANSPOSE_CONV",
        (1, 8, 10, 2),
        [1, 8, 10, 2],
        normal(2, 3, 3, 3),
        first=False,
        options="TransposeConvOptions",
        padding="SAME",
        strideW=2,
        strideH=2,
    ),
    "reshape, transpose, squeeze": lambda: (
        Written(1, 4, 6, 3)
        .op("RESHAPE", (1, 24, 3), [1, 24, 3], options="ReshapeOptions", newShape=[1, 24, 3])
        .op("TRANSPOSE", (1, 3, 24), [0, 2, 1], options="TransposeOptions")
        .op("SQUEEZE", (3, 24), options="SqueezeOptions", squeezeDims=[0])
    ),
    "means of an image": lambda: Written(1, 4, 6, 3).op(
        "MEAN", (1, 3), [1, 2], options="ReducerOptions", keepDims=False
    ),
    "strided slice, a row less": lambda: Written(1, 4, 6, 3).op(
        "STRIDED_SLICE",
        (1, 3, 3),
        [0, 1, 0, 0],
        [0, 2, 6, 3],
        [1, 1, 2, 1],
        options="StridedSliceOptions",
        beginMask=9,
        endMask=9,
        shrinkAxisMask=2,
        ellipsisMask=0,
        newAxisMask=0,
    ),
    "a number for each channel": lambda: Written(1, 4, 6, 3).op(
        "MUL", (1, 4, 6, 3), normal(3), options="MulOptions"
    ),
    "prelu": lambda: Written(1, 4, 6, 3).op("PRELU", (1, 4, 6, 3), normal(1, 1, 3)),
    "depth to space": lambda: Written(1, 4, 6, 8).op(
        "DEPTH_TO_SPACE", (1, 8, 12, 2), options="DepthToSpaceOptions", blockSize=2
    ),
    "space to depth": lambda: Written(1, 4, 6, 3).op(
        "SPACE_TO_DEPTH", (1, 2, 3, 12), options="SpaceToDepthOptions", blockSize=2
    ),
    "bilinear, half pixels": lambda: Written(1, 4, 6, 3).op(
        "RESIZE_BILINEAR",
        (1, 9, 7, 3),
        [9, 7],
        options="ResizeBilinearOptions",
        halfPixelCenters=True,
        alignCorners=False,
    ),
    "nearest": lambda: Written(1, 4, 6, 3).op(
        "RESIZE_NEAREST_NEIGHBOR",
        (1, 8, 12, 3),
        [8, 12],
        options="ResizeNearestNeighborOptions",
        halfPixelCenters=False,
    ),
    "gelu": lambda: Written(1, 4, 6, 3).op("GELU", (1, 4, 6, 3), options="GeluOptions", approximate=True),
    "mirror": lambda: Written(1, 4, 6, 3).op(
        "MIRROR_PAD", (1, 6, 8, 3), [[0, 0], [1, 1], [1, 1], [0, 0]], options="MirrorPadOptions"
    ),
    "pool, same": lambda: Written(1, 5, 5, 3).op(
        "AVERAGE_POOL_2D",
        (1, 3, 3, 3),
        options="Pool2DOptions",
        padding="SAME",
        strideW=2,
        strideH=2,
        filterWidth=3,
        filterHeight=3,
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_what_other_converters_write(name: str) -> None:
    written = BY_HAND[name]()
    image = RNG.normal(size=written.net.tensors[0].shape).astype(np.float32)
    for want, got in zip(*answers(written.data(), image), strict=True):
        assert want.shape == got.shape
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_an_integer_input_stays_one() -> None:
    written = Written(1, 4, 4, 3, kind="INT8", params=QuantParams((1 / 255,), -128))
    model = read(written.op("DEQUANTIZE", (1, 4, 4, 3), options="DequantizeOptions").data(), "net")
    assert model.inputs[0].dtype == "int8"
    x = np.arange(-24, 24, dtype=np.int8).reshape(1, 4, 4, 3)
    (got,) = run_once(model.data, {"image": x}).values()
    np.testing.assert_allclose(got, (x + 128.0) / 255, rtol=1e-5)


def test_what_is_not_read_is_refused_by_name(tmp_path: Path) -> None:
    written = Written(1, 4, 4, 3).op("RESHAPE", (1, 48), [1, 48], options="ReshapeOptions", newShape=[1, 48])
    data = written.op("LSH_PROJECTION", (1, 4)).data()
    with pytest.raises(UnsupportedModel, match="not read") as caught:
        read(data, "net")
    assert caught.value.got == "LSH_PROJECTION"
    for broken in (data[:64], b"\x1c\x00\x00\x00TFL3" + bytes(64), b""):
        file = tmp_path / "broken.tflite"
        file.write_bytes(broken)
        with pytest.raises((ModelError, UnsupportedModel)):
            read_model(file)


def test_a_tflite_file_is_a_model_like_any_other(tmp_path: Path) -> None:
    file = tmp_path / "net.tflite"
    file.write_bytes(write(prepare(nets.classifier())))
    ready = prepare(read_model(file))
    made = nets.compressed(
        ready,
        "w8a8-pc-minmax",
        given=lambda: [{ready.inputs[0].name: x.transpose(0, 2, 3, 1)} for x in nets.images(4)],
    )
    assert any(record.action == "quantized" for record in made.log)
    assert sum(n.op_type == "Transpose" for n in to_proto(ready).graph.node) <= 2


@pytest.mark.parametrize("kind", ["UINT8", "INT8", "INT16"])
def test_a_cast_that_cuts_values_is_refused(kind: str) -> None:
    written = Written(1, 4).op("CAST", (1, 4), options="CastOptions", inDataType="FLOAT32", outDataType=kind)
    with pytest.raises(UnsupportedModel, match="CAST"):
        read(written.data(), "net")
