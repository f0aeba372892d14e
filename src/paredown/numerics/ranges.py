"""From what was seen of a tensor to the range its grid should cover: five methods, one signature.

Every method takes `Seen` and gives (low, high). Error-driven ones search ranges on a fixed ladder and work on
the bounded sample; min-max and moving average use the exact extremes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from paredown.numerics.quant_params import spanning

Function = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True)
class Seen:
    """What calibration keeps of one tensor.

    sample: (n,) float32, values drawn evenly from all images; channel: (n,) the channel of each.
    channel_lows, channel_highs: (images, C) exact extremes. ranges: those searched so far, by what they were
    searched with: steps and recipes ask again.
    """

    sample: NDArray[np.float32]
    channel: NDArray[np.integer]
    channel_lows: NDArray[np.float32]
    channel_highs: NDArray[np.float32]
    ranges: dict[tuple[int, bool, bytes], tuple[float, float]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def lows(self) -> NDArray[np.float32]:
        """(images,)"""
        return np.asarray(self.channel_lows.min(axis=1))

    @property
    def highs(self) -> NDArray[np.float32]:
        """(images,)"""
        return np.asarray(self.channel_highs.max(axis=1))

    @property
    def channel_low(self) -> NDArray[np.float32]:
        """(C,)"""
        return np.asarray(self.channel_lows.min(axis=0))

    @property
    def channel_high(self) -> NDArray[np.float32]:
        """(C,)"""
        return np.asarray(self.channel_highs.max(axis=0))

    @property
    def low(self) -> float:
        return float(self.channel_lows.min())

    @property
    def high(self) -> float:
        return float(self.channel_highs.max())

    def through(self, function: Function, bottom: float = -np.inf) -> Seen:
        """What would be seen of f(x), for a function that falls up to x = bottom and rises from there.

        Where values lie on both sides of the bottom one of them is taken to have met it.
        """
        lows, highs = self.channel_lows, self.channel_highs
        ends = function(lows), function(highs)
        nearest = function(np.maximum(lows, np.minimum(highs, np.float32(bottom))))
        made = (function(self.sample), nearest, np.maximum(*ends))
        sample, low, high = (v.astype(np.float32, copy=False) for v in made)
        return Seen(sample, self.channel, low, high)

    def over(self, factors: NDArray[np.float32]) -> Seen:
        """What would be seen of x / factors, (C,) > 0."""
        low, high = self.channel_lows / factors, self.channel_highs / factors
        return Seen(self.sample / factors[self.channel], self.channel, low, high)


def minmax(seen: Seen, bits: int = 8) -> tuple[float, float]:
    """The exact extremes over all images."""
    return seen.low, seen.high


def ema(seen: Seen, bits: int = 8, momentum: float = 0.9) -> tuple[float, float]:
    """Exponential moving average of each image's extremes, in order (Jacob et al. 2018, section 3.1)."""
    low, high = float(seen.lows[0]), float(seen.highs[0])
    for a, b in zip(seen.lows[1:], seen.highs[1:], strict=True):
        low, high = momentum * low + (1 - momentum) * float(a), momentum * high + (1 - momentum) * float(b)
    return low, high


def percentile(seen: Seen, bits: int = 8, tail: float = 0.01) -> tuple[float, float]:
    """The values that leave `tail` percent of the sample outside at either end."""
    low, high = np.percentile(seen.sample, [tail, 100 - tail])
    return float(low), float(high)


def penalty(distance: NDArray[np.float32]) -> NDArray[np.float32]:
    """What an error of this size counts: its third power, found by benchmarks/constants.py."""
    return distance * distance * distance


@dataclass(frozen=True)
class PerChannel:
    """A function with a factor for every channel: y = function(x, f), f (C,) by the channel of x."""

    function: Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]
    factors: NDArray[np.float32]


def least_cubed_error(
    seen: Seen, bits: int = 8, after: Function | PerChannel | None = None, signed: bool = False
) -> tuple[float, float]:
    """The range of least mean cubed error over the sample, seen through the function `after` if one follows.

    The error is the mean of |x - snap(x)|^3: between squares, which clip the rare large values that a
    detector's objects are, and the extremes, which waste steps on them. Coordinate descent over a ladder of
    fractions: shrink one end while that helps, then the other.

    Source: Choukroun et al. 2019, arXiv 1902.06822 (least squared error, one clip). Differs from the source:
    both ends move, the exponent is 3 (`penalty`), and the error is seen through the activation function.

    signed: of a symmetric grid, where the end that lies nearer to 0 does not matter.
    """
    key = bits, signed, _told(after)
    if key not in seen.ranges:
        seen.ranges[key] = _least_cubed_error(seen, bits, after, signed)
    return seen.ranges[key]


_PROBES = np.array([-9, -4, -2, -0.7, -0.1, 0.1, 0.7, 2, 4, 9], np.float32)


def _told(after: Function | PerChannel | None) -> bytes:
    """A function by its values: those of the same activation are equal, though made at different times."""
    if after is None:
        return b""
    if isinstance(after, PerChannel):
        return after.function(_PROBES[:, None], after.factors[None]).tobytes()
    return after(_PROBES).tobytes()


def _least_cubed_error(
    seen: Seen, bits: int, after: Function | PerChannel | None, signed: bool
) -> tuple[float, float]:
    if isinstance(after, PerChannel):
        x, after = _bins_by_factor(seen, after)
    else:
        x = _bins(seen.sample)
    target = x.values if after is None else after(x.values)

    def error(low: float, high: float) -> float:
        snapped = spanning(low, high, bits, signed=signed).snap(x.values)
        difference = np.abs((snapped if after is None else after(snapped)) - target)
        return float(np.dot(penalty(difference), x.counts))

    low, high = min(seen.low, 0.0), max(seen.high, 0.0)
    least = error(low, high)
    for _ in range(3):
        before = least
        for end in ("low", "high"):
            full = low if end == "low" else high
            if full == 0:
                continue
            for fraction in _LADDER:
                trial = (full * fraction, high) if end == "low" else (low, full * fraction)
                now = error(*trial)
                if now < least:
                    least, (low, high) = now, trial
        if least >= before * (1 - 1e-3):
            break
    return low, high


@dataclass(frozen=True)
class _Bins:
    values: NDArray[np.float32]
    counts: NDArray[np.float64]


def _bins(sample: NDArray[np.float32], number: int = 8192) -> _Bins:
    """The sample as the means of many narrow bins and their counts: the search need not visit every value."""
    if len(sample) <= number:
        return _Bins(sample, np.ones(len(sample)))
    low, width = float(sample.min()), float(np.ptp(sample))
    index = ((sample - low) * ((number - 1) / max(width, 1e-30))).astype(np.int64)
    counts = np.bincount(index, minlength=number)
    sums = np.bincount(index, sample, minlength=number)
    filled = counts > 0
    return _Bins((sums[filled] / counts[filled]).astype(np.float32), counts[filled].astype(np.float64))


def _bins_by_factor(seen: Seen, after: PerChannel) -> tuple[_Bins, Function]:
    """Bins of each factor's values by themselves, and the function that gives each bin its factor."""
    of = after.factors[seen.channel]
    kinds = np.unique(of)
    parts = [_bins(seen.sample[of == f], 8192 // min(len(kinds), 8)) for f in kinds]
    factor = np.repeat(kinds, [len(p.values) for p in parts])
    bins = _Bins(np.concatenate([p.values for p in parts]), np.concatenate([p.counts for p in parts]))
    return bins, lambda x: after.function(x, factor)


_LADDER = np.concatenate([np.linspace(0.98, 0.5, 25), np.geomspace(0.48, 0.02, 15)])


def entropy(seen: Seen, bits: int = 8, bins: int = 2048) -> tuple[float, float]:
    """The range whose quantized histogram has the least Kullback-Leibler divergence from the original.

    Source: Migacz 2017, "8-bit inference with TensorRT", on a histogram of the sample. Differs from the
    source: both ends of a one-sided or lopsided tensor shrink in proportion, so that unsigned grids work too.
    """
    low, high = min(seen.low, 0.0), max(seen.high, 0.0)
    if high - low <= 0:
        return low, high
    counts, edges = np.histogram(seen.sample, bins=bins, range=(low, high))
    best, least = (low, high), np.inf
    for fraction in np.linspace(1.0, 0.2, 65):
        first = int(np.searchsorted(edges, low * fraction, side="left"))
        last = max(int(np.searchsorted(edges, high * fraction, side="right")) - 1, first + 1)
        divergence = _divergence(counts, first, last, 2**bits)
        if divergence < least:
            best, least = (low * float(fraction), high * float(fraction)), divergence
    return best


def _divergence(counts: NDArray[np.int64], first: int, last: int, levels: int) -> float:
    inside = counts[first:last].astype(np.float64)
    reference = inside.copy()
    reference[0] += counts[:first].sum()  # what is clipped lands on the outermost bins
    reference[-1] += counts[last:].sum()
    level = (np.arange(len(inside)) * levels) // len(inside)
    filled = inside > 0
    mass = np.bincount(level, inside, minlength=levels)
    width = np.maximum(np.bincount(level, filled, minlength=levels), 1)
    quantized = np.where(filled, (mass / width)[level], 0.0)
    p, q = reference / max(reference.sum(), 1), quantized / max(quantized.sum(), 1)
    seen = p > 0
    return float(np.sum(p[seen] * np.log(p[seen] / np.maximum(q[seen], 1e-9))))


METHODS: dict[str, Callable[..., tuple[float, float]]] = {
    "minmax": minmax,
    "ema": ema,
    "percentile": percentile,
    "entropy": entropy,
    "mse": least_cubed_error,
}
"""The word in a recipe's name -> the method. `mse` is an old word, kept because recipes are known by their
names: what it minimises is a cube, see `least_cubed_error`."""
