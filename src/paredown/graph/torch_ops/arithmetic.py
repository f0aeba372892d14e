"""Elementwise operators, comparisons and reductions.

x, y: tensors of any shape that broadcast against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from paredown.graph.torch_ops.call import Call, Function, ints

DTYPES = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    5: torch.int16,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
    16: torch.bfloat16,
}
"""ONNX type number -> torch type."""


def unary(compute: Callable[[Tensor], Tensor]) -> Function:
    """An operator of one tensor and no attributes."""
    return lambda call, x: compute(x)


def binary(compute: Callable[[Tensor, Tensor], Tensor]) -> Function:
    """An operator of two tensors and no attributes."""
    return lambda call, x, y: compute(*_together(x, y))


def variadic(compute: Callable[[Tensor, Tensor], Tensor]) -> Function:
    """An operator of any number of tensors."""
    return lambda call, *xs: reduce(lambda x, y: compute(*_together(x, y)), xs)


def _together(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both on one device: shapes are computed on the CPU and may meet an activation."""
    if x.device != y.device:
        return (x.to(y.device), y) if x.device.type == "cpu" else (x, y.to(x.device))
    return x, y


def div(call: Call, x: Tensor, y: Tensor) -> Tensor:
    x, y = _together(x, y)
    whole = not (x.is_floating_point() or y.is_floating_point())
    return torch.div(x, y, rounding_mode="trunc") if whole else x / y


def power(call: Call, x: Tensor, y: Tensor) -> Tensor:
    exponent = y.item() if y.numel() == 1 else None
    if exponent is not None:
        return x * x if exponent == 2 else torch.pow(x, exponent)
    return torch.pow(*_together(x, y)).to(x.dtype)


def mod(call: Call, x: Tensor, y: Tensor) -> Tensor:
    x, y = _together(x, y)
    return torch.fmod(x, y) if call.get("fmod", 0) else torch.remainder(x, y)


def mean(call: Call, *xs: Tensor) -> Tensor:
    return reduce(torch.add, xs) / len(xs)


def where(call: Call, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    x, y = _together(x, y)
    return torch.where(condition.to(x.device), x, y)


def clip(call: Call, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    least = call.get("min") if low is None else low.item()
    most = call.get("max") if high is None else high.item()
    return x if least is None and most is None else torch.clamp(x, least, most)


def cast(call: Call, x: Tensor) -> Tensor:
    number = int(call.get("to"))
    if number not in DTYPES:
        raise call.refuse(f"a cast to ONNX type {number}")
    return x.to(DTYPES[number])


def cast_like(call: Call, x: Tensor, like: Tensor) -> Tensor:
    return x.to(like.dtype) if call.get("to") is None else cast(call, x)


def leaky_relu(call: Call, x: Tensor) -> Tensor:
    return F.leaky_relu(x, call.get("alpha", 0.01))


def prelu(call: Call, x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x < 0, x * slope, x)


def elu(call: Call, x: Tensor) -> Tensor:
    return F.elu(x, call.get("alpha", 1.0))


def celu(call: Call, x: Tensor) -> Tensor:
    return F.celu(x, call.get("alpha", 1.0))


def selu(call: Call, x: Tensor) -> Tensor:
    alpha, gamma = call.get("alpha", 1.6732631921768188), call.get("gamma", 1.0507009873554805)
    grown: Tensor = gamma * torch.where(x > 0, x, alpha * (torch.exp(x) - 1))
    return grown


def thresholded_relu(call: Call, x: Tensor) -> Tensor:
    return F.threshold(x, call.get("alpha", 1.0), 0.0)


def hard_sigmoid(call: Call, x: Tensor) -> Tensor:
    return torch.clamp(x * call.get("alpha", 0.2) + call.get("beta", 0.5), 0.0, 1.0)


def gelu(call: Call, x: Tensor) -> Tensor:
    return F.gelu(x, approximate=call.get("approximate", "none"))


def reduction(compute: Callable[[Tensor, list[int], bool], Tensor]) -> Function:
    """A reduction over axes; over all of them where none are named."""

    def run(call: Call, x: Tensor, axes: Tensor | None = None) -> Tensor:
        over = call.axes(axes)
        if not over and call.get("noop_with_empty_axes", 0):
            return x
        return compute(x, over or list(range(x.ndim)), bool(call.get("keepdims", 1)))

    return run


def product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted((a % x.ndim for a in axes), reverse=True):
        x = torch.prod(x, axis, keepdim=keep)
    return x


def extreme(compute: Callable[..., Tensor]) -> Function:
    """ArgMax or ArgMin."""

    def run(call: Call, x: Tensor) -> Tensor:
        axis, keep = call.get("axis", 0), bool(call.get("keepdims", 1))
        if call.get("select_last_index", 0):
            from_behind: Tensor = x.shape[axis] - 1 - compute(x.flip(axis), axis, keepdim=keep)
            return from_behind
        return compute(x, axis, keepdim=keep)

    return run


def top_k(call: Call, x: Tensor, count: Tensor | None = None) -> tuple[Tensor, ...]:
    """Of equal values the one with the lower index comes first, which torch.topk does not promise."""
    axis, number = call.get("axis", -1), call.get("k") if count is None else ints(count)[0]
    values, places = torch.sort(x, dim=axis, descending=bool(call.get("largest", 1)), stable=True)
    return values.narrow(axis, 0, number), places.narrow(axis, 0, number)


def cumulative_sum(call: Call, x: Tensor, axis: Tensor) -> Tensor:
    if call.get("exclusive", 0) or call.get("reverse", 0):
        raise call.refuse("an exclusive or reversed cumulative sum")
    return torch.cumsum(x, ints(axis)[0], dtype=x.dtype)
