"""Latency by the number of threads, taken in turns, and the number from which more buys little.

Source: D. L. Eager, J. Zahorjan, E. D. Lazowska, Speedup versus efficiency in parallel systems, IEEE
Transactions on Computers 38(3), 1989: the knee is where efficiency over execution time is largest, which is
speedup^2 / threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from paredown._measure.timing.lock import TimingLock
from paredown._measure.timing.rounds import Way, start, typical
from paredown.endurance import ThreadsCurve
from paredown.protocols import Array, Progress, silent
from paredown.targets import Target

_ROUNDS = 8
_EVERY = 8  # up to here every number is tried, then powers of two and all cores


def counts(cores: int) -> tuple[int, ...]:
    """The numbers of threads that are tried on so many cores."""
    found = {n for n in range(1, cores + 1) if n <= _EVERY or n & (n - 1) == 0} | {cores}
    return tuple(sorted(found))


def efficient(threads: Sequence[int], latency_s: Sequence[float]) -> int:
    """The number of threads at the knee. threads[0] is 1."""
    speedup = [latency_s[0] / s for s in latency_s]
    return max(zip(threads, speedup, strict=True), key=lambda pair: pair[1] ** 2 / pair[0])[0]


def threads_curve(
    model: Path, place: Target, feeds: Mapping[str, Array], progress: Progress = silent
) -> ThreadsCurve:
    """The curve over the cores that the host lets us use. Raises TargetError, OutOfMemory."""
    place.require_timing()
    tried = counts(place.host.facts().cores_usable)
    with ExitStack() as stack:
        stack.enter_context(TimingLock(place.host, progress))
        runners = []
        for n in tried:
            worker, warm = start(Way(f"{n} threads", model, feeds, n), place)
            stack.enter_context(worker)
            runners.append(warm())
        for i in progress(range(_ROUNDS), "threads", total=_ROUNDS):
            for runner in runners if i % 2 == 0 else reversed(runners):
                runner.take("alone")
    latency = tuple(typical("latency_s", runner.latencies("alone")) for runner in runners)
    cpu_s = []
    for runner in runners:
        answers = runner.answers["alone"]
        cpu_s.append(sum(a["cpu_s"] for a in answers) / sum(len(a["latency_s"]) for a in answers))
    return ThreadsCurve(tried, latency, tuple(cpu_s), efficient(tried, [q.value for q in latency]))
