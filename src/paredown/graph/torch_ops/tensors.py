"""Arrays of ONNX types as torch tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paredown.errors import UnsupportedModel

_NARROW = ("int4", "uint4", "int2", "uint2")  # torch holds them in eight bits


def tensor_of(array: NDArray[Any], name: str = "") -> Tensor:
    """The tensor of the same values. Raises UnsupportedModel for types that torch computes nothing with."""
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(np.array(array, np.float32)).to(torch.bfloat16)
    if array.dtype.name in _NARROW:
        array = array.astype(np.int8)
    try:
        return torch.from_numpy(np.array(array))  # a copy: constants of a graph cannot be written to
    except TypeError as error:
        raise untyped(name, array.dtype.name) from error


def is_known(dtype: str) -> bool:
    """Whether torch has the numpy type of that name."""
    return isinstance(getattr(torch, dtype, None), torch.dtype) and not dtype.startswith("float8")


def untyped(name: str, dtype: str) -> UnsupportedModel:
    return UnsupportedModel(
        f"tensor {name!r} cannot be computed with in PyTorch",
        got=f"type {dtype}",
        expected="floats of 16 to 64 bits, integers or booleans",
    )
