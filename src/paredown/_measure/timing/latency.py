"""Latency, processor use and memory of a model beside its baseline, each in a fresh process.

The two are timed interleaved (`interleaved.py`), so that the ratio of a round holds where its times do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from paredown._measure.timing.interleaved import Record, TimingPlan, interleave, warmed_up
from paredown._measure.timing.lock import TimingLock
from paredown._measure.timing.noise import NoiseWatch, machine_doubts, series_doubts
from paredown._measure.timing.process import WorkerProcess
from paredown.errors import ConnectionLost, TargetError, UsageError
from paredown.measurement import Doubt, Quantity
from paredown.protocols import Array, Artifact, Host, Progress, silent
from paredown.runtimes import RUNTIMES
from paredown.statistics.confidence_interval import median_of_rounds, ratio_of_rounds
from paredown.targets import Target

_CI_LIMIT = 0.10  # width of the ratio's interval, above which the ratio is not worth its decimals

_ROUGH = "rough"  # the kind of doubt about the ratio
_BESIDE = "float model beside it"

_MOST_CUTS = 20  # of one timing: a link that breaks within seconds each time measures nothing

Timing = tuple[tuple[Quantity, ...], dict[str, tuple[float, ...]], tuple[Doubt, ...]]


def measure_latency(
    candidate: Path,
    baseline: Path,
    place: Target,
    feeds: Mapping[str, Array],
    *,
    baseline_place: Target | None = None,
    baseline_feeds: Mapping[str, Array] | None = None,
    threads: int = 0,
    plan: TimingPlan | None = None,
    progress: Progress = silent,
) -> Timing:
    """The candidate's quantities, the curves of both, and the doubts.

    candidate, baseline: ONNX models; what the runtime builds of them lies beside them. baseline_place: where
    the baseline's runtime is another than the candidate's, on the same host. baseline_feeds: where its inputs
    differ. threads: 0 leaves it to `Target.used_threads`.

    Raises:
        TargetError: this machine is not the target, or a process crashed, hung or was refused by the runtime.
        ConnectionLost: the host was away for too long, or again and again. A timing that was cut starts anew.
        OutOfMemory: a process ran out of memory, or was killed as the system does then.
    """
    plan = plan or TimingPlan()
    if threads < 0:
        raise UsageError("threads cannot be negative", got=threads, expected="0 for all cores, or a count")
    floats = baseline_place or place
    asked = [(candidate, place, feeds), (baseline, floats, baseline_feeds or feeds)]
    for _, where, _ in asked:
        where.require_timing()
    pair = [
        (where.build(model, model.parent), where.runtime, where.used_threads(threads), given)
        for model, where, given in asked
    ]
    for cuts in range(_MOST_CUTS):
        programs: list[WorkerProcess | TimingLock] = []
        try:
            records, doubts = _timed(pair, place.host, plan, progress, programs)
        except TargetError:
            if not any(program.lost() for program in programs):
                raise
        else:
            return _evaluate(records[0], records[1], (*doubts, *_cut_doubts(cuts)))
    raise ConnectionLost(
        f"the connection to the host {place.host.name} was cut in each of {_MOST_CUTS} attempts to time",
        hint="a cable is better than a radio link; what was measured before is kept",
    )


def _timed(
    pair: Sequence[tuple[Artifact, str, int, Mapping[str, Array]]],
    host: Host,
    plan: TimingPlan,
    progress: Progress,
    programs: list[WorkerProcess | TimingLock],
) -> tuple[list[Record], tuple[Doubt, ...]]:
    """What the two said, and what disturbed them. Fills `programs`, all of which have ended afterwards.

    pair: of each model what its runtime opens, the runtime, its threads and its feeds.
    """
    records, workers = [], []
    with ExitStack() as stack:
        lock = TimingLock(host, progress)
        programs.append(lock)
        stack.enter_context(lock)
        for built, runtime, threads, given in pair:
            worker = WorkerProcess(
                host, built, RUNTIMES[runtime], given, threads=threads, timeout_s=plan.timeout_s
            )
            programs.append(worker)
            workers.append(stack.enter_context(worker))
            records.append(warmed_up(worker, plan))
        watch = NoiseWatch(host, [record.load["pid"] for record in records])
        interleave(workers, records, plan, progress)
        return records, (*machine_doubts(host.facts()), *watch.doubts(), *lock.doubts())


def _cut_doubts(cuts: int) -> tuple[Doubt, ...]:
    if not cuts:
        return ()
    often = "once" if cuts == 1 else f"{cuts} times"
    return (Doubt("cut", f"the connection was cut {often}; what is reported was timed in one go after that"),)


def _evaluate(candidate: Record, baseline: Record, doubts: tuple[Doubt, ...]) -> Timing:
    """What the two records say about the candidate, and the latency of the baseline in the same rounds."""
    ratio, ratios = ratio_of_rounds(candidate.rounds, baseline.rounds)
    samples = candidate.latency_s
    cpu = tuple(100 * turn["cpu_s"] / turn["wall_s"] for turn in candidate.turns)
    peak = candidate.turns[-1]["peak_bytes"]
    quantities = (
        _typical("latency_s", candidate),
        _typical("float_latency_s", baseline),
        Quantity.listed("latency_p90_s", float(np.quantile(samples, 0.90))),
        Quantity.listed("latency_p99_s", float(np.quantile(samples, 0.99))),
        Quantity.listed(
            "latency_ratio", ratio.value, samples=ratios, low=ratio.low, high=ratio.high, ci=ratio.method
        ),
        Quantity.listed("cpu_percent", samples=cpu),
        Quantity.listed("peak_memory_bytes", peak),
        Quantity.listed("model_memory_bytes", peak - candidate.load["before_bytes"]),
        Quantity.listed("load_s", candidate.load["load_s"]),
    )
    start_s = min(r.turns[0]["end_s"][0] - r.turns[0]["latency_s"][0] for r in (candidate, baseline))
    curves = {
        "memory_bytes": candidate.memory_bytes,
        "memory_time_s": candidate.time_s(start_s),
        "baseline_latency_s": baseline.latency_s,
        "baseline_memory_bytes": baseline.memory_bytes,
        "baseline_memory_time_s": baseline.time_s(start_s),
        "warmup_latency_s": candidate.warmup_s,
        "baseline_warmup_latency_s": baseline.warmup_s,
    }
    found = [
        *doubts,
        *series_doubts(candidate.round_s, "model"),
        *series_doubts(baseline.round_s, _BESIDE),
    ]
    wide = (ratio.high - ratio.low) / ratio.value
    if wide > _CI_LIMIT:
        text = f"the latency ratio is only known to lie in {ratio.low:.2f} .. {ratio.high:.2f}"
        found.append(Doubt(_ROUGH, text, wide))
    return quantities, curves, tuple(found)


def _typical(name: str, record: Record) -> Quantity:
    """The median over the rounds of their medians, with its interval; the samples are single inferences."""
    found = median_of_rounds(record.rounds)
    return Quantity.listed(
        name, found.value, samples=record.latency_s, low=found.low, high=found.high, ci=found.method
    )


def without_baseline(doubts: Sequence[Doubt]) -> tuple[Doubt, ...]:
    """Those that say nothing about a baseline, for a model timed beside itself."""
    return tuple(d for d in doubts if d.kind != _ROUGH and _BESIDE not in d.text)
