"""What disturbs a timing on this machine, read before and after it, as doubts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from glob import glob
from statistics import median

import numpy as np
import psutil

from paredown._measure.throttling import slowed, throttling
from paredown.hosts.cpu import read_text
from paredown.measurement import Doubt

SPREAD_LIMIT = 0.10
"""Rounds that differ by more than this say more about the machine than about the model."""
_DRIFT_LIMIT = 0.05
_OTHERS_LIMIT = 0.10  # of all cores
_STEAL_LIMIT = 0.01
# Beyond these nothing is said about the speed: the levels that `doctor` calls bad.
UNFIT_SPREAD = 3 * SPREAD_LIMIT
_UNFIT_OTHERS = 0.50
_UNFIT_STEAL = 0.10


class Watch:
    """The machine from now on: how much others used it, and whether it was throttled."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._ours = [psutil.Process(), *(psutil.Process(pid) for pid in pids)]
        self._start = time.monotonic()
        self._busy_s, self._steal_s = _machine_seconds()
        self._own_s = self._own_seconds()
        self._throttling = throttling()

    def doubts(self) -> tuple[Doubt, ...]:
        """Why what was timed since then may be wrong."""
        wall_s, cores = time.monotonic() - self._start, psutil.cpu_count() or 1
        busy_s, steal_s = _machine_seconds()
        others = (busy_s - self._busy_s - (self._own_seconds() - self._own_s)) / (wall_s * cores)
        stolen = (steal_s - self._steal_s) / (wall_s * cores)
        found = []
        if others > _OTHERS_LIMIT:
            text = f"other processes used {others * cores:.1f} of {cores} cores meanwhile"
            found.append(Doubt("busy", text, others, others > _UNFIT_OTHERS))
        if stolen > _STEAL_LIMIT:
            text = f"the virtual machine's host withheld {stolen:.0%} of the processor time"
            found.append(Doubt("withheld", text, stolen, stolen > _UNFIT_STEAL))
        if slow := slowed(self._throttling, throttling()):
            text = f"the processor was slowed down meanwhile: {slow}"
            found.append(Doubt("throttled", text, unfit=True))
        return tuple(found)

    def _own_seconds(self) -> float:
        return float(sum(t.user + t.system for t in (p.cpu_times() for p in self._ours)))


def machine_doubts() -> tuple[Doubt, ...]:
    """Why this machine as it is set up gives uneven times."""
    found = sorted(governors() - {"performance"})
    if found:
        text = f"the frequency governor is {' and '.join(found)}, not performance: clock rates vary"
        return (Doubt("governor", text),)
    return ()


def series_doubts(round_s: Sequence[float], whose: str) -> tuple[Doubt, ...]:
    """Why the rounds of one model disagree: their spread, or a drift from the first third to the last."""
    found, third = [], len(round_s) // 3
    wide = spread(round_s)
    if wide > SPREAD_LIMIT:
        text = f"the rounds of the {whose} differ by {wide:.0%}"
        found.append(Doubt("spread", text, wide, wide > UNFIT_SPREAD))
    if third >= 3:
        first, last = round_s[:third], round_s[-third:]
        drift = median(last) / median(first) - 1
        if abs(drift) > max(_DRIFT_LIMIT, spread(first), spread(last)):  # else it may be chance
            how = "slower" if drift > 0 else "faster"
            text = f"the {whose} became {abs(drift):.0%} {how} while it was timed"
            found.append(Doubt("drift", text, abs(drift)))
    return tuple(found)


def spread(values: Sequence[float]) -> float:
    """(90 % quantile - 10 % quantile) / median."""
    low, middle, high = np.quantile(values, (0.1, 0.5, 0.9))
    return float((high - low) / middle) if middle > 0 else 0.0


def governors() -> set[str]:
    """The frequency governors in use; empty where the system shows none."""
    files = glob("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")
    return {word for word in map(read_text, files) if word}


def _machine_seconds() -> tuple[float, float]:
    """Seconds all cores together were busy, and seconds the host withheld."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    steal = float(getattr(times, "steal", 0.0))
    guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # already in user and nice
    return float(sum(times) - idle - steal - guest), steal
