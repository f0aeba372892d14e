"""Resize and Upsample: one axis after the other, each output position a weighted sum of input positions.

i: position in the output, x(i): its place in the input, in input positions. ONNX, operator Resize.
"""

from __future__ import annotations

from collections.abc import Callable
from math import floor

import torch
import torch.nn.functional as F
from torch import Tensor

from paredown.graph.torch_ops.call import Call, ints

Place = Callable[[Tensor, float, int, int], Tensor]  # i, scale, length in, length out -> x(i)

_PLACES: dict[str, Place] = {
    "half_pixel": lambda i, s, n, m: (i + 0.5) / s - 0.5,
    "asymmetric": lambda i, s, n, m: i / s,
    "align_corners": lambda i, s, n, m: i * (n - 1) / (m - 1) if m > 1 else i * 0,
    "pytorch_half_pixel": lambda i, s, n, m: (i + 0.5) / s - 0.5 if m > 1 else i * 0,
}

_ROUND: dict[str, Callable[[Tensor], Tensor]] = {
    "round_prefer_floor": lambda x: torch.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: torch.floor(x + 0.5),
    "floor": torch.floor,
    "ceil": torch.ceil,
}


def resize(
    call: Call,
    x: Tensor,
    roi: Tensor | None = None,
    scales: Tensor | None = None,
    sizes: Tensor | None = None,
) -> Tensor:
    axes = [a % x.ndim for a in call.get("axes") or range(x.ndim)]
    mode = call.get("mode", "nearest")
    where = call.get("coordinate_transformation_mode", "half_pixel")
    if where not in _PLACES or call.get("antialias", 0) or call.get("exclude_outside", 0):
        raise call.refuse(f"Resize with {where}, antialias or exclude_outside")
    if call.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise call.refuse("Resize that keeps the aspect ratio")
    plan = _plan(x, axes, scales, sizes, call)
    if any(_disputed(where, x.shape[axis], *planned) for axis, planned in plan.items()):
        raise call.refuse(f"Resize with {where} to a length that is not whole: ONNX and its runtimes differ")
    if (quick := _quickly(x, plan, mode, where, call)) is not None:
        return quick
    for axis, (scale, length) in plan.items():
        i = torch.arange(length, dtype=torch.float32)  # as the runtime: ties fall alike
        place = _PLACES[where](i, scale, x.shape[axis], length)
        x = _along(x, axis, place, mode, call)
    return x


def _disputed(where: str, before: int, scale: float, length: int) -> bool:
    """Whether the places depend on the length before rounding: in the ONNX standard, not in ONNX Runtime."""
    ends = where == "align_corners" or (where == "pytorch_half_pixel" and length == 1)
    return ends and abs(scale * before - length) > 1e-4 * length


def upsample(call: Call, x: Tensor, scales: Tensor | None = None) -> Tensor:
    """Opset 7 to 9: asymmetric positions, rounded down."""
    factors = call.get("scales") if scales is None else scales.tolist()
    for axis, scale in enumerate(factors):
        if scale != 1:
            i = torch.arange(floor(x.shape[axis] * scale), dtype=torch.float32)
            place = i / scale
            x = _along(
                x, axis, torch.floor(place) if call.get("mode") == "nearest" else place, "linear", call
            )
    return x


def _plan(
    x: Tensor, axes: list[int], scales: Tensor | None, sizes: Tensor | None, call: Call
) -> dict[int, tuple[float, int]]:
    """Axis -> (scale, output length), for the axes that change."""
    if sizes is not None and sizes.numel():
        lengths = ints(sizes)
        lengths = call.rebatch(lengths) if axes[0] == 0 else lengths
        pairs = [(length / x.shape[axis], length) for axis, length in zip(axes, lengths, strict=True)]
    elif scales is not None and scales.numel():
        factors = scales.tolist()
        pairs = [(s, floor(x.shape[axis] * s)) for axis, s in zip(axes, factors, strict=True)]
    else:
        raise call.refuse("a Resize with neither scales nor sizes")
    return {
        a: (s, length) for a, (s, length) in zip(axes, pairs, strict=True) if length != x.shape[a] or s != 1
    }


def _quickly(
    x: Tensor, plan: dict[int, tuple[float, int]], mode: str, where: str, call: Call
) -> Tensor | None:
    """torch's own kernel where it computes the very same: nearest by whole factors, and bilinear."""
    if set(plan) != {2, 3} or x.ndim != 4:
        return None
    size = [plan[2][1], plan[3][1]]
    exact = all(length == s * x.shape[a] for a, (s, length) in plan.items())
    if mode == "nearest" and exact and all(s == int(s) for s, _ in plan.values()):
        rounding = call.get("nearest_mode", "round_prefer_floor")
        if (where == "asymmetric" and rounding == "floor") or (
            where == "half_pixel" and rounding.startswith("round")
        ):
            return F.interpolate(x, size=size, mode="nearest")
    if mode == "linear" and exact and where in ("half_pixel", "align_corners"):
        return F.interpolate(x, size=size, mode="bilinear", align_corners=where == "align_corners")
    return None


def _along(x: Tensor, axis: int, place: Tensor, mode: str, call: Call) -> Tensor:
    """x resampled along one axis at the places given."""
    if mode == "nearest":
        index = _ROUND[call.get("nearest_mode", "round_prefer_floor")](place)
        return _take(x, axis, index)
    base = torch.floor(place)
    t = place - base
    made = torch.zeros(())
    for offset, weight in _linear(t) if mode == "linear" else _cubic(t, call.get("cubic_coeff_a", -0.75)):
        shape = [1] * x.ndim
        shape[axis] = -1
        factor = weight.to(device=x.device, dtype=x.dtype).reshape(shape)
        made = made.to(x.device) + _take(x, axis, base + offset) * factor
    return made


def _take(x: Tensor, axis: int, index: Tensor) -> Tensor:
    inside = index.clamp(0, x.shape[axis] - 1).to(device=x.device, dtype=torch.int64)
    return x.index_select(axis, inside)


def _linear(t: Tensor) -> list[tuple[int, Tensor]]:
    return [(0, 1 - t), (1, t)]


def _cubic(t: Tensor, a: float) -> list[tuple[int, Tensor]]:
    """Keys 1981, the four weights around a place."""

    def near(d: Tensor) -> Tensor:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: Tensor) -> Tensor:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return [(-1, far(1 + t)), (0, near(t)), (1, near(1 - t)), (2, far(2 - t))]


def grid_sample(call: Call, x: Tensor, grid: Tensor) -> Tensor:
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(
        call.get("mode", "linear"), call.get("mode", "linear")
    )
    return F.grid_sample(
        x,
        grid,
        mode,
        call.get("padding_mode", "zeros"),
        align_corners=bool(call.get("align_corners", 0)),
    )
