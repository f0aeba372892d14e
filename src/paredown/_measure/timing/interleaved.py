"""Interleaved timing: models in processes of their own take turns, so that what slows the machine slows all.

Rounds alternate (A B, B A, A B ...). Only one process works at any moment.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from paredown._measure.timing.process import WorkerProcess
from paredown.protocols import Progress

_MAX_TURN = 1000  # inferences: keeps the answer of a turn small where a model takes microseconds


@dataclass(frozen=True)
class TimingPlan:
    """How long to time. Both minimums hold for each model; a turn is `turn_s` long or one inference."""

    min_runs: int = 30
    min_seconds: float = 3.0
    min_rounds: int = 10
    turn_s: float = 0.1
    warmup_s: float = 0.5
    timeout_s: float = 120.0  # for loading, and for one turn


@dataclass
class Record:
    """All that one worker said, in order of time."""

    load: Mapping[str, Any]
    warmup_s: tuple[float, ...]
    usual_s: float  # one inference with what surrounds it, from the warm-up
    turn: int  # inferences in one turn
    turns: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def latency_s(self) -> tuple[float, ...]:
        return tuple(s for latencies in self.rounds for s in latencies)

    @property
    def memory_bytes(self) -> tuple[float, ...]:
        return tuple(float(b) for turn in self.turns for b in turn["held_bytes"])

    def time_s(self, start_s: float) -> tuple[float, ...]:
        """When each inference was over; the clock is the machine's, so those of two workers agree."""
        return tuple(s - start_s for turn in self.turns for s in turn["end_s"])

    @property
    def rounds(self) -> list[list[float]]:
        """The latencies of each round."""
        return [turn["latency_s"] for turn in self.turns]

    @property
    def round_s(self) -> tuple[float, ...]:
        """The median latency of each round."""
        return tuple(median(latencies) for latencies in self.rounds)

    @property
    def wall_s(self) -> float:
        return float(sum(turn["wall_s"] for turn in self.turns))


def warmed_up(worker: WorkerProcess, plan: TimingPlan) -> Record:
    """The record of a worker that has loaded its model and run it for `warmup_s`, at least twice."""
    load, first = worker.load(), worker.run(1)
    rest = worker.run(min(_MAX_TURN, max(1, math.ceil(plan.warmup_s / first["wall_s"]))))
    usual_s = rest["wall_s"] / len(rest["latency_s"])
    turn = min(_MAX_TURN, max(1, round(plan.turn_s / usual_s)))
    return Record(load, (*first["latency_s"], *rest["latency_s"]), usual_s, turn)


def interleave(
    workers: list[WorkerProcess], records: list[Record], plan: TimingPlan, progress: Progress
) -> None:
    """Fill the records with rounds until both minimums hold for each."""
    total = max(
        plan.min_rounds,
        *(math.ceil(plan.min_runs / r.turn) for r in records),
        *(math.ceil(plan.min_seconds / (r.turn * r.usual_s)) for r in records),
    )

    def rounds() -> Iterator[int]:
        done = 0
        while done < plan.min_rounds or any(
            len(r.latency_s) < plan.min_runs or r.wall_s < plan.min_seconds for r in records
        ):
            yield done
            done += 1

    for i in progress(rounds(), "timing", total=total):
        order = range(len(workers)) if i % 2 == 0 else reversed(range(len(workers)))
        for k in order:
            records[k].turns.append(workers[k].run(records[k].turn))
