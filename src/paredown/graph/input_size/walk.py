"""The walk over a graph: the axes of every tensor at both sizes, and what must be written anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.graph.input_size.axes import Axes, Unproven, fixed
from paredown.graph.input_size.grids import Size, counts_in_fractions, depends, regrow
from paredown.graph.walk import constant, shape_of


@dataclass
class Walk:
    """Axes of every tensor so far, and the inputs of nodes that become another constant.

    grids: constants that stand on feature maps, their axes, whether they count in fractions of the input;
    `regrow` makes them anew once all are known.
    """

    size: Size
    axes: dict[ir.Value, Axes] = field(default_factory=dict)
    changed: dict[tuple[ir.Node, int], NDArray[np.generic]] = field(default_factory=dict)
    grids: dict[tuple[ir.Node, int], tuple[NDArray[np.generic], Axes, bool | None]] = field(
        default_factory=dict
    )

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

    def grow(self, node: ir.Node, index: int, array: NDArray[np.generic], axes: Axes) -> None:
        """Marks a constant that stands on a feature map, where it does; its values must be planes."""
        if depends(axes) and array.size > 1:
            self.grids[node, index] = array, axes, counts_in_fractions(array, axes)

    def regrow(self) -> None:
        """All grids at the new size, in the unit that the places among them are in."""
        somewhere = any(fractions for _, _, fractions in self.grids.values())
        for place, (array, axes, fractions) in self.grids.items():
            self.changed[place] = regrow(array, axes, self.size, somewhere and fractions is not False)


Rule = Callable[[ir.Node, Walk], Sequence[Axes]]
"""Gives the axes of a node's outputs. Raises Unproven where nothing is known of them."""
