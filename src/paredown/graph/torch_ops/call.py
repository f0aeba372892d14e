"""What an operator's function is given besides its tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from paredown.errors import UnsupportedModel


@dataclass
class Batch:
    """own: the batch written into the exported graph's shapes. now: the batch at hand."""

    own: int
    now: int


@dataclass(frozen=True)
class Call:
    """One node without its tensors."""

    name: str
    op: str
    attributes: Mapping[str, Any]
    opset: int
    outputs: int
    batch: Batch

    def get(self, name: str, default: Any = None) -> Any:
        return self.attributes.get(name, default)

    def refuse(self, why: str) -> UnsupportedModel:
        """The error that says what this node asks for and the executor does not know."""
        return UnsupportedModel(f"node {self.name!r} ({self.op}) cannot be run in PyTorch", got=why)

    def axes(self, given: Tensor | None) -> list[int] | None:
        """Axes from an input (newer opsets) or from the attribute (older ones)."""
        if given is not None:
            return ints(given)
        found = self.get("axes")
        return None if found is None else list(found)

    def rebatch(self, shape: list[int], numel: int | None = None) -> list[int]:
        """A shape that begins with the export's own batch, begun with the batch at hand instead.

        numel: how many values must fit; a shape that holds exactly those is left as it is.
        """
        if self.batch.now == self.batch.own or not shape or shape[0] != self.batch.own:
            return shape
        if numel is not None and -1 not in shape and _product(shape) == numel:
            return shape
        return [self.batch.now, *shape[1:]]


Function = Callable[..., Tensor | tuple[Tensor, ...]]
"""function(call, *inputs) -> the output, or a tuple of outputs. A missing optional input is None."""


def ints(values: Tensor) -> list[int]:
    """The integers of a shape, a list of axes or an index."""
    flat: list[int] = values.reshape(-1).to(torch.int64).tolist()
    return flat


def _product(shape: list[int]) -> int:
    product = 1
    for d in shape:
        product *= d
    return product
