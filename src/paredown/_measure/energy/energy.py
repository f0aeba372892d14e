"""Energy of a model beside its baseline: watts over time, integrated over each turn, idle power first.

It is measured in rounds of its own, after the latency: turns of a second hold ten samples of a sensor, where
the turns that latency is compared in are too short for one. The first part of a turn is left out, in which
the sensor still averages over what was before. Only inferences that lie wholly in the rest count, with the
energy from the start of the first to the end of the last.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paredown._measure.energy.power import Power, PowerFrom, source
from paredown._measure.timing.lock import TimingLock
from paredown._measure.timing.noise import NoiseWatch
from paredown._measure.timing.process import WorkerProcess
from paredown.measurement import Doubt, Quantity, Readings
from paredown.protocols import Array, Progress, silent
from paredown.quantities import How
from paredown.runtimes import RUNTIMES
from paredown.statistics.confidence_interval import median_of_rounds
from paredown.targets import Target

_MAX_TURN = 20_000  # inferences: the answer of a turn is a line of text
_LEAST_ROUNDS = 3
_LOST_LIMIT = 0.1  # share of rounds without energy, above which that is said
_PLOTTED = 2000  # points of a curve


@dataclass(frozen=True)
class EnergyPlan:
    """idle_s: of rest before anything runs. settle_s: of each turn, left out."""

    idle_s: float = 5.0
    rounds: int = 10
    turn_s: float = 1.5
    settle_s: float = 0.3
    warmup_s: float = 1.0
    timeout_s: float = 120.0


@dataclass(frozen=True)
class Turn:
    """The part of a turn that counts: so many inferences from start to end, on the host's clock."""

    start_s: float
    end_s: float
    count: int


def measure_energy(
    candidate: Path,
    baseline: Path,
    place: Target,
    feeds: Mapping[str, Array],
    *,
    baseline_place: Target | None = None,
    baseline_feeds: Mapping[str, Array] | None = None,
    threads: int = 0,
    power: PowerFrom | None = None,
    plan: EnergyPlan | None = None,
    progress: Progress = silent,
) -> Readings:
    """Power and energy of the candidate, measured; `absent` says why where there is no sensor.

    Raises:
        TargetError: this machine is not the target, or a process crashed, hung or was refused by the runtime.
        DataError: a power log that cannot be read, or does not hold the marker bursts.
    """
    plan, power = plan or EnergyPlan(), power or PowerFrom()
    place.require_timing()
    host, beside = place.host, baseline_place or place
    with ExitStack() as stack:
        lock = stack.enter_context(TimingLock(host, progress))
        watts = stack.enter_context(source(host, power))
        if watts.why:
            return Readings(absent={"energy": watts.why})
        workers, pids = [], []
        for model, where, given in [(candidate, place, feeds), (baseline, beside, baseline_feeds or feeds)]:
            worker = stack.enter_context(_worker(model, where, given, threads, plan.timeout_s))
            workers.append(worker)
            pids.append(worker.load()["pid"])
        idle = _rest(place, plan.idle_s)
        noise = NoiseWatch(host, pids)
        counts = [_turn_count(worker, plan) for worker in workers]
        turns: list[list[Turn]] = [[], []]
        for i in progress(range(plan.rounds), "energy", total=plan.rounds):
            for k in (0, 1) if i % 2 == 0 else (1, 0):
                turns[k].append(settled(workers[k].run(counts[k]), plan.settle_s))
        doubts = tuple(_beside(doubt) for doubt in (*noise.doubts(), *lock.doubts()))
        time.sleep(0.3)  # so that readings stand behind the last turn too
        taken = watts.finish()
    return evaluate(taken, idle, turns[0], turns[1], doubts)


def _worker(
    model: Path, where: Target, feeds: Mapping[str, Array], threads: int, timeout_s: float
) -> WorkerProcess:
    return WorkerProcess(
        where.host,
        where.build(model, model.parent),
        RUNTIMES[where.runtime],
        feeds,
        threads=where.used_threads(threads),
        timeout_s=timeout_s,
    )


def settled(answer: Mapping[str, Any], settle_s: float) -> Turn:
    """The part of a turn behind `settle_s`; all of it where no inference lies wholly there."""
    ends, latencies = answer["end_s"], answer["latency_s"]
    starts = [end - latency for end, latency in zip(ends, latencies, strict=True)]
    first = next((i for i, start in enumerate(starts) if start >= starts[0] + settle_s), 0)
    return Turn(starts[first], ends[-1], len(ends) - first)


def evaluate(
    power: Power,
    idle: tuple[float, float],
    candidate: list[Turn],
    baseline: list[Turn],
    doubts: tuple[Doubt, ...] = (),
) -> Readings:
    """What the watts say of the candidate. idle: from when to when the machine rested, models loaded."""
    idle_w = power.series.power_w(*idle)
    pairs = [
        (c, mine, theirs)
        for c, b in zip(candidate, baseline, strict=True)
        if (mine := _each(power, c)) is not None and (theirs := _each(power, b)) is not None
    ]
    lost = len(candidate) - len(pairs)
    if idle_w is None or len(pairs) < _LEAST_ROUNDS:
        why = f"{power.covers} gave too few samples: {lost} of {len(candidate)} rounds are without"
        return Readings(absent={"energy": why if idle_w is not None else f"{why}, or the time of rest is"})
    each_s = [(turn.end_s - turn.start_s) / turn.count for turn, _, _ in pairs]
    energy = [mine for _, mine, _ in pairs]
    loaded = [e / s for e, s in zip(energy, each_s, strict=True)]
    quantities = (
        Quantity.listed("idle_power_w", idle_w, ci=f"power of {power.covers}"),
        typical("loaded_power_w", loaded, power.covers),
        typical("dynamic_power_w", [w - idle_w for w in loaded], power.covers),
        typical("energy_j", energy, power.covers),
        typical(
            "dynamic_energy_j", [e - idle_w * s for e, s in zip(energy, each_s, strict=True)], power.covers
        ),
        typical("energy_ratio", [mine / theirs for _, mine, theirs in pairs], power.covers, "derived"),
    )
    found = [*doubts, *_doubts(power, lost, len(candidate), quantities[2].value, idle_w)]
    return Readings(quantities, _curves(power, idle[0]), tuple(found))


def typical(name: str, rounds: list[float], covers: str, how: How = "measured") -> Quantity:
    """The median over the rounds with its interval. covers: what the sensor sees, kept with the number."""
    found = median_of_rounds([[value] for value in rounds])
    ci = f"{found.method}; power of {covers}"
    return Quantity.listed(
        name, found.value, how=how, samples=tuple(rounds), low=found.low, high=found.high, ci=ci
    )


def _each(power: Power, turn: Turn) -> float | None:
    """Joules of one inference of the turn."""
    energy = power.series.energy_j(turn.start_s, turn.end_s)
    return None if energy is None else energy / turn.count


def _rest(place: Target, seconds: float) -> tuple[float, float]:
    """From when to when the host rested, on its clock."""
    start_s = place.host.counters().time_s
    time.sleep(seconds)
    return start_s, place.host.counters().time_s


def _turn_count(worker: WorkerProcess, plan: EnergyPlan) -> int:
    """Inferences in a turn; the worker is warm then."""
    first = worker.run(1)
    rest = worker.run(min(_MAX_TURN, max(1, math.ceil(plan.warmup_s / first["wall_s"]))))
    usual_s = float(rest["wall_s"]) / len(rest["latency_s"])
    return min(_MAX_TURN, max(1, math.ceil(plan.turn_s / usual_s)))


def _doubts(power: Power, lost: int, rounds: int, dynamic_w: float, idle_w: float) -> list[Doubt]:
    found = []
    if lost > _LOST_LIMIT * rounds:
        text = f"{lost} of {rounds} rounds have no energy: the sensor missed {power.missed} samples"
        found.append(Doubt("energy-gaps", text, lost / rounds))
    if dynamic_w <= 0:
        text = f"the sensor shows no more power with the model running than at rest ({idle_w:.2f} W)"
        found.append(Doubt("energy-flat", text))
    return found


def _beside(doubt: Doubt) -> Doubt:
    """A doubt of the timing as one of the energy, which was taken in rounds of its own."""
    return Doubt(f"energy-{doubt.kind}", f"while energy was measured: {doubt.text}", doubt.size)


def _curves(power: Power, start_s: float) -> dict[str, tuple[float, ...]]:
    times, watts = power.series.watts()
    step = max(1, len(times) // _PLOTTED)
    return {
        "power_time_s": tuple(float(t) for t in times[::step] - start_s),
        "power_w": tuple(float(w) for w in watts[::step]),
    }
