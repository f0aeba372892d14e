"""The noun `Device`: facts of hardware that change a recipe. One TOML file each in `targets/devices/`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

DOT_PRODUCTS = frozenset({"vnni", "dotprod"})
"""Instructions that sum products of 8-bit numbers in 32 bits. With or without them: two classes of CPU."""


@dataclass(frozen=True)
class Device:
    """A device as a table. What a runtime makes of it is the runtime's `Policy`.

    activations, weights: the only integer type that its arithmetic takes; "" where it takes both, and the
    runtime decides. per_channel: whether it can scale every channel of a weight by itself. saturates: sums of
    products are cut off at 16 bits (x86 without VNNI). runtimes: that it can run, the preferred one first.
    memory_bytes: the sizes that it is sold with. sources: field -> where its value was read.
    """

    name: str
    summary: str
    runtimes: tuple[str, ...] = ("onnxruntime",)  # keys of runtimes.RUNTIMES
    arch: str = ""  # "x86_64", "aarch64", ...
    board: str = ""  # stands in the machine's or its CPU's own name ("Raspberry Pi 5"); "" fits any board
    isa: tuple[str, ...] = ()  # needed instruction sets: "avx2", "avx512_vnni", "dotprod", ...
    activations: Literal["", "uint8", "int8"] = ""
    weights: Literal["", "int8", "uint8"] = ""
    saturates: bool = False
    per_channel: bool = True
    memory_bytes: tuple[int, ...] = ()
    threads: int | None = None
    sensors: tuple[str, ...] = ()  # of power: keys of sensors.SENSORS
    governor: str = ""  # what to do about clock and heat before timing
    notes: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)
