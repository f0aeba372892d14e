"""QuantizeLinear and DequantizeLinear with gradients.

v = x / s,  q = clip(round(v) + z, low, high),  y = (q - z) s

    dy/dx = 1 inside the grid, 0 outside          (straight-through; Bengio et al. 2013, arXiv 1308.3432)
    dy/ds = round(v) - v inside the grid, low - z or high - z outside
                                                  (Esser et al. 2020, arXiv 1902.08153, eq. 3)

The gradient of s is scaled by g = 1 / sqrt(N (high - z)), N values to a scale (section 2.2 there).
s and z are scalars, or (n,) along `axis`, or blocks of `block_size` along it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from paredown.graph.torch_ops.call import Call

WINDOW = 2.0  # times the mean of |x|: beyond, a sign will not change
FAR = 3.0  # times its scale: a weight of two values that is farther from zero will not change its sign


def quantize(call: Call, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """The integers, as floats so that gradients pass."""
    s, z = _along(call, x, scale), _zero(call, x, zero)
    rounded: Tensor = _Round.apply(x / s)  # type: ignore[no-untyped-call]
    return torch.clamp(rounded + z, call.get("low"), call.get("high"))


def dequantize(call: Call, q: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    return (q.to(scale.device) - _zero(call, q, zero)) * _along(call, q, scale)


def fake_quantize(call: Call, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """dequantize(quantize(x)) in one pass: a Q with its DQ, or a learned weight on its grid."""
    z = _zero(call, x, zero)
    low, high, levels = call.get("low") - z, call.get("high") - z, call.get("levels", None)
    made: Tensor = _FakeQuantize.apply(x, _along(call, x, scale), low, high, levels)  # type: ignore[no-untyped-call]
    return made


def signs(call: Call, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """scale sign(x), sign(0) = 1: a learned weight of two values.

    Source: Rastegari et al. 2016, arXiv 1603.05279, eq. 4 and section 3.1: the gradient of sign is 1 where
    |x| is below a limit, else 0.
    Differs from the source: the limit is `FAR` times the scale instead of 1 (the source's weights are far
    below 1); the scale is learned and does not follow the mean of |x|.
    """
    made: Tensor = _Signs.apply(x, _along(call, x, scale))  # type: ignore[no-untyped-call]
    return made


def sign(call: Call, x: Tensor) -> Tensor:
    """sign(x), with a gradient of 1 where |x| is below `WINDOW` times its mean, else 0.

    Source: Rastegari et al. 2016, arXiv 1603.05279, section 3.1.
    Differs from the source: the window follows |x|, whose mean is not 1 without batch normalisation.
    """
    made: Tensor = _Sign.apply(x)  # type: ignore[no-untyped-call]
    return made


def _zero(call: Call, x: Tensor, zero: Tensor | None) -> Tensor | float:
    """Zero points are integers and live on the CPU: one for all costs no look at the device."""
    if zero is None:
        return 0.0
    return float(zero.item()) if zero.numel() == 1 else _along(call, x, zero.to(x.device, torch.float32))


def _along(call: Call, x: Tensor, values: Tensor) -> Tensor:
    """values shaped so that they broadcast against x."""
    if values.numel() == 1:
        return values.reshape(())
    axis = call.get("axis", 1)
    if block := call.get("block_size", 0):
        return values.repeat_interleave(block, axis).narrow(axis, 0, x.shape[axis])
    shape = [1] * x.ndim
    shape[axis] = -1
    return values.reshape(shape)


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.round(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0]


class _FakeQuantize(torch.autograd.Function):
    """s: () or shaped to broadcast against x. low, high: the grid's limits less its zero point.

    levels: (k,), rising, the only integers there are, or None.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, s: Tensor, low: Any, high: Any, levels: Tensor | None) -> Tensor:
        if levels is None:
            y = torch.div(x, s).round_().clamp_(low, high).mul_(s)
        else:
            levels = levels.to(x.device)
            y = levels[torch.bucketize(x / s, (levels[1:] + levels[:-1]) / 2)].mul_(s)
        ctx.save_for_backward(x, y, s)
        ctx.low, ctx.high = low, high
        ctx.apart = 1.0 if levels is None else levels.diff().median().item()
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, y, s = ctx.saved_tensors
        g, x, y = grads[0].contiguous(), x.contiguous(), y.contiguous()
        whole = s.ndim == 0 and isinstance(ctx.low, float)
        at_x = _inside(g, x, ctx.low * s.item(), ctx.high * s.item()) if whole else g * _mask(x, s, ctx)
        if not ctx.needs_input_grad[1]:
            return at_x, None, None, None, None
        if whole:  # the sum of at_x (y - x) + (g - at_x) y, in two passes and no tensor in between
            at_s = torch.dot(g.flatten(), y.flatten()) - torch.dot(at_x.flatten(), x.flatten())
        else:
            at_s = (at_x * (y - x) + (g - at_x) * y).sum_to_size(s.shape)
        top = ctx.high if isinstance(ctx.high, float) else ctx.high.max().item()
        shrink = (max(top / ctx.apart, 1.0) * x.numel() / s.numel()) ** -0.5
        return at_x, at_s * shrink / s, None, None, None


class _Signs(torch.autograd.Function):
    """s: () or shaped to broadcast against x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, s: Tensor) -> Tensor:
        ctx.save_for_backward(x, s)
        return torch.where(x < 0, -s, s)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, s = ctx.saved_tensors
        g = grads[0]
        at_s = (g * torch.where(x < 0, -1.0, 1.0)).sum_to_size(s.shape)
        return g * (x.abs() < FAR * s), at_s * (x.numel() / s.numel()) ** -0.5


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.sign(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        size = x.abs()
        mean = size.mean().clamp(min=1e-12)
        made: Tensor = grads[0] * (size < WINDOW * mean) / mean
        return made


def _inside(g: Tensor, x: Tensor, low: float, high: float) -> Tensor:
    """g where low < x < high, else 0, in one pass."""
    made: Tensor = torch.ops.aten.hardtanh_backward(g, x, low, high)
    return made


def _mask(x: Tensor, s: Tensor, ctx: Any) -> Tensor:
    made: Tensor = (x > ctx.low * s) & (x < ctx.high * s)
    return made
