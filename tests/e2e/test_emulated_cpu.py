"""ONNX Runtime on an emulated CPU without VNNI: our model of its sums holds, and 7-bit weights are safe."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import nets
from paredown.graph.prepare import prepare
from paredown.hosts import open_host
from paredown.numerics.saturate import saturating_conv, saturating_matmul


def _load() -> ModuleType:
    """benchmarks/emulated.py, which is no part of the package."""
    file = Path(__file__).parents[2] / "benchmarks" / "emulated.py"
    spec = importlib.util.spec_from_file_location("emulated", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["emulated"] = module  # pickle and dataclasses look modules up by name
    spec.loader.exec_module(module)
    return module


emulated = _load()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        emulated.emulator() is None,
        reason="qemu-x86_64 is not installed: apt-get install qemu-user (7.2 or later)",
    ),
    pytest.mark.skipif(
        open_host().facts().saturates, reason="this CPU saturates itself: nothing to compare with"
    ),
]
ZERO_POINT = 100

CONVOLUTIONS = {  # inputs, outputs, kernel, groups, padding, stride
    "three channels": (3, 16, 3, 1, 1, 1),
    "packed kernel": (8, 32, 3, 1, 1, 1),
    "pointwise": (16, 16, 1, 1, 0, 1),
    "odd": (5, 7, 3, 1, 2, 2),
    "groups": (8, 16, 3, 2, 1, 1),
    "depthwise, 16 channels": (16, 16, 3, 16, 1, 1),
    "depthwise, 6 channels": (6, 6, 3, 6, 1, 1),
}
PRODUCTS = {"rows": (5, 37, 11), "one row": (1, 66, 35), "seven deep": (1, 7, 60), "deep": (9, 700, 40)}


class Kernels:
    """One graph with every kernel on inputs of its own, and what each must answer."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.feeds: dict[str, np.ndarray] = {}
        self.expected: dict[str, Callable[[], np.ndarray]] = {}
        for name, shape in PRODUCTS.items():
            self.product(name, *shape)
        for name, shape in CONVOLUTIONS.items():
            self.convolution(name, *shape)

    def constant(self, name: str, value: object) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def drawn(self, name: str, x_shape: tuple[int, ...], w_shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
        self.feeds[f"{name} x"] = self.rng.integers(150, 256, x_shape, dtype=np.uint8)  # loud
        w = self.rng.integers(-127, 128, w_shape).astype(np.int8)
        self.constant(f"{name} w", w)
        self.constant(f"{name} zero", np.uint8(ZERO_POINT))
        return self.feeds[f"{name} x"], w

    def product(self, name: str, m: int, k: int, n: int) -> None:
        x, w = self.drawn(name, (m, k), (k, n))
        inputs = [f"{name} x", f"{name} w", f"{name} zero"]
        self.nodes.append(helper.make_node("MatMulInteger", inputs, [name]))
        self.expected[name] = lambda: saturating_matmul(x, w) - ZERO_POINT * w.astype(np.int32).sum(axis=0)

    def convolution(
        self, name: str, inner: int, outer: int, kernel: int, groups: int, pad: int, stride: int
    ) -> None:
        x, w = self.drawn(name, (1, inner, 9, 9), (outer, inner // groups, kernel, kernel))
        scale = np.float32(60 * (w[0].size) ** 0.5)  # sums spread over most of the 256 steps
        one = self.constant(f"{name} one", np.float32(1))
        middle = self.constant(f"{name} middle", np.uint8(128))
        inputs = [f"{name} x", one, f"{name} zero", f"{name} w", one, self.constant(f"{name} wz", np.int8(0))]
        inputs += [self.constant(f"{name} scale", scale), middle]
        pads, strides = (pad, pad, pad, pad), (stride, stride)
        self.nodes.append(
            helper.make_node("QLinearConv", inputs, [name], pads=pads, strides=strides, group=groups)
        )

        def expected() -> np.ndarray:
            sums = saturating_conv(x, w, ZERO_POINT, pads=pads, strides=strides, groups=groups)
            return np.clip(np.rint(sums.astype(np.float32) * (1 / scale)) + 128, 0, 255).astype(np.uint8)

        self.expected[name] = expected

    def model(self) -> bytes:
        kinds = {n: TensorProto.INT32 if n in PRODUCTS else TensorProto.UINT8 for n in self.expected}
        graph = helper.make_graph(
            self.nodes,
            "kernels",
            [helper.make_tensor_value_info(n, TensorProto.UINT8, x.shape) for n, x in self.feeds.items()],
            [helper.make_tensor_value_info(n, kind, None) for n, kind in kinds.items()],
            self.constants,
        )
        opsets = [helper.make_opsetid("", 13)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


@pytest.fixture(scope="module")
def kernels() -> Kernels:
    return Kernels()


@pytest.fixture(scope="module")
def answers(kernels: Kernels) -> dict[str, dict[str, np.ndarray]]:
    """What the kernels answer here, on the emulated CPU, and there with the option against saturation."""
    places = {"here": (None, False), "there": (emulated.HASWELL, False), "precise": (emulated.HASWELL, True)}
    found = {}
    for place, (cpu, precise) in places.items():
        with emulated.running(kernels.model(), cpu, precise) as process:
            found[place] = process.run(kernels.feeds)
    return found


@pytest.mark.parametrize("name", [*PRODUCTS, *CONVOLUTIONS])
def test_our_model_is_the_emulated_cpu_bit_for_bit(
    name: str, kernels: Kernels, answers: dict[str, dict[str, np.ndarray]]
) -> None:
    assert np.array_equal(kernels.expected[name](), answers["there"][name])
    saturated = not np.array_equal(answers["here"][name], answers["there"][name])
    assert saturated is not name.startswith("depthwise")


def test_the_session_option_avoids_it(answers: dict[str, dict[str, np.ndarray]]) -> None:
    for name, here in answers["here"].items():
        assert np.array_equal(here, answers["precise"][name])


def test_seven_bits_answer_alike_on_both_cpus_and_eight_do_not() -> None:
    net = nets.Net()
    x = net.node("Relu", net.conv("image", 3, 16))
    for _ in range(2):
        x = net.node("Relu", net.conv(x, 16, 16))
    model, image = prepare(net.model(net.conv(x, 16, 4, 1))), nets.images(1)[0]
    differ = {}
    for saturates in (False, True):
        device = replace(nets.ANY_BOARD, saturates=saturates)
        made = nets.compressed(model, "w8a8-pc-mse", device=device).model
        here = nets.run(made, image)[0]
        with emulated.running(made.data, emulated.HASWELL) as process:
            there = process.run({made.inputs[0].name: image})[made.outputs[0].name]
        differ[saturates] = float(np.abs(here - there).max())
    assert differ[True] == 0 < differ[False]
