"""A model that runs for minutes: latency, clock rate, heat, power and memory over time, and when throttling
began.

Cold is the first sixth of the time, at most ten seconds; hot is the last third.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from paredown._measure.energy.power import Metered, PowerFrom
from paredown._measure.timing.lock import TimingLock
from paredown._measure.timing.noise import NoiseWatch, machine_doubts
from paredown._measure.timing.process import WorkerProcess
from paredown._measure.timing.watching import Moment, Watch, Watched
from paredown.endurance import Sustained, Throttled
from paredown.errors import UsageError
from paredown.measurement import Doubt, Quantity
from paredown.protocols import Array, Progress, silent
from paredown.runtimes import RUNTIMES
from paredown.sensors.series import PowerSeries
from paredown.statistics.confidence_interval import Interval, median_of_rounds
from paredown.targets import Target

_TURN_S = 0.5
_MAX_TURN = 5000
_TIMEOUT_S = 120.0
_COLD_S = 10.0
_LEAST_S = 3.0
_STILL_S, _STILL = 2.0, 8.0  # a turn of so long, and so many times the usual one, was interrupted
_SLOWER = 1.05  # hot against cold, from which on a machine counts as slower
_LOWER = 0.95  # of the clock rate it began with
_PLOTTED = 2000
_TAKEN = ("busy", "withheld")  # kinds of doubts: time that the model did not get


@dataclass(frozen=True)
class Turns:
    """One value for each turn: its end on the host's clock, median and 90th percentile of latency, count,
    wall."""

    end_s: tuple[float, ...]
    latency_s: tuple[float, ...]
    p90_s: tuple[float, ...]
    count: tuple[int, ...]
    wall_s: tuple[float, ...]


def check_sustained(seconds: float) -> None:
    """Nothing, or UsageError for a time in which cold cannot be told from hot. 0 is not at all."""
    if 0 < seconds < _LEAST_S:
        raise UsageError("too short to tell cold from hot", got=f"{seconds:g} s", expected="3s or more")


def sustain(
    model: Path,
    place: Target,
    feeds: Mapping[str, Array],
    seconds: float,
    *,
    threads: int = 0,
    power: PowerFrom | None = None,
    progress: Progress = silent,
) -> Sustained:
    """The model alone on the host for so long, from cold: it is loaded and not warmed up.

    power: a meter's log in place of the host's own sensor. Raises TargetError, OutOfMemory, DataError.
    """
    place.require_timing()
    host, asked = place.host, power or PowerFrom()
    with ExitStack() as stack:
        lock = stack.enter_context(TimingLock(host, progress))
        meter = stack.enter_context(Metered(host, asked.log)) if asked.log else None
        worker = WorkerProcess(
            host,
            place.build(model, model.parent),
            RUNTIMES[place.runtime],
            feeds,
            threads=place.used_threads(threads),
            timeout_s=_TIMEOUT_S,
        )
        pid = stack.enter_context(worker).load()["pid"]
        watch = stack.enter_context(Watch(host, [pid], sensor=asked.sensor))
        noise = NoiseWatch(host, [pid])
        watch.settle()
        turns = _run(worker, seconds, progress)
        disturbed = (d for d in noise.doubts() if d.kind != "throttled")
        doubts = (*machine_doubts(host.facts()), *disturbed, *lock.doubts())
        watch.settle()
        seen = watch.stop()
        metered = None if meter is None else meter.finish()
    series, power_of = (seen.power, f"{seen.covers} ({seen.sensor})") if seen.power else (None, seen.why)
    if metered is not None:
        series, power_of = metered.series, metered.covers
    return Sustained(
        seconds,
        **_turn_series(turns),
        throttled=throttling(turns, seen, tuple(d.text for d in doubts if d.kind in _TAKEN)),
        quantities=_quantities(turns, seconds),
        **_state_series(seen, turns.end_s[0] - turns.wall_s[0]),
        **_power_series(series, turns.end_s[0] - turns.wall_s[0]),
        power_of=power_of,
        doubts=(*doubts, *stood_still(turns)),
    )


def _run(worker: WorkerProcess, seconds: float, progress: Progress) -> Turns:
    """Turns until the time is over."""
    rows: list[tuple[float, float, float, int, float]] = []
    count, passed_s, whole = 1, 0.0, math.ceil(seconds)
    for second in progress(range(whole), "sustained, seconds", total=whole):
        while passed_s < min(second + 1, seconds):
            answer = worker.run(count)
            latencies = answer["latency_s"]
            p90 = float(np.quantile(latencies, 0.9))
            rows.append((answer["end_s"][-1], median(latencies), p90, len(latencies), answer["wall_s"]))
            count = min(_MAX_TURN, max(1, round(_TURN_S * count / answer["wall_s"])))
            passed_s += answer["wall_s"]
    return Turns(*zip(*rows, strict=True))


def _parts(turns: Turns, seconds: float) -> tuple[slice, slice]:
    """The turns that are cold and those that are hot."""
    passed = np.cumsum(turns.wall_s)
    cold = max(1, int((passed <= min(_COLD_S, seconds / 6)).sum()))
    hot = min(len(passed) - 1, int((passed < passed[-1] * 2 / 3).sum()))
    return slice(0, cold), slice(hot, None)


def _cold_and_hot(turns: Turns, seconds: float) -> tuple[Interval, Interval]:
    """The latencies of both parts, in seconds."""
    cold, hot = (median_of_rounds([[s] for s in turns.latency_s[part]]) for part in _parts(turns, seconds))
    return cold, hot


def _quantities(turns: Turns, seconds: float) -> tuple[Quantity, ...]:
    cold, hot = _cold_and_hot(turns, seconds)
    named = {"latency_cold_s": cold, "latency_hot_s": hot}
    held, window_s = _held_rate(turns, min(_COLD_S, seconds / 6))
    return (
        *(
            Quantity.listed(name, found.value, low=found.low, high=found.high, ci=found.method)
            for name, found in named.items()
        ),
        Quantity.listed(
            "hot_ratio",
            hot.value / cold.value,
            low=hot.low / cold.high,
            high=hot.high / cold.low,
            ci="the ends of both intervals",
        ),
        Quantity.listed("held_rate", held, ci=f"the slowest {window_s:.1f} s of all"),
    )


def _held_rate(turns: Turns, window_s: float) -> tuple[float, float]:
    """Inferences a second in the slowest stretch of at least `window_s`; and how long that is."""
    best, first, wall, count = (math.inf, window_s), 0, 0.0, 0
    for last in range(len(turns.wall_s)):
        wall, count = wall + turns.wall_s[last], count + turns.count[last]
        while wall - turns.wall_s[first] >= window_s:
            wall, count, first = wall - turns.wall_s[first], count - turns.count[first], first + 1
        if wall >= window_s:
            best = min(best, (count / wall, wall))
    return best if math.isfinite(best[0]) else (sum(turns.count) / sum(turns.wall_s), sum(turns.wall_s))


def throttling(turns: Turns, seen: Watched, taken: Sequence[str] = ()) -> Throttled:
    """Whether the machine was slowed down, from its own word, its clock rate and the latency.

    taken: sentences that say who else took time from the model.
    """
    start_s = turns.end_s[0] - turns.wall_s[0]
    shown = {
        "latency": True,
        "the kernel's and the board's word on throttling": seen.throttling_tells,
        "clock rate": seen.clock_tells,
        "temperature": any(m.temperature_c is not None for m in seen.moments),
    }
    looked = tuple(name for name, there in shown.items() if there)
    hidden = tuple(name for name, there in shown.items() if not there)
    found = _told(seen.moments) or (_fallen(seen.moments) if seen.clock_tells else None)
    cold, hot = _cold_and_hot(turns, sum(turns.wall_s))
    slower = hot.value / cold.value
    ends = f"latency hot is {slower:.2f} of cold"
    if found is not None:
        moment_s, why = found
        return Throttled(moment_s - start_s, f"throttling seen: {why}; {ends}", looked, hidden)
    if slower > _SLOWER and hot.low <= cold.high:
        return Throttled(None, f"no throttling seen: {ends}, which may be chance", looked, hidden)
    if slower > _SLOWER:
        why = "; ".join(taken) or "nothing this machine shows says why"
        words = f"no throttling seen, and yet it became slower: {ends}; {why}"
        return Throttled(None, words, looked, hidden)
    return Throttled(None, f"no throttling seen: {ends}", looked, hidden)


def _told(moments: Sequence[Moment]) -> tuple[float, str] | None:
    """When the firmware or the kernel first said so, and its words."""
    for moment in moments:
        if moment.states:
            return moment.time_s, f"the board says {', '.join(moment.states)}"
        if moment.events > moments[0].events:
            return moment.time_s, "the kernel counted throttling by heat or power"
    return None


def _fallen(moments: Sequence[Moment]) -> tuple[float, str] | None:
    """When the clock rate fell below its level of the first sixth, and stayed there to the end."""
    rates = [(m.time_s, m.clock_mhz) for m in moments if m.clock_mhz is not None]
    if len(rates) < 6:
        return None
    first = median(rate for _, rate in rates[: max(3, len(rates) // 6)])
    last = median(rate for _, rate in rates[-max(3, len(rates) // 3) :])
    if last >= _LOWER * first:
        return None
    low = [
        time_s
        for i, (time_s, _) in enumerate(rates)
        if median(r for _, r in rates[i : i + 5]) < _LOWER * first
    ]
    return low[0], f"the clock rate fell from {first:.0f} to {last:.0f} MHz"


def stood_still(turns: Turns) -> tuple[Doubt, ...]:
    """That the process did not run for a while, which no inference explains: stopped, suspended, swapped out.

    A turn that took many times what turns take is one that was interrupted.
    """
    usual_s = median(turns.wall_s)
    lost = [s - usual_s for s in turns.wall_s if s > max(_STILL_S, _STILL * usual_s)]
    if not lost:
        return ()
    times = "once" if len(lost) == 1 else f"{len(lost)} times"
    return (Doubt("still", f"the process stood still {times}, {max(lost):.0f} s at the longest", max(lost)),)


def _turn_series(turns: Turns) -> dict[str, tuple[float, ...]]:
    start_s, step = turns.end_s[0] - turns.wall_s[0], max(1, len(turns.end_s) // _PLOTTED)
    rates = tuple(n / s for n, s in zip(turns.count, turns.wall_s, strict=True))
    return {
        "time_s": tuple(end - start_s for end in turns.end_s[::step]),
        "latency_s": turns.latency_s[::step],
        "latency_p90_s": turns.p90_s[::step],
        "rate": rates[::step],
    }


def _state_series(seen: Watched, start_s: float) -> dict[str, tuple[float, ...]]:
    """A clock rate that is only nominal is not shown: a flat line would look like a finding."""
    moments = seen.moments

    def known(values: Sequence[float | None]) -> tuple[float, ...]:
        return tuple(v for v in values if v is not None) if None not in values else ()

    return {
        "state_time_s": tuple(m.time_s - start_s for m in moments),
        "clock_mhz": known([m.clock_mhz for m in moments]) if seen.clock_tells else (),
        "temperature_c": known([m.temperature_c for m in moments]),
        "memory_bytes": tuple(float(m.memory_bytes) for m in moments),
    }


def _power_series(series: PowerSeries | None, start_s: float) -> dict[str, tuple[float, ...]]:
    if series is None or len(series.time_s) < 2:
        return {"power_time_s": (), "power_w": ()}
    times, watts = series.watts()
    step = max(1, len(times) // _PLOTTED)
    return {
        "power_time_s": tuple(float(t) - start_s for t in times[::step]),
        "power_w": tuple(float(w) for w in watts[::step]),
    }
