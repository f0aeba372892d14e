"""The noun `Profile`: facts of a device that change a recipe. One TOML file each in `targets/profiles/`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

DOT_PRODUCTS = frozenset({"vnni", "dotprod"})
"""Instructions that sum products of 8-bit numbers in 32 bits. With or without them: two classes of CPU."""


@dataclass(frozen=True)
class Profile:
    """A device as a table.

    activations, weights: the integer types whose kernels are fast there. per_channel: whether they take a
    weight scale for every channel. A step that would write what is not there is refused. saturates: products
    are summed in 16 bits (x86 without VNNI), so weights need 7 bits (`reduce_range`).
    """

    name: str
    summary: str
    runtime: str = "onnxruntime"  # key of targets.TARGETS
    arch: str = ""  # "x86_64", "aarch64", ...
    board: str = ""  # stands in the machine's or its CPU's own name ("Raspberry Pi 5"); "" fits any board
    isa: tuple[str, ...] = ()  # needed instruction sets: "avx2", "avx512_vnni", "dotprod", ...
    activations: Literal["uint8", "int8"] = "uint8"
    weights: Literal["int8", "uint8"] = "int8"
    saturates: bool = False
    per_channel: bool = True
    memory_bytes: int | None = None
    threads: int | None = None
    sensors: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def weight_bits(self) -> int:
        """7 where 8-bit weights would saturate, else 8."""
        return 7 if self.saturates else 8

    @property
    def sums_products(self) -> bool:
        """Whether the processor has instructions for sums of 8-bit products."""
        return not DOT_PRODUCTS.isdisjoint(self.isa)
