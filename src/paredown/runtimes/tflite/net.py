"""What a TFLite file holds, as plain values: tensors, and operators in the order in which they run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

NumberType = Literal["FLOAT32", "FLOAT16", "INT8", "INT4", "INT32", "INT64", "BOOL"]
"""Names of the schema's TensorType."""

ABSENT = -1
"""Stands for an optional input that is not given."""


@dataclass(frozen=True)
class QuantParams:
    """real = scale * (integer - zero_point); one scale, or one for each index of `axis` with zero point 0."""

    scales: tuple[float, ...]
    zero_point: int = 0
    axis: int = 0

    @property
    def scale(self) -> float:
        """The only scale."""
        (scale,) = self.scales
        return scale


@dataclass(frozen=True)
class Tensor:
    """A tensor of the file. `data` is given for a constant: INT4 as one int8 number an element."""

    name: str
    shape: tuple[int, ...]
    type: NumberType
    params: QuantParams | None = None
    data: NDArray[np.generic] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Operator:
    """A built-in operator: names of the schema's BuiltinOperator and options table, indices of tensors."""

    code: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass
class Net:
    """One subgraph, while it is written down."""

    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    layouts: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """In which order a tensor holds the axes of the ONNX tensor of its name."""

    def add(self, tensor: Tensor) -> int:
        """The index of the new tensor."""
        self.tensors.append(tensor)
        return len(self.tensors) - 1
