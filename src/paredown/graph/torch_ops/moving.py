"""Operators that move, cut, repeat or select values, and those that make shapes.

Integer tensors are shapes, axes and indices: they are read as Python numbers.
"""

from __future__ import annotations

from math import prod

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from paredown.graph.torch_ops.call import Call, ints
from paredown.graph.torch_ops.tensors import tensor_of


def reshape(call: Call, x: Tensor, shape: Tensor) -> Tensor:
    wanted = ints(shape)
    if not call.get("allowzero", 0):
        wanted = [x.shape[i] if d == 0 else d for i, d in enumerate(wanted)]
    return x.reshape(call.rebatch(wanted, x.numel()))


def flatten(call: Call, x: Tensor) -> Tensor:
    axis = call.get("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(prod(x.shape[:axis]), -1)


def squeeze(call: Call, x: Tensor, axes: Tensor | None = None) -> Tensor:
    over = call.axes(axes)
    return x.squeeze() if over is None else x.squeeze(tuple(over))


def unsqueeze(call: Call, x: Tensor, axes: Tensor | None = None) -> Tensor:
    over = call.axes(axes) or []
    rank = x.ndim + len(over)
    for axis in sorted(a % rank for a in over):
        x = x.unsqueeze(axis)
    return x


def transpose(call: Call, x: Tensor) -> Tensor:
    return x.permute(call.get("perm") or list(reversed(range(x.ndim))))


def concat(call: Call, *xs: Tensor) -> Tensor:
    axis = call.get("axis")
    device = next((x.device for x in xs if x.device.type != "cpu"), xs[0].device)
    whole = max(x.shape[0] if x.ndim else 1 for x in xs)
    if axis % xs[0].ndim and whole == call.batch.now != call.batch.own:  # a stored token beside a batch
        xs = tuple(x.expand(whole, *x.shape[1:]) if x.shape[0] == call.batch.own else x for x in xs)
    return torch.cat([x.to(device) for x in xs], axis)


def split(call: Call, x: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, ...]:
    axis = call.get("axis", 0)
    wanted = call.get("split") if sizes is None else ints(sizes)
    if wanted is None:
        each = -(-x.shape[axis] // call.outputs)
        return torch.split(x, each, axis)
    return torch.split(x, list(wanted), axis)


def slice_(
    call: Call,
    x: Tensor,
    starts: Tensor | None = None,
    ends: Tensor | None = None,
    axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    first = list(call.get("starts")) if starts is None else ints(starts)
    last = list(call.get("ends")) if ends is None else ints(ends)
    over = call.axes(axes) or list(range(len(first)))
    strides = [1] * len(first) if steps is None else ints(steps)
    for start, end, axis, step in zip(first, last, over, strides, strict=True):
        taken = range(x.shape[axis])[slice(start, _end(end, step), step)]
        if step > 0:
            where = [slice(None)] * x.ndim
            where[axis] = slice(taken.start, taken.stop, step)
            x = x[tuple(where)]
        else:
            x = x.index_select(axis, torch.tensor(list(taken), dtype=torch.int64, device=x.device))
    return x


def _end(end: int, step: int) -> int | None:
    """Python's end of a slice: ONNX says "past the first" with a huge negative number."""
    return None if step < 0 and end <= -(2**31) + 1 else end


def gather(call: Call, x: Tensor, index: Tensor) -> Tensor:
    axis = call.get("axis", 0) % x.ndim
    flat = index.reshape(-1).to(device=x.device, dtype=torch.int64)
    flat = torch.where(flat < 0, flat + x.shape[axis], flat)
    return x.index_select(axis, flat).reshape([*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]])


def gather_elements(call: Call, x: Tensor, index: Tensor) -> Tensor:
    axis = call.get("axis", 0)
    index = index.to(x.device)
    return torch.gather(x, axis, torch.where(index < 0, index + x.shape[axis], index))


def gather_nd(call: Call, x: Tensor, index: Tensor) -> Tensor:
    if call.get("batch_dims", 0):
        raise call.refuse("GatherND with batch dimensions")
    return x[tuple(index.to(x.device).unbind(-1))]


def scatter_nd(call: Call, x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
    adds = {"none": False, "add": True}
    kind = call.get("reduction", "none")
    if kind not in adds:
        raise call.refuse(f"ScatterND with reduction {kind!r}")
    where = tuple(index.to(x.device).unbind(-1))
    return x.index_put(where, updates.to(x.device), accumulate=adds[kind])


def scatter_elements(call: Call, x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
    if call.get("reduction", "none") != "none":
        raise call.refuse("ScatterElements with a reduction")
    axis = call.get("axis", 0)
    index = index.to(x.device)
    return torch.scatter(x, axis, torch.where(index < 0, index + x.shape[axis], index), updates.to(x.device))


def expand(call: Call, x: Tensor, shape: Tensor) -> Tensor:
    wanted = ints(shape)
    if len(wanted) >= x.ndim and x.shape[:1] == (call.batch.now,):
        wanted = call.rebatch(wanted)
    return x.expand(list(np.broadcast_shapes(tuple(x.shape), tuple(wanted))))


def tile(call: Call, x: Tensor, repeats: Tensor) -> Tensor:
    return x.repeat(ints(repeats))


def pad(
    call: Call, x: Tensor, pads: Tensor | None = None, value: Tensor | None = None, axes: Tensor | None = None
) -> Tensor:
    amounts = list(call.get("pads")) if pads is None else ints(pads)
    over = list(range(x.ndim)) if axes is None else [a % x.ndim for a in ints(axes)]
    before, behind = [0] * x.ndim, [0] * x.ndim
    for place, axis in enumerate(over):
        before[axis], behind[axis] = amounts[place], amounts[place + len(over)]
    mode = call.get("mode", "constant")
    number = call.get("value", 0.0) if value is None else value.item()
    known = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    if mode == "constant":
        spread = [p for axis in reversed(range(x.ndim)) for p in (before[axis], behind[axis])]
        return F.pad(x, spread, value=number)
    if any(before[:2]) or any(behind[:2]):
        raise call.refuse(f"padding of batch or channels in mode {mode!r}")
    spread = [p for axis in reversed(range(2, x.ndim)) for p in (before[axis], behind[axis])]
    return F.pad(x, spread, mode=known[mode])


def depth_to_space(call: Call, x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    b = call.get("blocksize")
    if call.get("mode", "DCR") == "DCR":
        blocks = x.reshape(n, b, b, c // (b * b), h, w).permute(0, 3, 4, 1, 5, 2)
    else:
        blocks = x.reshape(n, c // (b * b), b, b, h, w).permute(0, 1, 4, 2, 5, 3)
    return blocks.reshape(n, c // (b * b), h * b, w * b)


def space_to_depth(call: Call, x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    b = call.get("blocksize")
    order = (0, 3, 5, 1, 2, 4) if call.get("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    blocks = x.reshape(n, c, h // b, b, w // b, b).permute(order)
    return blocks.reshape(n, c * b * b, h // b, w // b)


def shape_of(call: Call, x: Tensor) -> Tensor:
    return torch.tensor(list(x.shape)[call.get("start", 0) : call.get("end")], dtype=torch.int64)


def size_of(call: Call, x: Tensor) -> Tensor:
    return torch.tensor(x.numel(), dtype=torch.int64)


def constant(call: Call) -> Tensor:
    (name, value), *_ = call.attributes.items()
    if name == "value":
        return tensor_of(value.numpy(), call.name)
    return torch.tensor(value, dtype=torch.int64 if "int" in name else torch.float32)


def constant_of_shape(call: Call, shape: Tensor) -> Tensor:
    value = call.get("value")
    filled = torch.zeros(1) if value is None else tensor_of(value.numpy(), call.name)
    return filled.reshape(1).expand(ints(shape)).clone()


def range_(call: Call, start: Tensor, limit: Tensor, step: Tensor) -> Tensor:
    return torch.arange(start.item(), limit.item(), step.item(), dtype=start.dtype)


def trilu(call: Call, x: Tensor, offset: Tensor | None = None) -> Tensor:
    diagonal = 0 if offset is None else ints(offset)[0]
    return torch.triu(x, diagonal) if call.get("upper", 1) else torch.tril(x, diagonal)


def one_hot(call: Call, index: Tensor, depth: Tensor, values: Tensor) -> Tensor:
    if call.get("axis", -1) != -1:
        raise call.refuse("OneHot along another axis than the last")
    chosen = F.one_hot(index.to(torch.int64) % ints(depth)[0], ints(depth)[0]).bool()
    off, on = values.unbind()
    return torch.where(chosen, on, off)
