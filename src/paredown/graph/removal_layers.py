"""What layers with weights do to classes of channels that are to be removed (`removal_rules.py`).

Shapes: weights (O, I / group, ...) of a convolution, (I, O / group, ...) of a transposed one.
"""

from __future__ import annotations

import numpy as np

from paredown.graph.channels import Channels, spread
from paredown.graph.flow import Flow, Operand, Refused
from paredown.graph.moves import Ids
from paredown.graph.walk import attribute, shape_of

Sent = tuple[list[Ids], list[Operand]]
"""The ids at every place of the outputs, and the constants that shrink."""


def conv(flow: Flow) -> Sent:
    node, (outer, inner, *kernel) = flow.node, flow.weight()
    read = flow.along(flow.source(), 1)
    group, rest = attribute(node, "group", 1), (None,) * len(kernel)
    if group == 1:
        out = flow.channels.new(outer)
        weight = Operand(node, 1, (out, read, *rest), reads=1)
    elif inner == 1:
        out = np.repeat(read, outer // group)
        weight = Operand(node, 1, (out, None, *rest))
    else:
        read = _shared_by_groups(flow.channels, read, group)
        out = np.tile(flow.channels.new(outer // group), group)
        weight = Operand(node, 1, (out, read, *rest), reads=1)
    return [spread(out, flow.shape())], [weight, *_bias(flow, out)]


def transposed_conv(flow: Flow) -> Sent:
    node, (outer, inner, *kernel) = flow.node, flow.weight()  # (I, O / group, ...)
    read = flow.along(flow.source(), 1)
    group, rest = attribute(node, "group", 1), (None,) * len(kernel)
    if group > 1 and group == outer:
        out = np.repeat(read, inner)
        weight = Operand(node, 1, (read, None, *rest))
    else:
        _shared_by_groups(flow.channels, read, group)
        made = flow.channels.new(inner)
        out = np.tile(made, group)
        weight = Operand(node, 1, (read, made, *rest), reads=0)
    return [spread(out, flow.shape())], [weight, *_bias(flow, out)]


def gemm(flow: Flow) -> Sent:
    if attribute(flow.node, "transA", 0):
        raise Refused("Gemm of a transposed input")
    shape, rows_first = flow.weight(), bool(attribute(flow.node, "transB", 0))
    read = flow.along(flow.source(), 1)
    out = flow.channels.new(shape[0 if rows_first else 1])
    weight = Operand(flow.node, 1, (out, read) if rows_first else (read, out), reads=int(rows_first))
    return [spread(out, flow.shape())], [weight, *_bias(flow, out)]


def matmul(flow: Flow) -> Sent:
    shape = flow.weight()
    if len(shape) != 2:
        raise Refused("MatMul with a stack of matrices")
    read, out = flow.along(flow.source(), -1), flow.channels.new(shape[1])
    answer = flow.shape()
    return [spread(out, answer, len(answer) - 1)], [Operand(flow.node, 1, (read, out), reads=0)]


def _shared_by_groups(channels: Channels, read: Ids, group: int) -> Ids:
    """(C / group,): the channels at one place of all groups are one class, so that groups stay alike."""
    rows = read.reshape(group, -1)
    for row in rows[1:]:
        channels.unite(rows[0], row)
    first: Ids = rows[0]
    return first


def _bias(flow: Flow, out: Ids) -> list[Operand]:
    if len(flow.node.inputs) < 3 or flow.node.inputs[2] is None:
        return []
    shape = shape_of(flow.node.inputs[2])
    if not shape or shape[-1] != len(out):
        return []  # one number for all channels
    return [Operand(flow.node, 2, (*(None,) * (len(shape) - 1), out))]
