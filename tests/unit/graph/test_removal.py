"""Channels that can only be removed together, constants that shrink with them, and what is refused."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

import nets
from paredown.graph.removal import Removable, removable
from paredown.graph.walk import to_ir


class Found:
    """The analysis of a net, asked by tensor name."""

    def __init__(self, net: nets.Net, *outputs: str) -> None:
        self.graph: ir.Graph = to_ir(net.model(*outputs)).graph
        self.all: Removable = removable(self.graph)
        self.axes = {value.name: axis_ids for value, axis_ids in self.all.axes.items()}

    def of(self, tensor: str) -> list[int]:
        """The classes of a tensor's channels."""
        return list(self.all.classes(self.axes[tensor][1]).tolist())

    def why(self, tensor: str) -> set[str]:
        """Why its channels must stay; "" for those that need not."""
        reasons = self.all.channels.reasons()
        return {reasons.get(c, "") for c in self.of(tensor)}

    def operands(self, node: ir.Node) -> dict[int, list[int | None]]:
        """Input -> for every axis how many entries channels count."""
        return {
            o.index: [None if i is None else len(i) for i in o.ids]
            for o in self.all.operands
            if o.node is node
        }


@pytest.mark.parametrize(
    "op", ["Sigmoid", "HardSwish", "Tanh", "Clip", "MaxPool", "GlobalAveragePool", "Softplus", "Exp"]
)
def test_functions_of_one_place_or_of_space_keep_the_classes(op: str) -> None:
    net = nets.Net()
    x = net.conv("image", 3, 8)
    y = net.node(op, x, **({"kernel_shape": [2, 2]} if op == "MaxPool" else {}))
    found = Found(net, net.conv(y, 8, 4, 1))
    assert found.of(x) == found.of(y)
    assert len(set(found.of(x))) == 8
    assert found.why(x) == {""}


def test_silu_and_a_sum_are_seen_through() -> None:
    net = nets.Net()
    a = net.silu(net.conv("image", 3, 8))
    b = net.silu(net.conv(a, 8, 8))
    total = net.node("Add", a, b)
    found = Found(net, net.conv(total, 8, 4))
    assert found.of(a) == found.of(b) == found.of(total)
    assert found.why(total) == {""}


def test_a_depthwise_layer_belongs_to_its_input() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 8)
    one = net.conv(x, 8, 8, group=8)
    two = net.conv(one, 8, 16, group=8)
    found = Found(net, net.conv(two, 16, 4, 1))
    assert found.of(one) == found.of(x)
    assert found.of(two) == np.repeat(found.of(x), 2).tolist()


def test_groups_stay_alike() -> None:
    """Channels 0 and 4 of the input stand first in their group, and so do 0 and 3 of the answer."""
    net = nets.Net()
    x = net.conv("image", 3, 8)
    y = net.conv(x, 8, 6, group=2)
    found = Found(net, net.conv(y, 6, 4, 1))
    assert found.of(x)[:4] == found.of(x)[4:]
    assert found.of(y)[:3] == found.of(y)[3:]
    assert len(set(found.of(x))) == 4


def test_a_channel_shuffle_unites_what_stands_at_one_place_of_the_groups() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 8)
    apart = net.node("Transpose", net.reshape(x, 1, 2, 4, 16, 16), perm=[0, 2, 1, 3, 4])
    shuffled = net.reshape(apart, 1, 8, 16, 16)
    found = Found(net, net.conv(shuffled, 8, 4))
    a, b, c, d = found.of(x)[:4]
    assert found.of(x) == [a, b, c, d] * 2
    assert found.of(shuffled) == [a, a, b, b, c, c, d, d]
    assert found.why(x) == {""}


def test_behind_flatten_a_channel_owns_a_row_of_columns() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 2, stride=8)
    flat = net.node("Flatten", x)
    found = Found(net, net.node("Gemm", flat, net.normal(5, 8), transB=1))
    assert found.of(flat) == np.repeat(found.of(x), 4).tolist()
    gemm = next(n for n in found.graph if n.op_type == "Gemm")
    assert found.operands(gemm) == {1: [5, 8]}


def test_a_matrix_product_reads_the_last_axis() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 8)
    tokens = net.node("Transpose", net.reshape(x, 1, 8, 256), perm=[0, 2, 1])
    y = net.node("MatMul", tokens, net.normal(8, 6))
    found = Found(net, net.node("MatMul", net.node("Gelu", y) if net.opset > 19 else y, net.normal(6, 3)))
    assert found.of(tokens) == found.of(x)
    assert found.axes[y][0] == 2
    assert found.why(y) == {""}


def test_a_gate_for_each_channel_is_united_one_for_all_stays() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 8)
    each = net.node("Sigmoid", net.conv(net.node("GlobalAveragePool", x), 8, 8, 1))
    one = net.node("Sigmoid", net.conv(x, 8, 1))
    y = net.node("Mul", net.node("Mul", x, each), one)
    found = Found(net, net.conv(y, 8, 4))
    assert found.of(each) == found.of(x) == found.of(y)
    assert found.why(x) == {""}
    assert found.why(one) == {"one value stands for all channels"}


def test_constants_with_an_entry_for_each_channel_shrink() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 8)
    scaled = net.node("Mul", x, net.normal(8, 1, 1))
    shifted = net.node("Add", net.normal(1, 8, 1, 1), scaled)
    sloped = net.node("PRelu", shifted, net.normal(8, 1, 1))
    whole = net.node("Mul", sloped, net.normal(1))
    normal = net.node(
        "BatchNormalization", whole, *(net.normal(8) for _ in range(3)), net.constant(np.ones(8, np.float32))
    )
    found = Found(net, net.conv(normal, 8, 4))
    by_op = {n.op_type: found.operands(n) for n in found.graph if n.outputs[0].name != whole}
    assert by_op["Mul"] == {1: [8, None, None]}
    assert by_op["Add"] == {0: [None, 8, None, None]}
    assert by_op["PRelu"] == {1: [8, None, None]}
    assert by_op["BatchNormalization"] == {1: [8], 2: [8], 3: [8], 4: [8]}
    assert found.operands(next(n for n in found.graph if n.outputs[0].name == whole)) == {}


def test_padded_channels_are_channels() -> None:
    """The shortcut of a ResNet for small images: zeros in front and behind, then a sum."""
    net = nets.Net()
    x = net.conv("image", 3, 4)
    wide = net.node("Pad", x, net.constant(np.array([0, 2, 0, 0, 0, 2, 0, 0])))
    total = net.node("Add", wide, net.conv(x, 4, 8))
    found = Found(net, net.conv(total, 8, 4))
    assert found.of(wide)[2:6] == found.of(x)
    assert found.of(total) == found.of(wide)
    assert found.why(total) == {""}


def test_several_scales_behind_one_another_are_united_by_channel() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 8)
    fine, coarse = net.conv(x, 8, 6, 1), net.conv(x, 8, 6, 1, stride=2)
    both = net.node("Concat", net.reshape(fine, 1, 6, 256), net.reshape(coarse, 1, 6, 64), axis=2)
    last = net.node("MatMul", net.node("Transpose", both, perm=[0, 2, 1]), net.normal(6, 2))
    found = Found(net, last)
    assert found.of(fine) == found.of(coarse)
    assert len(set(found.of(fine))) == 6


@pytest.mark.parametrize(
    ("op", "attributes", "why"),
    [
        ("Softmax", {"axis": 1}, "Softmax mixes channels"),
        ("ReduceMean", {"axes": [1], "keepdims": 1}, "ReduceMean mixes channels"),
        ("LRN", {"size": 3}, "LRN may mix channels"),
        ("DepthToSpace", {"blocksize": 2}, "DepthToSpace may mix channels"),
        ("Shape", {}, "Shape may mix channels"),
    ],
)
def test_what_mixes_channels_is_refused(op: str, attributes: dict[str, object], why: str) -> None:
    net = nets.Net()
    x = net.conv("image", 3, 8)
    net.node(op, x, **attributes)
    found = Found(net, net.conv(x, 8, 4))
    assert found.why(x) == {why}


def test_softmax_over_another_axis_is_not() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 8)
    y = net.node("ReduceMean", net.node("Softmax", x, axis=3), axes=[2], keepdims=0)
    found = Found(net, net.node("MatMul", net.node("Transpose", y, perm=[0, 2, 1]), net.normal(8, 2)))
    assert found.of(y) == found.of(x)
    assert found.why(x) == {""}


def test_every_other_channel_is_refused() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 8)
    y = net.node("Slice", x, *(net.constant(np.array([v])) for v in (0, 8, 1, 2)))
    found = Found(net, net.conv(y, 4, 4))
    assert found.why(x) == {"Slice takes every other channel"}


def test_inputs_outputs_and_what_a_loop_reads_stay() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 8)
    y = net.conv(x, 8, 4)
    found = Found(net, y)
    assert found.why("image") == {"an input of the model"}
    assert found.why(y) == {"an output of the model"}
    assert found.why(x) == {""}
    again = Found(net, y, x)
    assert again.why(x) == {"an output of the model"}


def test_a_computed_weight_is_refused() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 4)
    kernel = net.reshape(net.node("GlobalAveragePool", x), 1, 4, 1, 1)
    found = Found(net, net.conv(net.node("Conv", x, kernel), 1, 2))
    assert found.why(x) == {"the weight of Conv is computed"}
