"""Convolutions, products, pools, normalisations, softmax.

x: (N, C, *space); weight of Conv: (O, C / group, *kernel).
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor

import torch
import torch.nn.functional as F
from torch import Tensor

from paredown.graph.torch_ops.call import Call

_CONV: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED: dict[int, Callable[..., Tensor]] = {
    1: F.conv_transpose1d,
    2: F.conv_transpose2d,
    3: F.conv_transpose3d,
}
_MAX: dict[int, Callable[..., Tensor]] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE: dict[int, Callable[..., Tensor]] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def conv(call: Call, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    space = x.ndim - 2
    strides = call.get("strides") or [1] * space
    dilations = call.get("dilations") or [1] * space
    begin, end = _pads(call, x, list(weight.shape[2:]), strides, dilations)
    if begin != end:
        x, begin = F.pad(x, _interleaved(begin, end)), [0] * space
    return _CONV[space](x, weight, bias, strides, begin, dilations, call.get("group", 1))


def conv_transpose(call: Call, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    space = x.ndim - 2
    strides = call.get("strides") or [1] * space
    dilations = call.get("dilations") or [1] * space
    extra = call.get("output_padding") or [0] * space
    if call.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or call.get("output_shape"):
        raise call.refuse("automatic padding of a transposed convolution")
    pads = call.get("pads") or [0] * 2 * space
    begin, end = pads[:space], pads[space:]
    made = _TRANSPOSED[space](x, weight, bias, strides, 0, extra, call.get("group", 1), dilations)
    for axis in range(space):
        size = made.shape[axis + 2] - begin[axis] - end[axis]
        made = made.narrow(axis + 2, begin[axis], size)
    return made


def gemm(call: Call, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    a = a.T if call.get("transA", 0) else a
    b = b.T if call.get("transB", 0) else b
    made = call.get("alpha", 1.0) * (a @ b) if call.get("alpha", 1.0) != 1.0 else a @ b
    if c is None:
        return made
    return made + (c if call.get("beta", 1.0) == 1.0 else call.get("beta", 1.0) * c)


def einsum(call: Call, *xs: Tensor) -> Tensor:
    return torch.einsum(call.get("equation"), *xs)


def max_pool(call: Call, x: Tensor) -> Tensor:
    if call.outputs > 1:
        raise call.refuse("the indices of a MaxPool")
    kernel, space = call.get("kernel_shape"), x.ndim - 2
    strides = call.get("strides") or [1] * space
    dilations = call.get("dilations") or [1] * space
    begin, end = _pads(call, x, kernel, strides, dilations)
    if begin != end or any(2 * b > k for b, k in zip(begin, kernel, strict=True)):
        x, begin = F.pad(x, _interleaved(begin, end), value=-torch.inf), [0] * space
    return _MAX[space](x, kernel, strides, begin, dilations, bool(call.get("ceil_mode", 0)))


def average_pool(call: Call, x: Tensor) -> Tensor:
    kernel, space = call.get("kernel_shape"), x.ndim - 2
    strides = call.get("strides") or [1] * space
    if any(d != 1 for d in call.get("dilations") or []):
        raise call.refuse("a dilated AveragePool")
    begin, end = _pads(call, x, kernel, strides, [1] * space)
    ceiled, with_pad = bool(call.get("ceil_mode", 0)), bool(call.get("count_include_pad", 0))
    if begin == end and all(2 * b <= k for b, k in zip(begin, kernel, strict=True)):
        return _AVERAGE[space](x, kernel, strides, begin, ceiled, with_pad)
    spread = _interleaved(begin, end)
    made = _AVERAGE[space](F.pad(x, spread), kernel, strides, 0, ceiled)
    if with_pad:
        return made
    inside = F.pad(torch.ones_like(x[:1, :1]), spread)
    return made / _AVERAGE[space](inside, kernel, strides, 0, ceiled)


def global_average_pool(call: Call, x: Tensor) -> Tensor:
    return x.mean(list(range(2, x.ndim)), keepdim=True)


def global_max_pool(call: Call, x: Tensor) -> Tensor:
    return x.amax(list(range(2, x.ndim)), keepdim=True)


def batch_norm(call: Call, x: Tensor, gain: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    if call.get("training_mode", 0):
        raise call.refuse("BatchNormalization in training mode")
    return F.batch_norm(x, mean, variance, gain, bias, False, 0.0, call.get("epsilon", 1e-5))


def instance_norm(call: Call, x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    return F.instance_norm(x, weight=gain, bias=bias, eps=call.get("epsilon", 1e-5))


def group_norm(call: Call, x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    groups = call.get("num_groups")
    if gain.numel() == groups != x.shape[1]:  # opset 18 has one gain a group, 21 one a channel
        gain, bias = (v.repeat_interleave(x.shape[1] // groups) for v in (gain, bias))
    return F.group_norm(x, groups, gain, bias, call.get("epsilon", 1e-5))


def layer_norm(call: Call, x: Tensor, gain: Tensor, bias: Tensor | None = None) -> Tensor:
    if call.outputs > 1:
        raise call.refuse("the statistics of a LayerNormalization")
    axis = call.get("axis", -1) % x.ndim
    return F.layer_norm(x, x.shape[axis:], gain, bias, call.get("epsilon", 1e-5))


def local_response_norm(call: Call, x: Tensor) -> Tensor:
    size = call.get("size")
    return F.local_response_norm(
        x, size, call.get("alpha", 1e-4), call.get("beta", 0.75), call.get("bias", 1.0)
    )


def lp_norm(call: Call, x: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(x, call.get("p", 2), call.get("axis", -1), keepdim=True)
    return x / torch.where(length == 0, 1.0, length)  # zeros stay zeros


def dropout(
    call: Call, x: Tensor, ratio: Tensor | None = None, training: Tensor | None = None
) -> tuple[Tensor, ...]:
    """What inference does: nothing. The mask says that everything was kept."""
    drops = 0.5 if ratio is None else float(ratio.item())
    drops = float(call.get("ratio", drops))
    trains = bool(training.item()) if training is not None else call.opset < 7 and not call.get("is_test", 0)
    if trains and drops > 0:
        raise call.refuse("Dropout in training mode")
    return x, torch.ones_like(x, dtype=torch.bool)


def softmax(call: Call, x: Tensor) -> Tensor:
    return _softly(call, x, torch.softmax)


def log_softmax(call: Call, x: Tensor) -> Tensor:
    return _softly(call, x, torch.log_softmax)


def _softly(call: Call, x: Tensor, compute: Callable[[Tensor, int], Tensor]) -> Tensor:
    if call.opset >= 13:
        return compute(x, call.get("axis", -1))
    axis = call.get("axis", 1) % x.ndim  # until 12 everything from the axis on is one row
    return compute(x.flatten(axis), axis).reshape(x.shape)


def _pads(
    call: Call, x: Tensor, kernel: list[int], strides: list[int], dilations: list[int]
) -> tuple[list[int], list[int]]:
    """Padding before and behind each axis of space."""
    space, mode = x.ndim - 2, call.get("auto_pad", "NOTSET")
    if mode in ("NOTSET", "VALID"):
        pads = list(call.get("pads") or [0] * 2 * space) if mode == "NOTSET" else [0] * 2 * space
        return pads[:space], pads[space:]
    begin, end = [], []
    for size, k, s, d in zip(x.shape[2:], kernel, strides, dilations, strict=True):
        total = max((ceil(size / s) - 1) * s + (k - 1) * d + 1 - size, 0)
        less, more = floor(total / 2), ceil(total / 2)
        begin.append(less if mode == "SAME_UPPER" else more)
        end.append(more if mode == "SAME_UPPER" else less)
    return begin, end


def _interleaved(begin: list[int], end: list[int]) -> list[int]:
    """Pads in torch's order: the last axis first, before and behind."""
    return [p for b, e in zip(reversed(begin), reversed(end), strict=True) for p in (b, e)]
