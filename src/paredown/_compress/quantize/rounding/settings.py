"""The frozen setting of learned rounding; importing it needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from paredown._compress.recipe import IN_INTEGERS, Stage, Step


@dataclass(frozen=True)
class AdaRound(Step):
    """adaround: learn, layer by layer, which weights of a quantized graph are rounded up and which down."""

    kind: ClassVar[str] = "adaround"
    summary: ClassVar[str] = "learned rounding of quantized weights (Nagel 2020; needs torch)"
    requires: ClassVar[frozenset[Stage]] = IN_INTEGERS
    comes_behind: ClassVar[str] = "w8a8 or w4a8"

    steps: int = 300  # of the optimiser, each layer

    @property
    def packages(self) -> tuple[str, ...]:
        return ("torch",)
