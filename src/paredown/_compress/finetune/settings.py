"""Frozen settings of the steps that learn; importing them needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from paredown._compress.recipe import IN_INTEGERS, Stage, Step


@dataclass(frozen=True)
class Qat(Step):
    """qat: learn the weights, biases and scales of a quantized graph, the float model as the teacher."""

    kind: ClassVar[str] = "qat"
    summary: ClassVar[str] = "learn a quantized graph's weights and scales from plain images (needs torch)"
    requires: ClassVar[frozenset[Stage]] = IN_INTEGERS | {"signs"}
    comes_behind: ClassVar[str] = "w8a8 or w4a8"

    steps: int = 5000
    minutes: float = 30.0  # whichever ends first
    rate: float = 0.0005

    @property
    def learns(self) -> bool:
        return True

    @property
    def packages(self) -> tuple[str, ...]:
        return ("torch",)


@dataclass(frozen=True)
class Distill(Step):
    """distill: learn all weights of a pruned float graph, the model it was made from as the teacher."""

    kind: ClassVar[str] = "distill"
    summary: ClassVar[str] = "recover a pruned model from plain images (needs torch)"
    requires: ClassVar[frozenset[Stage]] = frozenset({"pruned", "codebooks", "stored"})
    comes_behind: ClassVar[str] = "prune, sparse or cluster"

    steps: int = 2000
    minutes: float = 30.0  # whichever ends first
    rate: float = 0.003

    @property
    def learns(self) -> bool:
        return True

    @property
    def packages(self) -> tuple[str, ...]:
        return ("torch",)
