"""What disturbs a timing on a host, read before and after it, as doubts."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np

from paredown._measure.timing.throttling import slowed
from paredown.machine import Machine, taken
from paredown.measurement import Doubt
from paredown.protocols import Host

SPREAD_LIMIT = 0.10
"""Rounds that differ by more than this say more about the machine than about the model."""
_DRIFT_LIMIT = 0.05
_OTHERS_LIMIT = 0.10  # of all cores
_STEAL_LIMIT = 0.01
# Beyond these nothing is said about the speed: the levels that `doctor` calls bad.
UNFIT_SPREAD = 3 * SPREAD_LIMIT
_UNFIT_OTHERS = 0.50
_UNFIT_STEAL = 0.10


class NoiseWatch:
    """A host from now on: how busy others kept it, and whether it was throttled. pids: ours there."""

    def __init__(self, host: Host, pids: Sequence[int]) -> None:
        self._host, self._pids = host, tuple(pids)
        self._start = host.counters(self._pids)

    def doubts(self) -> tuple[Doubt, ...]:
        """Why what was timed since then may be wrong."""
        start, end = self._start, self._host.counters(self._pids)
        cores = self._host.facts().cores_logical or 1
        others, withheld = taken(start, end, cores)
        found = []
        if others > _OTHERS_LIMIT:
            text = f"other processes used {others * cores:.1f} of {cores} cores meanwhile"
            found.append(Doubt("busy", text, others, others > _UNFIT_OTHERS))
        if withheld > _STEAL_LIMIT:
            text = f"the virtual machine's host withheld {100 * withheld:.0f} % of the processor time"
            found.append(Doubt("withheld", text, withheld, withheld > _UNFIT_STEAL))
        if slow := slowed(start.throttling, end.throttling):
            text = f"the processor was slowed down meanwhile: {slow}"
            found.append(Doubt("throttled", text, unfit=True))
        return tuple(found)


def machine_doubts(machine: Machine) -> tuple[Doubt, ...]:
    """Why a machine as it is set up gives uneven times."""
    found = sorted(machine.governors - {"performance"})
    if found:
        text = f"the frequency governor is {' and '.join(found)}, not performance: clock rates vary"
        return (Doubt("governor", text),)
    return ()


def series_doubts(round_s: Sequence[float], whose: str) -> tuple[Doubt, ...]:
    """Why the rounds of one model disagree: their spread, or a drift from the first third to the last."""
    found, third = [], len(round_s) // 3
    wide = spread(round_s)
    if wide > SPREAD_LIMIT:
        text = f"the rounds of the {whose} differ by {100 * wide:.0f} %"
        found.append(Doubt("spread", text, wide, wide > UNFIT_SPREAD))
    if third >= 3:
        first, last = round_s[:third], round_s[-third:]
        drift = median(last) / median(first) - 1
        if abs(drift) > max(_DRIFT_LIMIT, spread(first), spread(last)):  # else it may be chance
            how = "slower" if drift > 0 else "faster"
            text = f"the {whose} became {100 * abs(drift):.0f} % {how} while it was timed"
            found.append(Doubt("drift", text, abs(drift)))
    return tuple(found)


def spread(values: Sequence[float]) -> float:
    """(90 % quantile - 10 % quantile) / median."""
    low, middle, high = np.quantile(values, (0.1, 0.5, 0.9))
    return float((high - low) / middle) if middle > 0 else 0.0
