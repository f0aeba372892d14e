"""What each operator makes of the axes of its inputs, and which of its constants are made anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from paredown.graph.input_size.axes import (
    Axes,
    Axis,
    Factor,
    Unproven,
    cut,
    fixed,
    is_fixed,
    joined,
    merged,
    new_length,
    old_length,
    reshaped,
    same,
)
from paredown.graph.input_size.walk import Rule, Walk
from paredown.graph.input_size.windows import blocks, global_pool, one_factor, resize, spatial
from paredown.graph.walk import attribute, constant, has_shape, shape_of

UNTIL_THE_END = 2**31 - 1


def _same(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    return [walk.of(node.inputs[0])] * len(node.outputs)


def broadcast(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    """Elementwise operators: axes meet from the right, ones give way, constants grow with what they meet."""
    rank = max(len(walk.of(v)) for v in node.inputs)
    padded = [tuple([fixed(1)] * (rank - len(walk.of(v)))) + walk.of(v) for v in node.inputs]
    computed = [axes for v, axes in zip(node.inputs, padded, strict=True) if constant(v) is None]
    met = tuple(_meet([axes[i] for axes in computed]) for i in range(rank))
    result = []
    for i in range(rank):
        lengths = {old_length(axes[i]) for axes in padded} - {1}
        wide = old_length(met[i])
        result.append(met[i] if wide > 1 or not is_fixed(met[i]) or not lengths else fixed(lengths.pop()))
    for index, (value, axes) in enumerate(zip(node.inputs, padded, strict=True)):
        array = constant(value)
        if array is not None:
            meets = [met[i] if old_length(axes[i]) > 1 else fixed(1) for i in range(rank)]
            walk.grow(node, index, array, tuple(meets[rank - array.ndim :]))
    return [tuple(result)]


def _meet(axes: Sequence[Axis]) -> Axis:
    """The axis of several that meet: all alike, but for ones."""
    wide = [a for a in axes if old_length(a) > 1 or not is_fixed(a)]
    if not wide:
        return fixed(1)
    best = max(wide, key=lambda a: (not is_fixed(a), old_length(a)))
    if not all(same(a, best) for a in wide):
        spelled = " and ".join(sorted({f"{new_length(a)}" for a in wide}))
        raise Unproven(f"tensors of {spelled} cells would meet")
    return best


def _reshape(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    target = constant(node.inputs[1])
    if target is None:
        raise Unproven("the target of a Reshape is computed")
    out = reshaped(walk.of(node.inputs[0]), shape_of(node.outputs[0]))
    kept = [
        n if n == -1 or (n == 0 and not attribute(node, "allowzero", 0)) else new_length(axis)
        for n, axis in zip(target.ravel().tolist(), out, strict=True)
    ]
    walk.rewrite(node, 1, kept)
    return [out]


def _flat(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    return [reshaped(walk.of(node.inputs[0]), shape_of(node.outputs[0]))]


def _transpose(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    axes = walk.of(node.inputs[0])
    order = attribute(node, "perm", None) or range(len(axes))[::-1]
    return [tuple(axes[i] for i in order)]


def _concat(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    parts = [walk.of(v) for v in node.inputs]
    along = attribute(node, "axis", 0) % len(parts[0])
    computed = [p for v, p in zip(node.inputs, parts, strict=True) if constant(v) is None]
    met = [fixed(1) if i == along else _meet([p[i] for p in computed]) for i in range(len(parts[0]))]
    for index, value in enumerate(node.inputs):
        array = constant(value)
        if array is not None:
            beside = tuple(parts[index][i] if i == along else axis for i, axis in enumerate(met))
            walk.grow(node, index, array, beside)
    met[along] = joined(p[along] for p in parts)
    return [tuple(met)]


def _split(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    axes = list(walk.of(node.inputs[0]))
    along = attribute(node, "axis", 0) % len(axes)
    pieces = cut(axes[along], [shape_of(v)[along] for v in node.outputs])
    if len(node.inputs) > 1 and node.inputs[1] is not None:
        walk.rewrite(node, 1, [new_length(p) for p in pieces])
    elif len({new_length(p) for p in pieces}) > 1:
        raise Unproven("a Split into equal parts whose parts would differ")
    return [tuple(piece if i == along else a for i, a in enumerate(axes)) for piece in pieces]


def _slice(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    axes = list(walk.of(node.inputs[0]))
    given = [constant(v) for v in node.inputs[1:]]
    if any(g is None for g in given):
        raise Unproven("the bounds of a Slice are computed")
    starts, ends, *rest = ([int(n) for n in np.ravel(g)] for g in given if g is not None)
    along = rest[0] if rest else list(range(len(starts)))
    steps = rest[1] if len(rest) > 1 else [1] * len(starts)
    for k, (axis, step) in enumerate(zip(along, steps, strict=True)):
        starts[k], ends[k], axes[axis] = _sliced(axes[axis], starts[k], ends[k], step)
    walk.rewrite(node, 1, starts)
    walk.rewrite(node, 2, ends)
    return [tuple(axes)]


def _sliced(axis: Axis, start: int, end: int, step: int) -> tuple[int, int, Axis]:
    """New bounds and what is left of the axis."""
    length = old_length(axis)
    first, last, by = slice(start, end, step).indices(length)
    if is_fixed(axis):
        return start, end, fixed(len(range(first, last, by)))
    if by < 0:
        raise Unproven("a feature map is turned round")
    if by == 1:
        before, piece, _ = cut(axis, [first, last - first, length - last])
        until = end if end >= UNTIL_THE_END or (end < 0 and last == length) else 0
        begins = new_length(before)
        return begins, until or begins + new_length(piece), piece
    f = one_factor(axis)
    if last < f.old - by + 1:
        raise Unproven("a part of a feature map is taken in steps")
    counts = [len(range(first, n, by)) for n in (f.old, f.new)]
    return start, UNTIL_THE_END, ((Factor(counts[0], counts[1], f.along),),)


def _gather(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    axes = walk.of(node.inputs[0])
    along = attribute(node, "axis", 0) % len(axes)
    if not is_fixed(axes[along]) and constant(node.inputs[1]) is not None:
        raise Unproven("places of a feature map are picked by number")
    return [(*axes[:along], *walk.of(node.inputs[1]), *axes[along + 1 :])]


def _gather_elements(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    return [walk.of(node.inputs[1])]


def _matmul(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    a, b = walk.of(node.inputs[0]), walk.of(node.inputs[1])
    if len(a) < 2 or len(b) < 2 or not same(a[-1], b[-2]):
        raise Unproven("what is summed over would have another length")
    rank = max(len(a), len(b)) - 2
    rows = [tuple([fixed(1)] * (rank - len(x) + 2)) + x[:-2] for x in (a, b)]
    return [(*(_meet([x[i] for x in rows]) for i in range(rank)), a[-2], b[-1])]


def _gemm(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    a, b = walk.of(node.inputs[0]), walk.of(node.inputs[1])
    a = a[::-1] if attribute(node, "transA", 0) else a
    b = b[::-1] if attribute(node, "transB", 0) else b
    if not same(a[1], b[0]):
        raise Unproven("a fully connected layer would read another number of values")
    return [(a[0], b[1])]


def _pad(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    out = []
    for axis, n in zip(walk.of(node.inputs[0]), shape_of(node.outputs[0]), strict=True):
        more = n - old_length(axis)
        if is_fixed(axis):
            out.append(fixed(n))
        else:
            f = one_factor(axis)
            out.append(((Factor(f.old + more, f.new + more, f.along),),))
    return [tuple(out)]


def _reduce(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    axes = walk.of(node.inputs[0])
    given = constant(node.inputs[1]) if len(node.inputs) > 1 else attribute(node, "axes", None)
    if node.op_type.startswith("Arg"):
        given = [attribute(node, "axis", 0)]
    over = {int(i) % len(axes) for i in np.ravel(given)} if given is not None else set(range(len(axes)))
    if attribute(node, "keepdims", 1):
        return [tuple(fixed(1) if i in over else a for i, a in enumerate(axes))]
    return [tuple(a for i, a in enumerate(axes) if i not in over)]


def _topk(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    axes = list(walk.of(node.inputs[0]))
    along = attribute(node, "axis", -1) % len(axes)
    k = shape_of(node.outputs[0])[along]
    if k > new_length(axes[along]):
        raise Unproven(f"the best {k} of {new_length(axes[along])} are asked for")
    axes[along] = fixed(k)
    return [tuple(axes)] * len(node.outputs)


def _expand(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    out = tuple(
        axis if old_length(axis) == n else fixed(n)
        for axis, n in zip(walk.of(node.inputs[0]), shape_of(node.outputs[0]), strict=True)
    )
    return [out]


def _tile(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    repeats = constant(node.inputs[1])
    if repeats is None:
        raise Unproven("how often a tensor is repeated is computed")
    return [
        tuple(
            merged([fixed(int(r)), axis])
            for r, axis in zip(repeats.tolist(), walk.of(node.inputs[0]), strict=True)
        )
    ]


def unknown(node: ir.Node, walk: Walk) -> Sequence[Axes]:
    """An operator that is not in the table: right where nothing that it reads depends on the size."""
    for value in node.inputs:
        if value is not None and not all(is_fixed(a) for a in walk.of(value)):
            raise Unproven(f"{node.op_type} is not known here")
    return [tuple(fixed(n) for n in shape_of(v)) if has_shape(v) else () for v in node.outputs]


_UNARY = """
    Abs Cast Ceil Celu Clip Cos Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity LeakyRelu Log
    LogSoftmax Mish Neg Not Reciprocal Relu Round Selu Sigmoid Sign Sin Softmax Softplus Softsign Sqrt Tanh
    ThresholdedRelu BatchNormalization InstanceNormalization LayerNormalization LpNormalization LRN
""".split()  # noqa: SIM905
_ELEMENTWISE = """
    Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or Pow PRelu
    Sub Sum Where Xor
""".split()  # noqa: SIM905
RULES: dict[str, Rule] = {
    **dict.fromkeys(_UNARY, _same),
    **dict.fromkeys(_ELEMENTWISE, broadcast),
    **dict.fromkeys(("Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"), spatial),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), global_pool),
    **dict.fromkeys(("Flatten", "Squeeze", "Unsqueeze"), _flat),
    **dict.fromkeys(("SpaceToDepth", "DepthToSpace"), blocks),
    **dict.fromkeys(
        ("ReduceMax", "ReduceMin", "ReduceMean", "ReduceSum", "ReduceL2", "ArgMax", "ArgMin"), _reduce
    ),
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Resize": resize,
    "Pad": _pad,
    "TopK": _topk,
    "Expand": _expand,
    "Tile": _tile,
}
"""Operator -> its rule."""
