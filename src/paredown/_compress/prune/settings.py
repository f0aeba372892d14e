"""The frozen setting of structured pruning; importing it needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from paredown._compress.recipe import Step


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

    @property
    def packages(self) -> tuple[str, ...]:
        return () if self.by == "l1" else ("torch",)
