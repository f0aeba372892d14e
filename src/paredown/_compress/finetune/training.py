"""The nouns of a training: how it is done, and what it gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from paredown._compress.recipe import Context, Step
from paredown.errors import UsageError
from paredown.measurement import StepRecord

CLEARLY = 0.1  # of the error: no draw of held-out images makes that of nothing


@dataclass(frozen=True)
class Training:
    """How to train. rate: the longest step, as a part of a parameter's size (rates.py)."""

    steps: int = 1000
    batch: int = 2  # of large images; gradients differ so much that more steps tell more
    rate: float = 5e-4
    warm_up: float = 0.05  # of the whole
    average: float = 0.99  # of the EMA, a step
    minutes: float = 30.0
    checks: int = 12  # times that the held-out images judge
    seed: int = 0
    threads: int = 0
    blended: float = 0.0  # the share of small images blended with others; grids are made for whole ones
    brief: bool = (
        False  # learns in bfloat16 where the processor multiplies it; judges in float32 all the same
    )
    folder: Path | None = (
        None  # gets a checkpoint at every check; a training that finds its own goes on there
    )

    def __post_init__(self) -> None:
        """Raises UsageError for a training that would end before it begins."""
        if self.steps < 1 or self.minutes <= 0:
            raise UsageError(
                "a training of no length",
                got=f"{self.steps} steps, {self.minutes:g} minutes",
                expected="at least one step, and more than 0 minutes",
            )


class Length(Protocol):
    """What every step that learns is told."""

    @property
    def steps(self) -> int: ...

    @property
    def minutes(self) -> float: ...

    @property
    def rate(self) -> float: ...


def training_of(step: Length, context: Context, *, blended: float = 0.0, brief: bool = False) -> Training:
    """The training of a step in the context of its recipe."""
    return Training(
        step.steps,
        rate=step.rate,
        minutes=step.minutes,
        seed=context.seed,
        threads=context.threads,
        blended=blended,
        brief=brief,
        folder=context.folder,
    )


@dataclass(frozen=True)
class Learned:
    """What a training gave. error: of the kept parameters on the held-out images, 1 before training."""

    arrays: Mapping[str, NDArray[np.float32]]  # initializer name -> real numbers, what graph.write_back takes
    error: float
    parts: Mapping[str, float]  # the error by part, each 1 before training
    steps: int
    seconds: float
    stopped: str  # "steps", "time" or "no progress"
    device: str


def training_record(step: Step, learned: Learned) -> StepRecord:
    """What the log says of a training."""
    won = learned.error < 1
    why = (
        f"error at the heads brought to {learned.error:.0%} of what it was" if won else "nothing better found"
    )
    why += f", {learned.steps} steps, stopped by {learned.stopped}" + ("" if won else ": it stays as it was")
    minutes = round(learned.seconds / 60, 2)
    data = {"parts": dict(learned.parts), "minutes": minutes, "device": learned.device}
    return StepRecord(step.name, "", "note" if won else "skipped", why, data)


def better(before: NDArray[np.float64], after: NDArray[np.float64]) -> bool:
    """True where errors of the same images fell in their mean: by a standard error, or by `CLEARLY`.

    Where one image has most of the error, what it wins is never far from a standard error.
    """
    won = before - after
    doubt = won.std(ddof=1) / np.sqrt(len(won)) if len(won) > 1 else 0.0
    return bool(won.mean() > min(doubt, CLEARLY * before.mean()))
