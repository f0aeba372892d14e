"""The values of a codebook: by least squares, or so that the indices take few bits once they are coded.

Least squares in one dimension, by Lloyd's iteration:

    min over c_1..c_k of  sum_w min_j (w - c_j)^2

It starts from centres as dense as the cube root of the weights' own density, which is right for many centres
(Panter & Dite), and so ends nearer to the least than from evenly spaced ones.

For few bits, coded, evenly spaced cells are near the best there is (entropy-constrained scalar quantization),
each with the mean of its weights as its value. The width d of a layer's cells follows from one number m for
all layers: the noise d^2/12 relative to the layer's variance may grow with its number of weights n, and less
where the answer is sensitive to it (s, pack/sensitivity.py),

    d_l^2 / (12 var_l) = m (n_l / s_l)^p

With p = 1 this is the least damage for the bits spent, if damages add up: a bit less in each of n weights
multiplies the layer's noise by four and saves n bits. Behind second-order rounding, p a little less than 1
answered nearest to the float networks (resnet20_cifar10 and squeezenet1_1, calibration images only).

Source: Han et al. 2016, "Deep Compression", arXiv 1510.00149, section 3; Choi et al. 2017, "Towards the Limit
of Network Quantization", arXiv 1612.01543, section 5 (entropy-constrained, uniform quantization); Panter &
Dite 1951, "Quantization Distortion in Pulse-Count Modulation", eq. 20.
Differs from the source: Han starts from evenly spaced values; Choi weighs by second derivatives, here layers
weigh by their variance, size and measured damage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from paredown.numerics.levels import nearest

ROUNDS = 100  # of Lloyd's iteration, which settles sooner
BINS = 2048  # of the histogram that tells the density
FRACTIONS = 17  # of the widest cells, tried for the finest
POWER = 0.7  # p
DIGITS = 8  # binary, of a cell's width: its multiples leave the low bytes of a float32 empty
HALVINGS = 40  # of the range in which m is searched
Name = TypeVar("Name")


@dataclass(frozen=True)
class Book:
    """table: (at most k,), rising, in the weight's own type. indices: of the weight's shape.

    start: where learning starts, each weight nearest to its value; None: at the weights themselves.
    """

    table: NDArray[Any]
    indices: NDArray[np.uint8]
    start: NDArray[np.float32] | None = None

    @property
    def values(self) -> NDArray[Any]:
        found: NDArray[Any] = self.table[self.indices]
        return found


def kmeans(w: NDArray[Any], k: int) -> Book:
    """The codebook of least squares. Zeros of w keep a value of their own where there are any."""
    flat = w.reshape(-1)
    kept = flat != 0
    zeros = not kept.all()
    centres = _lloyd(flat[kept].astype(np.float64), k - zeros)
    return _book(w, np.append(centres, 0.0) if zeros else centres)


def lattice(w: NDArray[Any], k: int, width: float) -> Book:
    """The codebook of even cells around zero, so wide each: zero, and the means of the other cells."""
    cells = _cells(w, k, width).reshape(-1)
    numbers, index = np.unique(cells, return_inverse=True)
    means = np.where(numbers == 0, 0, np.bincount(index, w.reshape(-1)) / np.bincount(index))
    return _book(w, means)


def widths(
    weights: Mapping[Name, NDArray[Any]], k: int, bits: float, sensitivity: Mapping[Name, float] | None = None
) -> dict[Name, float]:
    """The width of every layer's cells, so that all indices together hold so many bits a weight.

    sensitivity: s of each layer, 1 where it is not said.
    """
    s = dict.fromkeys(weights, 1.0) | dict(sensitivity or {})
    total = sum(w.size for w in weights.values())
    finest = {name: _finest(w, k) for name, w in weights.items()}
    low, high = -60.0, 10.0  # of log2 m
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        found = {
            name: short(max(_width(w, middle, s[name]), finest[name]), DIGITS) for name, w in weights.items()
        }
        spent = sum(w.size * entropy(_cells(w, k, found[name])) for name, w in weights.items())
        low, high = (middle, high) if spent > bits * total else (low, middle)
    return found


def entropy(indices: NDArray[np.integer[Any]]) -> float:
    """Bits a symbol takes at least when each is coded by how often it comes (Shannon 1948)."""
    _, counts = np.unique(indices, return_counts=True)
    p = counts / counts.sum()
    return float(-(p * np.log2(p)).sum())


def _width(w: NDArray[Any], log_m: float, sensitivity: float) -> float:
    return float(np.sqrt(12 * 2.0**log_m * (w.size / sensitivity) ** POWER * max(float(np.var(w)), 1e-30)))


@overload
def short(values: float, digits: int) -> float: ...
@overload
def short(values: NDArray[np.float32], digits: int) -> NDArray[np.float32]: ...
def short(values: float | NDArray[np.float32], digits: int) -> float | NDArray[np.float32]:
    """The nearest numbers of so many binary digits: they take fewer bytes once they are packed."""
    part, exponent = np.frexp(values)
    rounded = np.ldexp(np.rint(part * 2**digits) / 2**digits, exponent)
    return float(rounded) if isinstance(values, float) else rounded.astype(np.float32)


def _finest(w: NDArray[Any], k: int) -> float:
    """The width of k cells that serve the weights best, in squares: those far out may lie beyond the last."""
    widest = max(float(np.abs(w).max()), 1e-30) / max(reach(k), 1)
    tried = widest * np.linspace(0.2, 1.0, FRACTIONS)
    return float(min(tried, key=lambda d: float(np.square(_cells(w, k, d) * d - w).sum())))


def reach(k: int) -> int:
    """Cells on either side of the one around zero."""
    return (k - 1) // 2


def _cells(w: NDArray[Any], k: int, width: float) -> NDArray[np.int64]:
    """The number of the cell of every weight, 0 around zero; those beyond the last cells go into them."""
    return np.clip(np.rint(w / width), -reach(k), reach(k)).astype(np.int64)


def _book(w: NDArray[Any], values: NDArray[np.float64]) -> Book:
    """The codebook of these values, rounded to the weight's type; every weight takes the nearest."""
    table = np.unique((np.rint(values) if np.issubdtype(w.dtype, np.integer) else values).astype(w.dtype))
    return Book(table, nearest(table, w).astype(np.uint8))


def _lloyd(values: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """At most k centres, rising, each the mean of the values nearest to it."""
    if not values.size:
        return values
    centres = _companded(values, k)
    for _ in range(ROUNDS):
        index = nearest(centres, values)
        count = np.bincount(index, minlength=k)
        moved = np.where(count > 0, np.bincount(index, values, k) / np.maximum(count, 1), centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return np.asarray(centres[np.bincount(nearest(centres, values), minlength=k) > 0])


def _companded(values: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """k centres as dense as the cube root of the values' density; few values are their own centres."""
    different = np.unique(values)
    if len(different) <= k:
        return np.concatenate([different, np.full(k - len(different), different[-1])])
    count, edges = np.histogram(values, BINS)
    reached = np.cumsum(np.cbrt(count))
    return np.asarray(np.interp((np.arange(k) + 0.5) / k, reached / reached[-1], edges[1:]))
