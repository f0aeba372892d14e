"""The layers that get zeros, and which of their weights those are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.prune.pattern import Mask, kept
from paredown._compress.prune.settings import Sparse
from paredown.graph.walk import constant, output_axis, weight_of

Weights = NDArray[np.float32]


@dataclass(frozen=True)
class SparseLayer:
    """A weight that gets zeros. share: of its weights."""

    node: ir.Node
    share: float

    @property
    def weight(self) -> ir.Value:
        value = weight_of(self.node)
        assert value is not None  # `_choose` took only such nodes
        return value

    @property
    def numbers(self) -> Weights:
        return np.asarray(constant(self.weight), np.float32)

    def mask(self, score: Weights, step: Sparse, share: float) -> Mask:
        """True where the weight is kept, in the weight's own shape; `score` has it too."""
        axis = output_axis(self.node)
        mask = kept(np.moveaxis(score, axis, 0), share, step.pattern, step.of, step.lanes)
        return np.ascontiguousarray(np.moveaxis(mask, 0, axis))


def masks_at_once(step: Sparse, layers: Sequence[SparseLayer]) -> dict[str, Mask]:
    """The mask of every layer from its weights as they are, by weight name."""
    return {str(x.weight.name): x.mask(np.abs(x.numbers), step, x.share) for x in layers}
