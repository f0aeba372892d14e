"""Tiny networks, one for each habit of real ones.

Every network takes `image` (1, 3, 16, 16) float32 in 0..1 and has fixed-seed weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from paredown.graph.load import from_proto
from paredown.model import Model

SIZE = 16


class Net:
    """Writes an ONNX graph down, one call a node; every call gives the name of the tensor it made."""

    def __init__(self, opset: int = 17, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, array: NDArray[np.generic]) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def normal(self, *shape: int, spread: float = 1.0, mean: float = 0.0) -> str:
        return self.constant((self.rng.normal(size=shape) * spread + mean).astype(np.float32))

    def node(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """The first output's name; the others end in _1, _2, ..."""
        stem = f"{op.lower()}{len(self.nodes)}"
        names = [stem if i == 0 else f"{stem}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=f"N{len(self.nodes)}", **attributes))
        return stem

    def conv(
        self,
        x: str,
        inner: int,
        outer: int,
        kernel: int = 3,
        stride: int = 1,
        group: int = 1,
        bias: bool = True,
    ) -> str:
        """A convolution that keeps the spread of its input about as it is."""
        fan_in = inner // group * kernel * kernel
        weights = [self.normal(outer, inner // group, kernel, kernel, spread=1.7 / fan_in**0.5)]
        weights += [self.normal(outer, spread=0.1)] if bias else []
        pads = [kernel // 2] * 4
        return self.node("Conv", x, *weights, strides=[stride] * 2, pads=pads, group=group)

    def silu(self, x: str) -> str:
        return self.node("Mul", x, self.node("Sigmoid", x))

    def reshape(self, x: str, *shape: int) -> str:
        return self.node("Reshape", x, self.constant(np.array(shape, np.int64)))

    def proto(
        self,
        *outputs: str,
        inputs: dict[str, list[int | str]] | None = None,
        metadata: dict[str, str] | None = None,
    ) -> onnx.ModelProto:
        """The checked model; outputs get the shapes that inference finds."""
        given = inputs or {"image": [1, 3, SIZE, SIZE]}
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in given.items()],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
            self.constants,
        )
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        helper.set_model_props(proto, metadata or {})
        proto = onnx.shape_inference.infer_shapes(proto, data_prop=True)
        onnx.checker.check_model(proto)
        return proto

    def model(self, *outputs: str, **more: dict[str, list[int | str]] | dict[str, str] | None) -> Model:
        return from_proto(self.proto(*outputs, **more), "net")  # type: ignore[arg-type]


def detector(opset: int = 17) -> Model:
    """SiLU, a pool, a concat, a resize, two heads; a tail of split, softmax integral (DFL) and sigmoid."""
    net = Net(opset)
    x = net.silu(net.conv("image", 3, 8, stride=2))
    deep = net.silu(net.conv(x, 8, 8, stride=2))
    pooled = net.node("MaxPool", deep, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    scales = net.constant(np.array([1, 1, 2, 2], np.float32))
    up = net.node(
        "Resize",
        pooled,
        "",
        scales,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    both = net.node("Concat", up, x, axis=1)
    left = net.node("Split", both, net.constant(np.array([8, 8])), axis=1, outputs=2)
    neck = net.silu(net.conv(net.node("Add", left, f"{left}_1"), 8, 8))
    boxes, scores = net.conv(neck, 8, 16, 1), net.conv(neck, 8, 2, 1)
    joined = net.reshape(net.node("Concat", boxes, scores, axis=1), 1, 18, 64)
    halves = net.node("Split", joined, net.constant(np.array([16, 2])), axis=1, outputs=2)
    bins = net.node("Transpose", net.reshape(halves, 1, 4, 4, 64), perm=[0, 2, 1, 3])
    steps = net.constant(np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1))
    integral = net.node("Conv", net.node("Softmax", bins, axis=1), steps)
    pixels = net.node("Mul", net.reshape(integral, 1, 4, 64), net.constant(np.array(8, np.float32)))
    answer = net.node("Concat", pixels, net.node("Sigmoid", f"{halves}_1"), axis=1)
    return net.model(answer, metadata={"names": "{0: 'disc', 1: 'box'}", "stride": "2"})


def depthwise(opset: int = 17) -> Model:
    """LeakyReLU around a depthwise convolution whose channels differ in range."""
    net = Net(opset, seed=1)
    x = net.node("LeakyRelu", net.conv("image", 3, 8), alpha=0.1)
    x = net.node("LeakyRelu", net.conv(x, 8, 8, group=8), alpha=0.1)
    return net.model(net.conv(x, 8, 4, 1))


def classifier() -> Model:
    """ReLU, ReLU6, global pooling, a Gemm."""
    net = Net(seed=2)
    x = net.node("Relu", net.conv("image", 3, 8, stride=2))
    limits = [net.constant(np.array(v, np.float32)) for v in (0, 6)]
    x = net.node("Clip", net.conv(x, 8, 8), *limits)
    x = net.node("Flatten", net.node("GlobalAveragePool", x))
    return net.model(net.node("Gemm", x, net.normal(10, 8, spread=0.5), net.normal(10), transB=1))


def residual(opset: int = 17) -> Model:
    """A block with a sum, ReLU behind it."""
    net = Net(opset, seed=3)
    x = net.node("Relu", net.conv("image", 3, 8))
    inner = net.conv(net.node("Relu", net.conv(x, 8, 8)), 8, 8)
    x = net.node("Relu", net.node("Add", inner, x))
    return net.model(net.conv(x, 8, 4, 1))


def attention() -> Model:
    """A convolution, then tokens (1, 64, 8) that attend to each other, then a projection."""
    net = Net(seed=4)
    tokens = net.node("Transpose", net.reshape(net.conv("image", 3, 8, stride=2), 1, 8, 64), perm=[0, 2, 1])
    q, k, v = (net.node("MatMul", tokens, net.normal(8, 8, spread=0.35)) for _ in range(3))
    weights = net.node("Softmax", net.node("MatMul", q, net.node("Transpose", k, perm=[0, 2, 1])), axis=-1)
    return net.model(net.node("MatMul", net.node("MatMul", weights, v), net.normal(8, 4, spread=0.35)))


NETS: Mapping[str, Callable[[], Model]] = {
    f.__name__: f for f in (detector, depthwise, classifier, residual, attention)
}


def images(n: int = 4, seed: int = 0) -> list[NDArray[np.float32]]:
    """n inputs for any of the networks."""
    rng = np.random.default_rng(seed)
    return [rng.random((1, 3, SIZE, SIZE), dtype=np.float32) for _ in range(n)]


def feeds(n: int = 4, seed: int = 0) -> list[dict[str, NDArray[np.float32]]]:
    """The same as what a network is fed, by the input's name."""
    return [{"image": image} for image in images(n, seed)]
