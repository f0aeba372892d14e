"""Workers of several variants of a model, timed in turns: threads, scheduling, another input size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from paredown._measure.timing.process import WorkerProcess
from paredown.measurement import Quantity
from paredown.protocols import Array
from paredown.runtimes import RUNTIMES
from paredown.statistics.confidence_interval import median_of_rounds, ratio_of_rounds
from paredown.targets import Target

TURN_S = 0.4
_MAX_TURN = 5000
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Way:
    """One way to run a model. program: the module that serves, with its arguments. refused: why it cannot
    be."""

    name: str
    model: Path
    feeds: Mapping[str, Array]
    threads: int
    program: tuple[str, ...] = ("paredown._measure.timing.worker",)
    refused: str = ""


@dataclass
class Runner:
    """A warm worker of one way, and how many inferences make a turn."""

    way: Way
    worker: WorkerProcess
    turn: int
    loaded: Mapping[str, Any]
    answers: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)

    def take(self, where: str) -> None:
        """One turn, kept under this name."""
        self.answers.setdefault(where, []).append(self.worker.run(self.turn))

    def latencies(self, where: str) -> list[list[float]]:
        """Of each turn."""
        return [answer["latency_s"] for answer in self.answers[where]]


def start(way: Way, place: Target, turn_s: float = TURN_S) -> tuple[WorkerProcess, Any]:
    """A worker of that way, to be entered, and what makes a Runner of it once it is."""
    worker = WorkerProcess(
        place.host,
        place.build(way.model, way.model.parent),
        RUNTIMES[place.runtime],
        way.feeds,
        threads=way.threads,
        timeout_s=TIMEOUT_S,
        program=way.program,
    )

    def warm() -> Runner:
        loaded, first = worker.load(), worker.run(1)
        rest = worker.run(min(_MAX_TURN, max(1, math.ceil(turn_s / first["wall_s"]))))
        usual_s = rest["wall_s"] / len(rest["latency_s"])
        return Runner(way, worker, min(_MAX_TURN, max(1, round(turn_s / usual_s))), loaded)

    return worker, warm


def typical(name: str, rounds: Sequence[Sequence[float]]) -> Quantity:
    """The median over the rounds of their medians."""
    found = median_of_rounds(rounds)
    samples = tuple(float(np.median(r)) for r in rounds)
    return Quantity.listed(
        name, found.value, samples=samples, low=found.low, high=found.high, ci=found.method
    )


def tail(rounds: Sequence[Sequence[float]]) -> list[list[float]]:
    """The 95th percentile of each round, as a round of one."""
    return [[float(np.quantile(r, 0.95))] for r in rounds]


def against(candidate: Sequence[Sequence[float]], baseline: Sequence[Sequence[float]]) -> Quantity:
    """Their ratio, round by round."""
    found, samples = ratio_of_rounds(candidate, baseline)
    return Quantity.listed(
        "beside_ratio", found.value, samples=samples, low=found.low, high=found.high, ci=found.method
    )
