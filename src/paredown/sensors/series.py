"""Readings of a sensor over time, and the energy between two moments of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_GAP = 5.0
"""Periods without a sample that are bridged; across a longer gap nothing is known."""


@dataclass(frozen=True, eq=False)
class PowerSeries:
    """time_s: (N,) growing. values: (N,) watts, or joules of a counter where `counts`. period_s: as sampled.

    A missing sample is one that is not there; it is bridged by a straight line over at most MAX_GAP periods.
    """

    time_s: NDArray[np.float64]
    values: NDArray[np.float64]
    counts: bool = False
    period_s: float = 0.1

    @classmethod
    def of(
        cls, time_s: Sequence[float], values: Sequence[float], counts: bool = False, period_s: float = 0.1
    ) -> PowerSeries:
        """A series of plain numbers."""
        return cls(np.array(time_s, np.float64), np.array(values, np.float64), counts, period_s)

    def energy_j(self, start_s: float, end_s: float) -> float | None:
        """Joules from start to end by the trapezoidal rule; None where the readings do not tell."""
        t = self.time_s
        if len(t) < 2 or not t[0] <= start_s < end_s <= t[-1]:
            return None
        first = int(np.searchsorted(t, start_s, "right")) - 1
        last = int(np.searchsorted(t, end_s, "left"))
        if np.diff(t[first : last + 1]).max() > MAX_GAP * self.period_s:
            return None
        inner = t[(t > start_s) & (t < end_s)]
        times = np.concatenate([[start_s], inner, [end_s]])
        values = np.interp(times, t, self.values)
        if self.counts:
            return float(values[-1] - values[0])
        return float((np.diff(times) * (values[1:] + values[:-1]) / 2).sum())

    def power_w(self, start_s: float, end_s: float) -> float | None:
        """Mean watts between two moments; None where the readings do not tell."""
        energy = self.energy_j(start_s, end_s)
        return None if energy is None else energy / (end_s - start_s)

    def watts(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Times and watts for a plot: those of a counter from one reading to the next."""
        if not self.counts:
            return self.time_s, self.values
        return self.time_s[1:], np.diff(self.values) / np.diff(self.time_s)
