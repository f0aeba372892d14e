"""Channels that share a class, and classes that nothing may scale."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

import nets
from paredown.graph.channels import Channels, channel_classes
from paredown.graph.walk import to_ir


def classes(net: nets.Net, *outputs: str) -> tuple[Channels, ir.Graph]:
    graph = to_ir(net.model(*outputs)).graph
    return channel_classes(graph), graph


def same(channels: Channels, a: str, b: str) -> bool:
    return channels.of(a).tolist() == channels.of(b).tolist()


def free(channels: Channels, tensor: str) -> bool:
    return channels.is_frozen().isdisjoint(channels.of(tensor).tolist())


def all_frozen(channels: Channels, tensor: str) -> bool:
    return channels.is_frozen().issuperset(channels.of(tensor).tolist())


@pytest.mark.parametrize("op", ["Relu", "LeakyRelu", "GlobalAveragePool"])
def test_homogeneous_ops_keep_the_classes_and_leave_them_free(op: str) -> None:
    net = nets.Net()
    x = net.conv("image", 3, 8)
    y = net.node(op, x)
    channels, _ = classes(net, net.conv(y, 8, 4, 1))
    assert same(channels, x, y)
    assert len(set(channels.of(x).tolist())) == 8
    assert free(channels, x)


def test_a_sum_unites_its_sides() -> None:
    net = nets.Net()
    a = net.node("Relu", net.conv("image", 3, 8))
    b = net.conv(a, 8, 8)
    total = net.node("Add", a, b)
    channels, _ = classes(net, net.conv(total, 8, 4))
    assert same(channels, a, b)
    assert same(channels, total, a)
    assert free(channels, a)


def test_a_sum_with_one_value_for_every_channel_freezes() -> None:
    """(1, 8, 16, 16) + (1, 1, 16, 16): the single channel is in all of them."""
    net = nets.Net()
    a, b = net.conv("image", 3, 8), net.conv("image", 3, 1)
    channels, _ = classes(net, net.conv(net.node("Add", a, b), 8, 4))
    assert all_frozen(channels, a)
    assert all_frozen(channels, b)


def test_concat_split_and_slice_pass_classes_on() -> None:
    net = nets.Net()
    a, b = net.conv("image", 3, 4), net.conv("image", 3, 6)
    both = net.node("Concat", a, b, axis=1)
    left = net.node("Split", both, net.constant(np.array([7, 3])), axis=1, outputs=2)
    bounds = [net.constant(np.array([v])) for v in (1, 7, 1, 2)]
    sliced = net.node("Slice", left, *bounds)
    outputs = [net.conv(sliced, 3, 2), net.conv(f"{left}_1", 3, 2)]
    channels, _ = classes(net, *outputs)
    joined = [*channels.of(a).tolist(), *channels.of(b).tolist()]
    assert channels.of(both).tolist() == joined
    assert channels.of(left).tolist() == joined[:7]
    assert channels.of(f"{left}_1").tolist() == joined[7:]
    assert channels.of(sliced).tolist() == joined[1:7:2]
    assert free(channels, both)


def test_a_channel_shuffle_is_seen_through() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 8)
    apart = net.node("Transpose", net.reshape(x, 1, 2, 4, 16, 16), perm=[0, 2, 1, 3, 4])
    shuffled = net.reshape(apart, 1, 8, 16, 16)
    channels, _ = classes(net, net.conv(shuffled, 8, 4))
    assert channels.of(shuffled).tolist() == channels.of(x).reshape(2, 4).T.ravel().tolist()
    assert free(channels, shuffled)


def test_silu_freezes_both_sides() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 8)
    y = net.silu(x)
    channels, _ = classes(net, net.conv(y, 8, 4))
    assert all_frozen(channels, x)
    assert all_frozen(channels, y)


def test_inputs_and_outputs_freeze() -> None:
    net = nets.Net()
    x = net.node("Relu", net.conv("image", 3, 8))
    last = net.conv(x, 8, 4)
    channels, graph = classes(net, last)
    assert all_frozen(channels, last)
    assert free(channels, x)
    frozen = classes(net, last, x)[0]
    assert all_frozen(frozen, x)
    assert channels.is_frozen() >= set(range(3))  # the image's three
    assert graph.inputs[0].name == "image"


def test_a_depthwise_layer_starts_new_classes() -> None:
    net = nets.Net()
    x = net.node("Relu", net.conv("image", 3, 8))
    y = net.node("Relu", net.conv(x, 8, 8, group=8))
    channels, _ = classes(net, net.conv(y, 8, 4))
    assert set(channels.of(x).tolist()).isdisjoint(channels.of(y).tolist())
    assert free(channels, x)
    assert free(channels, y)


def test_flatten_repeats_a_channel_for_every_pixel() -> None:
    net = nets.Net()
    x = net.node("Relu", net.conv("image", 3, 2, stride=8))
    flat = net.node("Flatten", x)
    channels, _ = classes(net, net.node("Gemm", flat, net.normal(5, 8), transB=1))
    assert channels.of(flat).tolist() == np.repeat(channels.of(x), 4).tolist()
    assert free(channels, x)


def test_a_matrix_with_inputs_in_rows_freezes_both_sides() -> None:
    """Only (O, I) weights are scaled; with (I, O) nothing before or behind may change."""
    net = nets.Net()
    flat = net.node("Flatten", net.node("GlobalAveragePool", net.conv("image", 3, 8)))
    hidden = net.node("Gemm", flat, net.normal(8, 6))
    last = net.node("Gemm", net.node("Relu", hidden), net.normal(5, 6), transB=1)
    channels, _ = classes(net, last)
    assert all_frozen(channels, flat)
    assert all_frozen(channels, hidden)


def test_a_computed_bias_freezes_its_layer() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 4)
    bias = net.reshape(net.node("GlobalAveragePool", x), 4)
    y = net.node("Conv", x, net.normal(4, 4, 1, 1), bias)
    channels, _ = classes(net, net.conv(net.node("Relu", y), 4, 2))
    assert all_frozen(channels, x)
    assert all_frozen(channels, y)
