"""How evenly a host does the same work again and again.

The host's end is `python -m paredown._measure.timing.steadiness`. It answers with one JSON object: the
resolution of its clock, and how long each repetition of a calculation took.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from paredown.program_answer import answer_of
from paredown.protocols import Host

_WARMUP, _REPETITIONS = 5, 50
_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Steadiness:
    """clock_step_s: the least that its clock moves. work_s: fifty times the same small calculation."""

    clock_step_s: float
    work_s: tuple[float, ...]


def steadiness(host: Host) -> Steadiness:
    """Taken on the host now, in a process of its own. Raises TargetError where that says nothing."""
    process = host.spawn("paredown._measure.timing.steadiness")
    answer = answer_of(process, f"the host {host.name} does not run our programs", _TIMEOUT_S)
    return Steadiness(float(answer["clock_step_s"]), tuple(map(float, answer["work_s"])))


def _clock_step_s() -> float:
    ticks = [time.perf_counter_ns() for _ in range(2000)]
    return min(b - a for a, b in pairwise(ticks) if b > a) / 1e9


def _work_s() -> list[float]:
    values = np.random.default_rng(0).random(200_000, dtype=np.float32)
    times = []
    for _ in range(_WARMUP + _REPETITIONS):
        start = time.perf_counter()
        for _ in range(10):
            np.sqrt(values * values + np.float32(1))
        times.append(time.perf_counter() - start)
    return times[_WARMUP:]


if __name__ == "__main__":
    json.dump({"clock_step_s": _clock_step_s(), "work_s": _work_s()}, sys.stdout)
