"""What is known of a machine: its facts (`Machine`), and what changes while it works (`Counters`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

STATES = ("under-voltage", "clock rate capped", "throttled", "soft temperature limit reached")
"""What the firmware of a board says of its power and heat."""


@dataclass(frozen=True)
class Machine:
    """The facts of a machine, plain values. What its system does not tell is "", None or empty, not guessed.

    instruction_sets: those that matter to integer kernels ("avx2", "vnni", "neon", "dotprod", ...).
    cores_usable: physical cores that a program may use there, affinity and container limits counted.
    No host name, user name or path: reports travel.
    """

    arch: str  # "x86_64", "aarch64", else the system's own word
    cpu: str = ""  # the processor as it names itself
    board: str = ""  # the machine's own name: "Raspberry Pi 5 Model B Rev 1.0"
    instruction_sets: frozenset[str] = frozenset()
    tells_instruction_sets: bool = True
    cores_physical: int | None = None
    cores_logical: int | None = None
    cores_usable: int = 1
    frequency_max_mhz: float | None = None
    governors: frozenset[str] = frozenset()  # frequency governors in use
    turbo: bool | None = None
    memory_bytes: int = 0
    swap_bytes: int = 0
    os: str = ""
    kernel: str = ""
    virtualization: str = ""  # "virtual machine", "container", both, or "" as far as can be seen
    sensors: tuple[str, ...] = ()  # of power or energy, that can be read: keys of SENSORS
    no_sensor: str = ""  # why none can be
    python: str = ""
    packages: Mapping[str, str] = field(
        default_factory=dict
    )  # version by name, of those that change a result

    @property
    def saturates(self) -> bool:
        """Whether sums of 8-bit products are cut off at 16 bits: x86 without VNNI, or that tells nothing."""
        return self.arch == "x86_64" and "vnni" not in self.instruction_sets


@dataclass(frozen=True)
class Throttling:
    """events: how often the kernel counted. now, since_start: `STATES` that the board's firmware names."""

    events: int = 0
    now: frozenset[str] = frozenset()
    since_start: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Counters:
    """A machine at a moment. Two of them tell what happened in between.

    busy_s, withheld_s: seconds of all cores together, in use and withheld by the host of a virtual machine.
    ours_s: of the busy ones, those of the processes that were asked for.
    """

    time_s: float  # of a clock that only goes forward
    busy_s: float = 0.0
    withheld_s: float = 0.0
    ours_s: float = 0.0
    free_memory_bytes: int = 0
    used_swap_bytes: int = 0
    clock_mhz: float | None = None  # mean over the cores; None where the system does not tell
    temperature_c: float | None = None  # of the processor, its hottest part
    throttling: Throttling = Throttling()


def taken(start: Counters, end: Counters, cores: int | None) -> tuple[float, float]:
    """Of all cores (logical ones), what processes other than ours used from one moment to the other, and what
    a virtual machine's host withheld."""
    of_all_s = (end.time_s - start.time_s) * (cores or 1)
    if of_all_s <= 0:
        return 0.0, 0.0
    others_s = end.busy_s - start.busy_s - (end.ours_s - start.ours_s)
    return others_s / of_all_s, (end.withheld_s - start.withheld_s) / of_all_s
