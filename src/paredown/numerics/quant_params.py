"""Affine integer grids: q = clip(round(x / scale) + zero_point), x ~ (q - zero_point) * scale.

Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", arXiv 1712.05877, eq. 1; the rounding is ONNX QuantizeLinear's (half to even).

Shapes: x any shape; per-channel scales are (n,) along `axis`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
LIMIT_STEPS = 25  # fractions of the largest weight tried as the limit, where bits are few
MIN_SCALE = 1e-12  # keeps a tensor that is zero everywhere from dividing by zero


@dataclass(frozen=True)
class QuantParams:
    """One integer grid (scalars) or one per channel (arrays of one entry a channel, along `axis`)."""

    scale: NDArray[np.float32]
    zero_point: NDArray[np.int32]
    low: int  # smallest integer, -128 for int8
    high: int
    axis: int | None = None

    @property
    def steps(self) -> int:
        return self.high - self.low

    @property
    def dtype(self) -> np.dtype[np.integer]:
        """The type of 8 bits that holds its integers."""
        return np.dtype(np.int8 if self.low < 0 else np.uint8)

    @property
    def bits(self) -> int:
        """That one of its integers takes."""
        return self.steps.bit_length()

    @property
    def apart(self) -> float:
        """How many steps lie between two of its integers, mostly."""
        return 1.0

    def bounds(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Smallest and largest real number on the grid."""
        return (self.low - self.zero_point) * self.scale, (self.high - self.zero_point) * self.scale

    def _along(self, ndim: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Scale and zero point, shaped to meet an array of `ndim` dimensions."""
        if self.axis is None:
            return self.scale, self.zero_point
        shape = [1] * ndim
        shape[self.axis] = -1
        return self.scale.reshape(shape), self.zero_point.reshape(shape)

    def quantize(self, x: Floats) -> NDArray[np.int32]:
        """The integers nearest to x, clipped to the grid."""
        scale, zero = self._along(x.ndim)
        return self.nearest(x / scale, zero)

    def nearest(self, steps: Floats, zero: NDArray[np.int32] | int = 0) -> NDArray[np.int32]:
        """The integers of the grid nearest to numbers in its steps."""
        rounded = np.asarray(np.rint(steps))
        rounded += np.asarray(zero, rounded.dtype)  # as int32 it would make doubles of them
        return np.clip(rounded, self.low, self.high, out=rounded).astype(np.int32)

    def around(self, steps: Floats) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The integers below and above numbers in steps of the grid; one twice for those beyond an end."""
        below = np.floor(steps).astype(np.int32)
        return below.clip(self.low, self.high), (below + 1).clip(self.low, self.high)

    def beside(self, integers: Floats, steps: Floats, share: float) -> Floats:
        """`steps` where they lie within that share of a step of the integers, else that far from them."""
        return np.asarray(integers + np.clip(steps - integers, -share, share))

    def steps_of(self, x: Floats) -> NDArray[np.float32]:
        """x in steps of the grid, zero point added: what `quantize` rounds and clips."""
        scale, zero = self._along(x.ndim)
        return (x / scale + zero).astype(np.float32)

    def dequantize(self, q: NDArray[np.integer]) -> NDArray[np.float32]:
        """The real numbers behind the integers."""
        scale, zero = self._along(q.ndim)
        return (q - zero).astype(np.float32) * scale

    def snap(self, x: Floats) -> NDArray[np.float32]:
        """x after quantizing and dequantizing: what the device computes with ("fake quantization")."""
        return self.dequantize(self.quantize(x))


def integer_range(bits: int, signed: bool, symmetric: bool = False) -> tuple[int, int]:
    """Smallest and largest integer. Symmetric signed grids drop the smallest: -127..127."""
    if not signed:
        return 0, 2**bits - 1
    return (-(2 ** (bits - 1)) + int(symmetric), 2 ** (bits - 1) - 1)


def whole(low: int, high: int) -> QuantParams:
    """The integers themselves: steps of 1, zero at 0."""
    return QuantParams(np.ones((), np.float32), np.zeros((), np.int32), low, high)


def affine(low: float, high: float, bits: int = 8, signed: bool = False) -> QuantParams:
    """The grid over [low, high], widened to contain zero exactly (padding and ReLU need it)."""
    first, last = integer_range(bits, signed)
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    scale = np.float32(max((high - low) / (last - first), MIN_SCALE))
    zero = min(max(round(float(first - low / scale)), first), last)
    return QuantParams(np.asarray(scale, np.float32), np.asarray(zero, np.int32), first, last)


def exact(x: Floats) -> QuantParams | None:
    """The unsigned 8-bit grid that holds positive numbers exactly, as multiples of the least; else None."""
    least = np.min(x, initial=np.inf)
    if not 0 < least < np.inf:
        return None
    steps = np.rint(x / least)
    if steps.max() > 255 or np.any(steps * least != x):
        return None
    return QuantParams(np.asarray(least, np.float32), np.asarray(0, np.int32), 0, 255)


def affine_per_channel(low: Floats, high: Floats, bits: int = 8, axis: int = 1) -> QuantParams:
    """Unsigned grids over [low, high] for every channel, (n,) along `axis`; zero lies on each of them."""
    first, last = integer_range(bits, signed=False)
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    scale = np.maximum((high - low) / (last - first), MIN_SCALE).astype(np.float32)
    zero = np.clip(np.rint(first - low / scale), first, last).astype(np.int32)
    return QuantParams(scale, zero, first, last, axis)


def symmetric(limit: Floats, bits: int = 8, axis: int | None = None) -> QuantParams:
    """The signed grid over [-limit, limit] with zero point 0. limit: scalar, or (n,) with `axis`."""
    first, last = integer_range(bits, signed=True, symmetric=True)
    scale = np.maximum(np.asarray(limit, np.float32) / last, MIN_SCALE).astype(np.float32)
    return QuantParams(scale, np.zeros_like(scale, np.int32), first, last, axis)


def spanning(low: float, high: float, bits: int = 8, *, signed: bool = False) -> QuantParams:
    """The grid for activations of [low, high]: `affine`, or where they are signed integers `symmetric`."""
    if signed:
        return symmetric(np.asarray(max(-float(low), float(high), 0.0), np.float32), bits)
    return affine(low, high, bits)


@dataclass(frozen=True)
class Signs(QuantParams):
    """The grid of two values, -scale and +scale: zero is not on it."""

    def nearest(self, steps: Floats, zero: NDArray[np.int32] | int = 0) -> NDArray[np.int32]:
        """-1 or 1."""
        return np.where(steps < 0, -1, 1).astype(np.int32)


def binary(w: Floats, axis: int | None) -> Signs:
    """The two values of least squared error: alpha = mean |w|, of all or of each channel along `axis`.

    Source: Rastegari et al. 2016, "XNOR-Net", arXiv 1603.05279, eq. 6.
    """
    others = None if axis is None else tuple(i for i in range(w.ndim) if i != axis)
    scale = np.maximum(np.abs(w).mean(axis=others), MIN_SCALE).astype(np.float32)
    return Signs(scale, np.zeros_like(scale, np.int32), -1, 1, axis)


def weight_limits(w: Floats, axis: int | None, bits: int = 8, steps: int = 0) -> Floats:
    """|w| limits for `symmetric`: the maximum, or with `steps` > 0 the shrunk limit of least squared error.

    w: any shape. The search tries `steps` fractions of the maximum from 1 down to 0.4 (few bits gain most: at
    8 bits the maximum is nearly always best).
    """
    rows = w.reshape(1, -1) if axis is None else np.moveaxis(w, axis, 0).reshape(w.shape[axis], -1)
    top: Floats = np.abs(rows).max(axis=1)
    best, least = top.copy(), np.full(len(rows), np.inf)
    for fraction in np.linspace(1.0, 0.4, steps) if steps else ():
        error = ((symmetric(top * fraction, bits, 0).snap(rows) - rows) ** 2).sum(axis=1)
        better = error < least
        best[better], least[better] = top[better] * fraction, error[better]
    return best if axis is not None else best.reshape(())
