"""The walk over a graph: the axes of every tensor at both sizes, and what must be written anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.graph.input_size.axes import Axes, Unproven, fixed
from paredown.graph.input_size.grids import Size
from paredown.graph.walk import constant, shape_of


@dataclass
class Walk:
    """Axes of every tensor so far; `changed`: inputs of nodes that become another constant."""

    size: Size
    axes: dict[ir.Value, Axes] = field(default_factory=dict)
    changed: dict[tuple[ir.Node, int], NDArray[np.generic]] = field(default_factory=dict)
    attributes: dict[tuple[ir.Node, str], list[int]] = field(default_factory=dict)

    def of(self, value: ir.Value | None) -> Axes:
        """The axes of an input; those of a constant, and of what no input reaches, are fixed."""
        if value is None:
            raise Unproven("an input that is left out")
        if value not in self.axes:
            self.axes[value] = tuple(fixed(n) for n in shape_of(value))
        return self.axes[value]

    def rewrite(self, node: ir.Node, index: int, values: Sequence[int]) -> None:
        """Gives a constant input of integers new values, where they differ."""
        old = constant(node.inputs[index])
        assert old is not None
        new = np.asarray(values, old.dtype).reshape(old.shape)
        if not np.array_equal(old, new):
            self.changed[node, index] = new


Rule = Callable[[ir.Node, Walk], Sequence[Axes]]
"""Gives the axes of a node's outputs. Raises Unproven where nothing is known of them."""
