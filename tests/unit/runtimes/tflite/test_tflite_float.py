"""A float model answers on LiteRT as on ONNX Runtime; values are moved only where they must be."""

from __future__ import annotations

import numpy as np
import pytest

import litert
import nets
from nets import Net
from paredown.errors import UnsupportedModel
from paredown.graph.prepare import prepare
from paredown.model import Model
from paredown.runtimes.tflite import write
from paredown.runtimes.tflite.flatbuffer import unique_names
from paredown.runtimes.tflite.write import lowered


def assert_same(model: Model, within: float = 1e-5) -> None:
    image = nets.images(1, seed=3)[0] * 2 - 1
    want = nets.run(model, image)
    got = litert.run(write(model), image)
    assert list(got) == [o.name for o in model.outputs]
    for expected, answer in zip(want, got.values(), strict=True):
        assert answer.shape == expected.shape
        assert answer.dtype == expected.dtype
        np.testing.assert_allclose(answer, expected, rtol=0, atol=within * max(np.abs(expected).max(), 1e-9))


@pytest.mark.parametrize("name", nets.NETS)
def test_the_small_networks(name: str) -> None:
    assert_same(prepare(nets.NETS[name]()))


def test_values_are_moved_at_the_border_only() -> None:
    assert litert.codes(prepare(nets.detector()))["TRANSPOSE"] == 1  # the answer's
    assert litert.codes(prepare(nets.classifier()))["TRANSPOSE"] == 0


@pytest.mark.parametrize(("kernel", "stride", "pads", "size"), [
    (3, 1, [1, 1, 1, 1], 16),
    (3, 2, [1, 1, 1, 1], 16),
    (3, 2, [1, 1, 1, 1], 15),
    (3, 2, [0, 0, 1, 1], 16),
    (5, 1, [0, 1, 2, 3], 16),
    (1, 2, [0, 0, 0, 0], 15),
])  # fmt: skip
@pytest.mark.parametrize("op", ["Conv", "depthwise", "MaxPool"])
def test_paddings(op: str, kernel: int, stride: int, pads: list[int], size: int) -> None:
    net = Net(seed=7)
    x = net.node("Slice", "image", net.constant(np.array([0, 0])), net.constant(np.array([size] * 2)),
                 net.constant(np.array([2, 3])))  # fmt: skip
    x = net.conv(x, 3, 4, 1)
    how = {"strides": [stride] * 2, "pads": pads}
    if op == "MaxPool":
        out = net.node("MaxPool", x, kernel_shape=[kernel] * 2, **how)
    else:
        group = 4 if op == "depthwise" else 1
        weight = net.normal(4 if group > 1 else 6, 4 // group, kernel, kernel)
        out = net.node("Conv", x, weight, group=group, **how)
    assert_same(net.model(out))


def test_dilated_grouped_and_multiplied_convolutions() -> None:
    net = Net(seed=8)
    x = net.conv("image", 3, 8)
    a = net.node("Conv", x, net.normal(8, 8, 3, 3), dilations=[2, 2], pads=[2, 2, 2, 2])
    b = net.node("Conv", x, net.normal(12, 4, 3, 3), group=2, pads=[1, 1, 1, 1])
    c = net.node("Conv", x, net.normal(16, 1, 3, 3), group=8, pads=[1, 1, 1, 1])
    assert_same(net.model(a, b, c))


def test_a_pool_to_the_last_row() -> None:
    net = Net(seed=9)
    x = net.conv("image", 3, 4)
    ceiled = net.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    mean = net.node("AveragePool", x, kernel_shape=[3, 3], strides=[2, 2])
    padded = net.node("AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=0)
    counted = net.node(
        "AveragePool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, count_include_pad=1
    )
    assert_same(net.model(ceiled, mean, padded, counted))


RESIZES = [
    ("nearest", "asymmetric", "floor", 2.0),
    ("nearest", "half_pixel", "round_prefer_floor", 2.0),
    ("nearest", "half_pixel", "round_prefer_ceil", 3.0),
    ("nearest", "asymmetric", "ceil", 2.0),
    ("nearest", "asymmetric", "floor", 0.5),
    ("nearest", "align_corners", "round_prefer_ceil", 2.0),
    ("linear", "half_pixel", "floor", 2.0),
    ("linear", "half_pixel", "floor", 0.5),
    ("linear", "pytorch_half_pixel", "floor", 2.0),
    ("linear", "align_corners", "floor", 2.0),
    ("linear", "asymmetric", "floor", 2.0),
]


@pytest.mark.parametrize(("mode", "centres", "nearest", "scale"), RESIZES)
def test_resizes(mode: str, centres: str, nearest: str, scale: float) -> None:
    net = Net(seed=10)
    x = net.conv("image", 3, 4)
    scales = net.constant(np.array([1, 1, scale, scale], np.float32))
    how = {"coordinate_transformation_mode": centres, "nearest_mode": nearest}
    assert_same(net.model(net.node("Resize", x, "", scales, mode=mode, **how)))


def test_resize_in_no_way_of_tflites_is_refused() -> None:
    net = Net(seed=11)
    scales = net.constant(np.array([1, 1, 1.45, 1.45], np.float32))  # 16 x 1.45 is no whole number
    model = net.model(net.node("Resize", "image", "", scales, mode="linear"))
    with pytest.raises(UnsupportedModel, match="Resize 'N0' cannot be written"):
        write(model)


def test_activations() -> None:
    net = Net(seed=12)
    x = net.conv("image", 3, 4)
    limits = [net.constant(np.array(v, np.float32)) for v in (-0.3, 0.9)]
    slopes = net.constant(np.array([0.1, 0.2, 0.3, 0.4], np.float32).reshape(4, 1, 1))
    hard = net.node("HardSigmoid", x, alpha=1 / 6, beta=0.5)
    outputs = [
        net.node("Clip", x, *limits),
        net.node("PRelu", x, slopes),
        net.node("LeakyRelu", x, alpha=0.2),
        net.node("HardSwish", x),
        net.node("Mul", x, hard),
        hard,
        net.node("Exp", x),
        net.node("Sqrt", net.node("Sigmoid", x)),
        net.node("Tanh", x),
    ]
    assert_same(net.model(*outputs), within=1e-4)


def test_a_gate_and_its_product_are_one_operator() -> None:
    net = Net(seed=17)
    x = net.conv("image", 3, 4)
    steep = net.node("Mul", x, net.node("HardSigmoid", x, alpha=0.2, beta=0.5))
    model = net.model(net.node("Mul", x, net.node("HardSigmoid", x, alpha=1 / 6, beta=0.5)), steep)
    assert litert.codes(model)["HARD_SWISH"] == 1
    assert_same(model)


def test_arithmetic_with_constants_of_fewer_axes() -> None:
    net = Net(seed=13)
    x = net.conv("image", 3, 4)
    channel, row = net.normal(4, 1, 1), net.normal(16)
    square = net.node("Pow", x, net.constant(np.array(2, np.float32)))
    cube = net.node("Pow", x, net.constant(np.array(3, np.float32)))
    total = net.node("Sub", net.node("Add", channel, x), net.node("Mul", x, row))
    quotient = net.node("Div", x, net.constant(np.array([2.5], np.float32)))
    assert_same(net.model(square, cube, total, quotient), within=1e-4)


def test_moves() -> None:
    """A channel shuffle, halves, every other pixel, uneven parts, padding, and the model's input itself."""
    net = Net(seed=14)
    x = net.conv("image", 3, 8)
    pairs = net.node("Transpose", net.reshape(x, 1, 2, 4, 16, 16), perm=[0, 2, 1, 3, 4])
    shuffled = net.conv(net.reshape(pairs, 1, 8, 16, 16), 8, 4, 1)
    bounds = [net.constant(np.array(v)) for v in ([0, 1], [99, 99], [2, 3], [2, 2])]
    focus = net.node("Concat", net.node("Slice", x, *bounds), net.node("Slice", x, *bounds), axis=1)
    uneven = net.node("Split", x, net.constant(np.array([1, 5, 2])), axis=1, outputs=3)
    padded = net.node("Pad", x, net.constant(np.array([0, 1, 2, 3, 0, 0, 0, 1])))
    filled = net.node(
        "Pad", x, net.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1])), net.constant(np.array(7, np.float32))
    )
    tiled = net.node("Tile", x, net.constant(np.array([1, 2, 1, 3])))
    flat = net.node("Flatten", x)
    same = net.node("Identity", "image")
    assert_same(net.model(shuffled, focus, f"{uneven}_1", padded, filled, tiled, flat, same))


def test_ranks_and_picks() -> None:
    """The tail of a detector without NMS: maxima, the best, their rows, their number."""
    net = Net(seed=15)
    rows = net.node("Transpose", net.reshape(net.conv("image", 3, 8), 1, 8, 256), perm=[0, 2, 1])
    best = net.node("ReduceMax", rows, axes=[-1], keepdims=0)
    values = net.node("TopK", best, net.constant(np.array([5])), outputs=2, axis=1)
    number = f"{values}_1"
    column = net.node("Unsqueeze", number, net.constant(np.array([-1])))
    index = net.node("Tile", column, net.constant(np.array([1, 1, 8])))
    picked = net.node("GatherElements", rows, index, axis=1)
    whole = net.node("Cast", net.node("Mod", number, net.constant(np.array([7]))), to=1)
    tenth = net.node("Cast", net.node("Div", number, net.constant(np.array([10]))), to=1)
    some = net.node("Gather", rows, net.constant(np.array([3, -1, 0])), axis=2)
    mean = net.node("ReduceMean", rows, axes=[1], keepdims=0)
    assert_same(net.model(values, picked, whole, tenth, some, mean))


def test_an_operator_that_is_missing_is_named() -> None:
    net = Net(seed=16)
    model = net.model(net.node("Erf", net.conv("image", 3, 4)))
    with pytest.raises(UnsupportedModel, match="Erf 'N1' cannot be written for LiteRT"):
        write(model)


@pytest.mark.parametrize(("kernel", "stride", "how"), [
    (2, 2, {}),
    (3, 2, {"pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
    (4, 2, {"pads": [1, 0, 1, 2]}),
    (3, 1, {"auto_pad": "SAME_UPPER"}),
])  # fmt: skip
def test_transposed_convolutions(kernel: int, stride: int, how: dict[str, object]) -> None:
    net = Net(seed=11)
    weight, bias = net.normal(4, 5, kernel, kernel), net.normal(5)
    out = net.node("ConvTranspose", net.conv("image", 3, 4), weight, bias, strides=[stride] * 2, **how)
    assert_same(prepare(net.model(out)))


def test_a_transposed_convolution_of_groups_is_refused_by_name() -> None:
    net = Net(seed=11)
    out = net.node("ConvTranspose", net.conv("image", 3, 4), net.normal(4, 1, 2, 2), strides=[2, 2], group=4)
    with pytest.raises(UnsupportedModel, match="cannot be written for LiteRT"):
        write(prepare(net.model(out)))


def test_softplus_at_both_ends() -> None:
    net = Net(seed=12)
    assert_same(net.model(net.node("Softplus", net.node("Mul", "image", net.constant(np.float32(200))))))


@pytest.mark.parametrize("name", nets.NETS)
def test_every_tensor_has_a_name_of_its_own(name: str) -> None:
    """Quantizers of other people refuse a file otherwise; inputs and outputs keep theirs."""
    graph = lowered(prepare(nets.NETS[name]()))
    names = unique_names(graph)
    assert len(set(names)) == len(names)
    for i in (*graph.inputs, *graph.outputs):
        assert names[i] == graph.tensors[i].name
