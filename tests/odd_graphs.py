"""Graphs as exporters and people really leave them, drawn by a seed: habits strung together at random."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from paredown.graph.load import from_proto
from paredown.model import Model
from paredown.testing.networks import Net

Habit = Callable[[Net, str], str]  # (1, 8, H, W) -> (1, 8, H, W)
C = 8
FLOAT = TensorProto.FLOAT


def scalar(net: Net, value: float) -> str:
    return net.constant(np.array(value, np.float32))


def ints(net: Net, *values: int) -> str:
    return net.constant(np.array(values, np.int64))


def identity_weight(net: Net, x: str) -> str:
    w = net.node("Identity", net.node("Identity", net.normal(C, C, 1, 1, spread=0.3)))
    return net.node("Conv", x, w)


def constant_weight(net: Net, x: str) -> str:
    tensor = numpy_helper.from_array(net.rng.normal(size=(C, C, 3, 3)).astype(np.float32) * 0.1)
    name = f"kept{len(net.nodes)}"
    net.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
    return net.node("Conv", x, name, pads=[1] * 4)


def transposed_weight(net: Net, x: str) -> str:
    return net.node(
        "Conv", x, net.node("Transpose", net.normal(3, 3, C, C, spread=0.1), perm=[3, 2, 0, 1]), pads=[1] * 4
    )


def shared_weight(net: Net, x: str) -> str:
    w = net.normal(C, C, 1, 1, spread=0.3)
    return net.node("Conv", net.node("Relu", net.node("Conv", x, w)), w)


def weight_read_twice(net: Net, x: str) -> str:
    """A convolution and a sum read the same tensor."""
    w = net.normal(C, C, 1, 1, spread=0.3)
    return net.node(
        "Add",
        net.node("Conv", x, w),
        net.node("Reshape", net.node("ReduceMean", w, axes=[1, 2, 3]), ints(net, 1, C, 1, 1)),
    )


def computed_weight(net: Net, x: str) -> str:
    gain = net.node("Sigmoid", net.node("ReduceMean", x, axes=[0, 1, 2, 3], keepdims=0))
    return net.node("Conv", x, net.node("Mul", net.normal(C, C, 1, 1, spread=0.3), gain))


def same_pads(net: Net, x: str) -> str:
    return net.node("Conv", x, net.normal(C, C, 3, 3, spread=0.1), auto_pad="SAME_UPPER")


def lopsided(net: Net, x: str) -> str:
    return net.node("Conv", x, net.normal(C, C, 2, 3, spread=0.2), pads=[1, 0, 0, 2])


def dilated(net: Net, x: str) -> str:
    return net.node("Conv", x, net.normal(C, 1, 3, 3, spread=0.3), group=C, dilations=[2, 2], pads=[2] * 4)


def dead(net: Net, x: str) -> str:
    w = net.rng.normal(size=(C, C, 1, 1)).astype(np.float32) * 0.3
    w[::2] = 0
    return net.node("Conv", x, net.constant(w), net.constant(np.zeros(C, np.float32)))


def huge(net: Net, x: str) -> str:
    w = net.rng.normal(size=(C, C, 1, 1)).astype(np.float32) * 0.3
    w[0] *= 1e6
    return net.node("Clip", net.node("Conv", x, net.constant(w)), scalar(net, -5), scalar(net, 5))


def norm(net: Net, x: str) -> str:
    numbers = [net.normal(C, spread=0.1, mean=m) for m in (1, 0, 0)]
    return net.node("BatchNormalization", x, *numbers, net.constant(np.full(C, 0.5, np.float32)))


def instance_norm(net: Net, x: str) -> str:
    return net.node("InstanceNormalization", x, net.normal(C, spread=0.1, mean=1), net.normal(C, spread=0.1))


def layer_norm(net: Net, x: str) -> str:
    y = net.node("Transpose", x, perm=[0, 2, 3, 1])
    y = net.node("LayerNormalization", y, net.normal(C, spread=0.1, mean=1), net.normal(C, spread=0.1))
    return net.node("Transpose", y, perm=[0, 3, 1, 2])


def prelu(net: Net, x: str) -> str:
    return net.node("PRelu", x, net.constant(np.full((C, 1, 1), 0.1, np.float32)))


def open_clip(net: Net, x: str) -> str:
    return net.node("Clip", x, "", scalar(net, 6.0))


def mish(net: Net, x: str) -> str:
    return net.node("Mul", x, net.node("Tanh", net.node("Softplus", x)))


def erf_gelu(net: Net, x: str) -> str:
    erf = net.node("Erf", net.node("Div", x, scalar(net, 1.41421)))
    return net.node("Mul", net.node("Mul", x, net.node("Add", erf, scalar(net, 1))), scalar(net, 0.5))


def split_and_join(net: Net, x: str) -> str:
    a = net.node("Split", x, ints(net, 2, 6), outputs=2, axis=1)
    return net.node("Concat", f"{a}_1", net.node("Relu", a), axis=1)


def shuffled(net: Net, x: str) -> str:
    """Channels shuffled through a shape that is computed."""
    shape = net.node("Shape", x)
    parts = [net.node("Gather", shape, ints(net, i)) for i in (0, 2, 3)]
    y = net.node("Reshape", x, net.node("Concat", parts[0], ints(net, 2, C // 2), *parts[1:], axis=0))
    return net.node("Reshape", net.node("Transpose", y, perm=[0, 2, 1, 3, 4]), shape)


def empty_part(net: Net, x: str) -> str:
    none = net.node("Slice", x, ints(net, 0), ints(net, 0), ints(net, 1))
    return net.node("Concat", x, none, axis=1)


def reflected(net: Net, x: str) -> str:
    y = net.node("Pad", x, ints(net, 0, 0, 1, 1, 0, 0, 1, 1), mode="reflect")
    return net.node("Conv", y, net.normal(C, C, 3, 3, spread=0.1))


def resized(net: Net, x: str) -> str:
    half = net.node("Resize", x, "", net.constant(np.array([1, 1, 0.5, 0.5], np.float32)), mode="linear")
    return net.node("Resize", half, "", net.constant(np.array([1, 1, 2, 2], np.float32)), mode="nearest")


def transposed_conv(net: Net, x: str) -> str:
    y = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    return net.node("ConvTranspose", y, net.normal(C, C, 2, 2, spread=0.3), strides=[2, 2])


def pooled_gate(net: Net, x: str) -> str:
    y = net.conv(net.node("Relu", net.conv(net.node("GlobalAveragePool", x), C, 4, 1)), 4, C, 1)
    return net.node("Mul", x, net.node("HardSigmoid", y))


def attention(net: Net, x: str) -> str:
    shape = net.node("Shape", x)
    y = net.node("Transpose", net.reshape(x, 1, C, -1), perm=[0, 2, 1])
    q, k, v = (net.node("MatMul", y, net.normal(C, C, spread=0.3)) for _ in range(3))
    scores = net.node(
        "Mul", net.node("MatMul", q, net.node("Transpose", k, perm=[0, 2, 1])), scalar(net, 0.3)
    )
    y = net.node("MatMul", net.node("Softmax", scores, axis=-1), v)
    return net.node("Reshape", net.node("Transpose", y, perm=[0, 2, 1]), shape)


def einsum(net: Net, x: str) -> str:
    return net.node("Einsum", x, net.normal(C, C, spread=0.3), equation="nchw,cd->ndhw")


def weight_on_the_left(net: Net, x: str) -> str:
    shape = net.node("Shape", x)
    return net.node(
        "Reshape", net.node("MatMul", net.normal(C, C, spread=0.3), net.reshape(x, 1, C, -1)), shape
    )


def branch(name: str, op: str, x: str, net: Net) -> onnx.GraphProto:
    out = f"{name}{len(net.nodes)}"
    return helper.make_graph(
        [helper.make_node(op, [x], [out])], name, [], [helper.make_tensor_value_info(out, FLOAT, None)]
    )


def branches(net: Net, x: str) -> dict[str, onnx.GraphProto]:
    return {"then_branch": branch("then", "Relu", x, net), "else_branch": branch("else", "Neg", x, net)}


def settled_if(net: Net, x: str) -> str:
    condition = net.constant(np.array(True))
    return net.node(
        "If", condition, then_branch=branch("then", "Relu", x, net), else_branch=branch("else", "Neg", x, net)
    )


def open_if(net: Net, x: str) -> str:
    condition = net.node("Greater", net.node("ReduceMax", x, keepdims=0), scalar(net, 0.5))
    return net.node(
        "If", condition, then_branch=branch("then", "Relu", x, net), else_branch=branch("else", "Neg", x, net)
    )


def loop(net: Net, x: str) -> str:
    stem = f"l{len(net.nodes)}"
    body = helper.make_graph(
        [
            helper.make_node("Identity", [f"{stem}go"], [f"{stem}on"]),
            helper.make_node("Relu", [f"{stem}x"], [f"{stem}y"]),
        ],
        "body",
        [
            helper.make_tensor_value_info(f"{stem}i", TensorProto.INT64, []),
            helper.make_tensor_value_info(f"{stem}go", TensorProto.BOOL, []),
            helper.make_tensor_value_info(f"{stem}x", FLOAT, None),
        ],
        [
            helper.make_tensor_value_info(f"{stem}on", TensorProto.BOOL, []),
            helper.make_tensor_value_info(f"{stem}y", FLOAT, None),
        ],
    )
    return net.node("Loop", net.constant(np.array(2, np.int64)), net.constant(np.array(True)), x, body=body)


def through_integers(net: Net, x: str) -> str:
    whole = net.node("Cast", net.node("Mul", x, scalar(net, 10)), to=TensorProto.INT32)
    return net.node("Add", x, net.node("Mul", net.node("Cast", whole, to=FLOAT), scalar(net, 0.01)))


def chosen(net: Net, x: str) -> str:
    return net.node("Where", net.node("Greater", x, scalar(net, 0)), x, net.node("Mul", x, scalar(net, 0.1)))


def dropout(net: Net, x: str) -> str:
    return net.node("Dropout", x, scalar(net, 0.3))


def contrib(net: Net, x: str) -> str:
    return net.node("Gelu", x, domain="com.microsoft")


def split_sum(net: Net, x: str) -> str:
    return net.node("Sum", x, net.node("Abs", x), net.node("Sin", x))


def one(op: str, **attributes: object) -> Habit:
    def habit(net: Net, x: str) -> str:
        return net.node(op, x, **attributes)

    habit.__name__ = op
    return habit


HABITS: tuple[Habit, ...] = (
    *(identity_weight, constant_weight, transposed_weight, shared_weight, weight_read_twice, computed_weight),
    *(same_pads, lopsided, dilated, dead, huge, norm, instance_norm, layer_norm, prelu, open_clip, mish),
    *(erf_gelu, split_and_join, shuffled, empty_part, reflected, resized, transposed_conv, pooled_gate),
    *(attention, einsum, weight_on_the_left, settled_if, open_if, loop, through_integers, chosen, dropout),
    *(contrib, split_sum, one("Relu"), one("LeakyRelu", alpha=0.1), one("HardSwish")),
    *(one("Elu"), one("Selu")),
    *(one("Tanh"), one("Softmax", axis=1), one("LpNormalization", axis=1, p=2), one("Identity")),
    *(one("ThresholdedRelu", alpha=0.2), one("MaxPool", kernel_shape=[3, 3], pads=[1] * 4)),
    *(one("AveragePool", kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1),),
    *(one("Neg"), one("Softsign")),
)  # fmt: skip


def ends(net: Net, x: str) -> list[str]:
    """The outputs: what a head gives, and what nobody would think of."""
    y = net.conv(x, C, 5, 1)
    found = [y]
    odd = net.rng.choice(7, size=2, replace=False)
    rows = net.reshape(x, 1, C, -1)
    most = net.node("TopK", rows, ints(net, 4), outputs=2, axis=-1)
    found += {
        0: [net.node("ReduceSum", x, keepdims=0)],
        1: [net.node("ArgMax", y, axis=1)],
        2: [most, f"{most}_1"],
        3: [net.node("Greater", y, scalar(net, 0))],
        4: [net.node("Slice", y, ints(net, 0), ints(net, 0), ints(net, 1))],
        5: [net.node("Identity", y)],
        6: [net.node("Sigmoid", y), x],
    }[int(odd[0])]
    return found


def odd_graph(seed: int, length: int = 6) -> tuple[Model, list[str]]:
    """A graph of that many habits, and their names."""
    net = Net(opset=17, seed=seed)
    chosen_habits = [HABITS[i] for i in net.rng.integers(len(HABITS), size=length)]
    x = net.conv("image", 3, C, stride=2)
    for habit in chosen_habits:
        x = habit(net, x)
    proto = _proto(net, list(dict.fromkeys(ends(net, x))))
    if seed % 3 == 0:  # as many exporters leave them
        for i, node in enumerate(proto.graph.node):
            node.name = "" if i % 2 else f"/a b/ü:{i}"
    return from_proto(proto, f"odd{seed}"), [h.__name__ for h in chosen_habits]


def _proto(net: Net, outputs: list[str]) -> onnx.ModelProto:
    graph = helper.make_graph(
        net.nodes,
        "odd",
        [helper.make_tensor_value_info("image", FLOAT, [1, 3, 16, 16])],
        [
            helper.make_value_info(name, helper.make_tensor_type_proto(TensorProto.UNDEFINED, None))
            for name in outputs
        ],
        net.constants,
    )
    ids = [helper.make_opsetid("", net.opset), helper.make_opsetid("com.microsoft", 1)]
    proto = helper.make_model(graph, opset_imports=ids, ir_version=8)
    inferred = onnx.shape_inference.infer_shapes(proto)
    for value in inferred.graph.output:
        if not value.type.tensor_type.elem_type:  # behind an operator that inference does not know
            value.type.tensor_type.elem_type = (
                TensorProto.INT64
                if value.name.startswith(("topk", "argmax")) and value.name.endswith("_1")
                else FLOAT
            )
    return inferred
