"""A network at another input size is, to the last bit, the one that would have been exported at that size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nets import Net
from paredown.errors import UnsupportedModel, UsageError
from paredown.graph.input_size import at_size
from paredown.graph.prepare import prepare
from paredown.graph.run import run_once
from paredown.model import Model

Size = tuple[int, int]
SMALL, LARGE, WIDE = (64, 64), (96, 96), (64, 128)


def backbone(net: Net) -> tuple[str, str]:
    """Feature maps at strides 8 and 16 with eight channels."""
    x = net.node("Relu", net.conv("image", 3, 8, stride=2))
    x = net.node("Relu", net.conv(x, 8, 8, stride=2))
    fine = net.node("Relu", net.conv(x, 8, 8, stride=2))
    coarse = net.node("Relu", net.conv(fine, 8, 8, stride=2))
    scales = net.constant(np.array([1, 1, 2, 2], np.float32))
    up = net.node("Resize", coarse, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric")
    return net.node("Add", fine, up), coarse


def grid(size: Size, stride: int) -> np.ndarray:
    """Cells (rows, columns, 2) as x, y."""
    ys, xs = np.meshgrid(np.arange(size[0] // stride), np.arange(size[1] // stride), indexing="ij")
    return np.stack([xs, ys], axis=-1).astype(np.float32)


def anchor_free(size: Size) -> Model:
    """Flat anchors: points and strides over both maps, as the exporters of YOLOv8's head fold them."""
    net = Net()
    parts, points, strides = [], [], []
    for feature, stride in zip(backbone(net), (8, 16), strict=True):
        cells = size[0] // stride * (size[1] // stride)
        parts.append(net.reshape(net.conv(feature, 8, 6, 1), 1, 6, cells))
        points.append(grid(size, stride).reshape(-1, 2) + np.float32(0.5))
        strides.append(np.full(cells, stride, np.float32))
    flat = net.node("Concat", *parts, axis=2)
    net.node("Split", flat, net.constant(np.array([2, 2, 2])), axis=1, outputs=3)
    split = net.nodes[-1].output
    centre = net.node("Add", split[0], net.constant(np.concatenate(points).T[None]))
    boxes = net.node("Concat", centre, split[1], axis=1)
    pixels = net.node("Mul", boxes, net.constant(np.concatenate(strides)[None]))
    return net.model(
        net.node("Concat", pixels, net.node("Sigmoid", split[2]), axis=1),
        inputs={"image": [1, 3, *size]},
    )


def anchored(size: Size) -> Model:
    """A grid for each map with anchors of a size in pixels, flattened afterwards (YOLOv5's head)."""
    net = Net()
    levels = []
    for feature, stride in zip(backbone(net), (8, 16), strict=True):
        h, w = size[0] // stride, size[1] // stride
        x = net.reshape(net.conv(feature, 8, 15, 1), 1, 3, 5, h, w)
        x = net.node("Sigmoid", net.node("Transpose", x, perm=[0, 1, 3, 4, 2]))
        net.node("Split", x, net.constant(np.array([2, 2, 1])), axis=4, outputs=3)
        xy, wh, score = net.nodes[-1].output
        cells = np.broadcast_to(grid(size, stride), (1, 3, h, w, 2)) - np.float32(0.5)
        anchors = np.broadcast_to(
            np.array([[4, 5], [9, 7], [12, 20]], np.float32)[None, :, None, None] * stride, (1, 3, h, w, 2)
        )
        xy = net.node("Mul", net.node("Add", xy, net.constant(cells)), net.constant(np.float32(stride)))
        wh = net.node("Mul", wh, net.constant(anchors))
        levels.append(net.reshape(net.node("Concat", xy, wh, score, axis=4), 1, 3 * h * w, 5))
    return net.model(net.node("Concat", *levels, axis=1), inputs={"image": [1, 3, *size]})


def priors(size: Size) -> Model:
    """Prior boxes in fractions of a square input, two a cell, decoded in the graph (SSD's head)."""
    net = Net()
    parts, centres, sides = [], [], []
    for feature, stride in zip(backbone(net), (8, 16), strict=True):
        x = net.node("Transpose", net.conv(feature, 8, 8, 1), perm=[0, 2, 3, 1])
        parts.append(net.reshape(x, 1, -1, 4))
        centre = (grid(size, stride).astype(np.float64) + 0.5) * stride / size[0]
        pixels = np.array([[2.5, 2.5], [3.5, 1.5]]) * stride
        shape = (*centre.shape[:2], 2, 2)
        centres.append(np.broadcast_to(centre[:, :, None], shape).reshape(-1, 2))
        sides.append(np.broadcast_to(pixels / size[0], shape).reshape(-1, 2))
    flat = net.node("Concat", *parts, axis=1)
    net.node("Split", flat, net.constant(np.array([2, 2])), axis=2, outputs=2)
    offset, growth = net.nodes[-1].output
    side = net.constant(np.concatenate(sides).astype(np.float32)[None])
    centre = net.constant(np.concatenate(centres).astype(np.float32)[None])
    xy = net.node("Add", net.node("Mul", offset, side), centre)
    wh = net.node("Mul", net.node("Exp", net.node("Tanh", growth)), side)
    return net.model(net.node("Concat", xy, wh, axis=2), inputs={"image": [1, 3, *size]})


def attention(size: Size) -> Model:
    """Space to depth by slices, attention over the cells of a map, the best ten of them."""
    net = Net()
    parts = []
    for top in (0, 1):
        bounds = [net.constant(np.array([n])) for n in (top, 2**31 - 1, 2, 2)]
        parts.append(net.node("Slice", "image", *bounds))
    both = net.node("Concat", *parts, axis=1)
    feature, _ = backbone(net)
    halves = net.node("Relu", net.conv(both, 6, 4, stride=2))
    h, w = size[0] // 8, size[1] // 8
    flat = net.reshape(feature, 1, 8, h * w)
    likeness = net.node("MatMul", net.node("Transpose", flat, perm=[0, 2, 1]), flat)
    mixed = net.node("MatMul", flat, net.node("Softmax", likeness, axis=2))
    back = net.conv(net.reshape(mixed, 1, 8, h, w), 8, 4, 1)
    best = net.node("TopK", net.reshape(back, 1, 4, -1), net.constant(np.array([10])), axis=2, outputs=2)
    return net.model(halves, best, inputs={"image": [1, 3, *size]})


HEADS = [anchor_free, anchored, priors, attention]


def answers(model: Model, size: Size) -> list[np.ndarray]:
    image = np.random.default_rng(3).normal(size=(1, 3, *size)).astype(np.float32)
    return list(run_once(model.data, {"image": image}).values())


@pytest.mark.parametrize(
    ("head", "size"),
    [
        (head, size)
        for head in HEADS
        for size in (LARGE, WIDE, (32, 96))
        if head is not priors or size == LARGE
    ],
)
def test_the_network_that_would_have_been_exported(head: Callable[[Size], Model], size: Size):
    got = at_size(prepare(head(SMALL)), size)
    for mine, want in zip(answers(got, size), answers(prepare(head(size)), size), strict=True):
        assert mine.shape == want.shape
        np.testing.assert_allclose(mine, want, rtol=0, atol=1e-6 * np.abs(want).max())


@pytest.mark.parametrize("head", HEADS)
def test_there_and_back_is_the_same_network(head: Callable[[Size], Model]):
    model = prepare(head(SMALL))
    back = at_size(at_size(model, LARGE), SMALL)
    for mine, want in zip(answers(back, SMALL), answers(model, SMALL), strict=True):
        np.testing.assert_allclose(mine, want, rtol=0, atol=1e-6 * np.abs(want).max())


def test_its_own_size_changes_nothing():
    model = prepare(anchored(SMALL))
    assert at_size(model, SMALL) is model


def test_fractions_of_another_ratio_are_refused():
    """The sides of priors are fractions of the height or of the width, and the numbers do not say which."""
    with pytest.raises(UnsupportedModel, match="same ratio"):
        at_size(prepare(priors(SMALL)), WIDE)


def test_a_size_between_strides_is_refused_with_the_node():
    with pytest.raises(UnsupportedModel, match=r"node 'N\d+' \(Add\): tensors of .* cells would meet"):
        at_size(prepare(anchor_free(SMALL)), (72, 72))


def learned_positions() -> Model:
    net = Net()
    feature, _ = backbone(net)
    return net.model(
        net.node("Add", net.reshape(feature, 1, 8, 64), net.normal(1, 8, 64)),
        inputs={"image": [1, 3, *SMALL]},
    )


def flat_classifier() -> Model:
    net = Net()
    feature, _ = backbone(net)
    flat = net.node("Flatten", feature)
    return net.model(net.node("Gemm", flat, net.normal(512, 5)), inputs={"image": [1, 3, *SMALL]})


@pytest.mark.parametrize(
    ("network", "reason"),
    [(learned_positions, "no plane"), (flat_classifier, "another number of values")],
)
def test_what_was_learned_for_one_size_is_refused(network: Callable[[], Model], reason: str):
    with pytest.raises(UnsupportedModel, match=reason):
        at_size(prepare(network()), LARGE)


def test_a_size_of_nothing_is_a_usage_error():
    with pytest.raises(UsageError, match="at least"):
        at_size(prepare(anchored(SMALL)), (0, 64))
