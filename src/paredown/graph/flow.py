"""One node and the channels that reach it: what the rules of removal (`removal_rules.py`) work on.

Shapes: ids as large as the tensor they belong to; C channels along one axis of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from paredown.graph.channels import Channels, unrepeated
from paredown.graph.moves import Full, Ids
from paredown.graph.walk import data_inputs, shape_of, weight_of


@dataclass(frozen=True)
class Operand:
    """A constant that shrinks with channels: input `index` of a node.

    ids: for every axis of it the (n,) ids of its entries, None where the axis stays whole. reads: the axis
    that counts what a layer reads, -1 for constants that read nothing.
    """

    node: ir.Node
    index: int
    ids: tuple[Ids | None, ...]
    reads: int = -1


class Refused(Exception):
    """A node whose effect on channels cannot be told; the text says why."""


@dataclass(frozen=True)
class Flow:
    """One node and the ids that reach it."""

    node: ir.Node
    full: Full
    channels: Channels

    def shape(self, index: int = 0) -> tuple[int, ...]:
        """The shape of an output."""
        shape = shape_of(self.node.outputs[index])
        if len(shape) < 2 or 0 in shape:
            raise Refused(f"{self.node.op_type} answers in no known shape of several axes")
        return shape

    def source(self) -> Ids:
        """The ids of the one computed input, which must be the first."""
        inputs = data_inputs(self.node)
        if len(inputs) != 1 or self.node.inputs[0] is not inputs[0]:
            raise Refused(f"{self.node.op_type} of {len(inputs)} computed tensors")
        return self.full[inputs[0]]

    def along(self, ids: Ids, axis: int) -> Ids:
        """The ids (C,) along an axis, where they vary along no other."""
        if any(a != axis % ids.ndim for a in varying_axes(self.channels, ids)):
            raise Refused(f"{self.node.op_type} reads more than channels along axis {axis}")
        return line_of(ids, axis)

    def axis(self, ids: Ids) -> int | None:
        """The one axis that ids vary along, None where they are the same everywhere."""
        varying = varying_axes(self.channels, ids)
        if len(varying) > 1:
            raise Refused(f"channels along several axes at {self.node.op_type}")
        return varying[0] if varying else None

    def weight(self) -> tuple[int, ...]:
        weight = weight_of(self.node)
        if weight is None:
            raise Refused(f"the weight of {self.node.op_type} is computed")
        return shape_of(weight)


def varying_axes(channels: Channels, ids: Ids) -> list[int]:
    """The axes along which classes differ."""
    small = unrepeated(ids)
    if max(small.shape, default=1) == small.size:  # one line of numbers: no root is needed for that
        return [axis for axis, n in enumerate(small.shape) if n > 1]
    roots = channels.roots(small)
    return [a for a, n in enumerate(small.shape) if n > 1 and (roots != roots.take([0], a)).any()]


def line_of(ids: Ids, axis: int) -> Ids:
    rows = np.moveaxis(unrepeated(ids), axis, 0)
    return np.broadcast_to(rows.reshape(len(rows), -1)[:, 0], (ids.shape[axis],)).copy()
