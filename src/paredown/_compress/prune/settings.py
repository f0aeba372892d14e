"""Frozen settings of the steps that prune; importing them needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from paredown._compress.recipe import Stage, Step
from paredown.errors import UsageError


@dataclass(frozen=True)
class Prune(Step):
    """prune30: take out the channels that matter least until 30 % of the multiply-accumulates are gone.

    align: layers keep a multiple of this many channels, which is what SIMD kernels work through at once.
    """

    kind: ClassVar[str] = "prune"
    summary: ClassVar[str] = "remove whole channels until that part of the MACs is gone"
    amount: ClassVar[str] = "percent"

    percent: float = 30.0
    by: Literal["l1", "taylor", "slim"] = "taylor"
    align: int = 8

    def provides(self, stage: Stage) -> Stage:
        return "pruned"

    @property
    def packages(self) -> tuple[str, ...]:
        return () if self.by == "l1" else ("torch",)


@dataclass(frozen=True)
class Sparse(Step):
    """sparse: so many percent of the weights are zero."""

    kind: ClassVar[str] = "sparse"
    summary: ClassVar[str] = "zeros for the smallest weights, also in patterns (-nm, -block); -surgery learns"
    amount: ClassVar[str] = "percent"

    percent: float = 50.0
    threshold: Literal["", "global"] = ""  # "": one for every layer
    pattern: Literal["", "nm", "block"] = ""
    learning: Literal["", "gradual", "surgery"] = ""
    of: int = 4  # the M of N:M
    lanes: int = 8  # output channels of a block
    steps: int = 2000  # of learning
    minutes: float = 30.0  # whichever ends first
    rate: float = 0.001

    def provides(self, stage: Stage) -> Stage:
        return "pruned"

    @property
    def learns(self) -> bool:
        return bool(self.learning)

    @property
    def packages(self) -> tuple[str, ...]:
        return ("torch",) if self.learning else ()

    @property
    def share(self) -> float:
        return self.percent / 100

    def check(self) -> None:
        """Raises UsageError for a setting that means nothing."""
        if not 0 <= self.percent < 100:
            raise UsageError(
                f"{self.name}: no such share of zeros", got=f"{self.percent:g} %", expected="0 to 99"
            )
        if self.of < 1 or self.lanes < 1:
            raise UsageError(f"{self.name}: groups and blocks hold at least one weight")
        if self.pattern == "nm" and (self.share * self.of) % 1:
            raise UsageError(
                f"{self.name}: {self.percent:g} % of {self.of} weights is no whole number",
                hint=f"multiples of {100 / self.of:g} %, or another group: -of8",
            )
        if self.pattern == "nm" and self.threshold == "global":
            raise UsageError(f"{self.name}: N:M gives every layer the same share", hint="leave out -global")
