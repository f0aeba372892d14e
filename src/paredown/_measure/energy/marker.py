"""The clock of an external power meter, found from two bursts of work that stand in its log.

One burst comes before everything that is measured and one behind it. Together they are one pattern of work
and rest that fits the log at one place only; then each is looked for by itself near there, which gives the
offset at either end, and so how much faster one clock runs than the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from paredown.errors import DataError
from paredown.program_answer import answer_of
from paredown.protocols import Host
from paredown.sensors.series import PowerSeries

BURSTS = (2.0, 1.5, 1.0, 2.5, 3.0, 1.0, 1.0)
"""Seconds of work and rest in turns: no shift of it looks like itself, and a reading each second shows it."""
_MARGIN_S = 1.0  # of rest looked at before and behind a burst
_STEP_S = 0.02
_SPARE_S = 60.0  # to start the program that makes a burst
_LEAST = 0.6  # correlation below which a log shows no burst
_MOST_DRIFT = 0.01

Edges = Sequence[float]


def burst(host: Host) -> tuple[float, ...]:
    """The edges of a marker made on the host now, on its clock. Raises TargetError."""
    process = host.spawn("paredown.hosts.burst", [str(s) for s in BURSTS])
    return tuple(answer_of(process, f"the host {host.name} makes no marker", sum(BURSTS) + _SPARE_S))


def on_host_clock(log: PowerSeries, first: Edges, last: Edges) -> PowerSeries:
    """The log with the times of the host's clock. first, last: the edges of the two bursts on that clock.

    Raises DataError where the bursts are not found in the log.
    """
    offsets = np.arange(log.time_s[0] - first[0], log.time_s[-1] - last[-1] + _STEP_S, _STEP_S)
    if not len(offsets):
        raise DataError(
            "the power log is shorter than what was measured",
            got=f"{log.time_s[-1] - log.time_s[0]:.0f} s",
            expected=f"at least {last[-1] - first[0]:.0f} s: log from before the start until it is over",
        )
    rough, fits = _best(log, (first, last), offsets)
    if fits < _LEAST:
        raise DataError(
            "the marker bursts are not found in the power log",
            got=f"a correlation of {fits:.2f} at the best place",
            expected=f"at least {_LEAST}",
            hint="does the meter feed this machine, and it alone? A reading each second or faster is needed",
        )
    near = 1.0 + _MOST_DRIFT * (last[0] - first[0])
    around = np.arange(rough - near, rough + near, _STEP_S)
    begin, end = (_best(log, (edges,), around)[0] for edges in (first, last))
    drift = (end - begin) / (last[0] - first[0])
    host_s = first[0] + (log.time_s - begin - first[0]) / (1 + drift)
    return PowerSeries(host_s, log.values, period_s=log.period_s)


def _best(log: PowerSeries, bursts: Sequence[Edges], offsets: NDArray[np.float64]) -> tuple[float, float]:
    """The offset at which the log correlates best with work and rest, and that correlation.

    A wide best place, as slow meters give, is met in its middle.
    """
    times, work = (np.concatenate(parts) for parts in zip(*map(_pattern, bursts), strict=True))
    work = work - work.mean()
    found = np.empty(len(offsets))
    for i, offset in enumerate(offsets):
        watts = np.interp(times + offset, log.time_s, log.values)
        watts -= watts.mean()
        scale = np.linalg.norm(watts) * np.linalg.norm(work)
        found[i] = watts @ work / scale if scale > 0 else 0.0
    best = found >= found.max() - 1e-3
    best[np.abs(offsets - offsets[found.argmax()]) > 0.5] = False
    return float(offsets[best].mean()), float(found.max())


def _pattern(edges: Edges) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Moments on the host's clock, and 1 where it worked then."""
    times = np.arange(edges[0] - _MARGIN_S, edges[-1] + _MARGIN_S, 0.05)
    work = np.zeros(len(times))
    for start, end in list(pairwise(edges))[::2]:
        work[(times >= start) & (times < end)] = 1.0
    return times, work
