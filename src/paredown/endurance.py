"""The nouns of what a model does over minutes, beside neighbours, and what its process needs.

All times are seconds since the model began to run, unless said otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from paredown.measurement import Doubt, Quantity


@dataclass(frozen=True)
class Throttled:
    """Whether the machine was slowed down. began_s: None where that was not seen. words: the finding.

    looked_at, hidden: the signs that this machine shows, and those that it does not.
    """

    began_s: float | None
    words: str
    looked_at: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sustained:
    """A model that ran for minutes without a pause. Series of one length share the name before the dash:

    turn: time_s, latency_s (median of a turn), latency_p90_s, rate (inferences a second); state:
    state_time_s, clock_mhz, temperature_c (empty where not shown), memory_bytes; power: power_time_s,
    power_w.
    """

    seconds: float
    time_s: tuple[float, ...]
    latency_s: tuple[float, ...]
    latency_p90_s: tuple[float, ...]
    rate: tuple[float, ...]
    throttled: Throttled
    quantities: tuple[Quantity, ...] = ()
    state_time_s: tuple[float, ...] = ()
    clock_mhz: tuple[float, ...] = ()
    temperature_c: tuple[float, ...] = ()
    memory_bytes: tuple[float, ...] = ()
    power_time_s: tuple[float, ...] = ()
    power_w: tuple[float, ...] = ()
    power_of: str = ""  # what the watts are of; else why there are none
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True)
class Variant:
    """One way to run the model, alone and beside a neighbour, in the same rounds.

    alone, beside: latency. alone_p95, beside_p95: its 95th percentile. change, change_p95: beside the
    neighbour, against the model as it is there; None for that one. refused: why it could not be tried.
    """

    name: str
    alone: Quantity | None = None
    beside: Quantity | None = None
    alone_p95: Quantity | None = None
    beside_p95: Quantity | None = None
    change: Quantity | None = None
    change_p95: Quantity | None = None
    refused: str = ""

    @property
    def gains(self) -> str:
        """What became less by more than chance, with the figures: "median 0.60\u00d7"; "" where nothing
        did."""
        named = {"median": self.change, "95th percentile": self.change_p95}
        return ", ".join(
            f"{name} {q.value:.2f}\u00d7"
            for name, q in named.items()
            if q is not None and q.high is not None and q.high < 1
        )


@dataclass(frozen=True)
class Interference:
    """What one kind of neighbour does to the latency, and what helps. did: what the neighbour did."""

    kind: str
    did: str
    variants: tuple[Variant, ...]


@dataclass(frozen=True)
class ThreadsCurve:
    """Latency by the number of threads, and processor seconds of an inference.

    efficient: the number with the most speedup x efficiency.
    """

    threads: tuple[int, ...]
    latency: tuple[Quantity, ...]
    cpu_s: tuple[float, ...]
    efficient: int


@dataclass(frozen=True)
class Footprint:
    """What the process needs. cold: how the file was put out of the page cache; `not_cold`: why it was
    not."""

    quantities: tuple[Quantity, ...]
    cold: str = ""
    not_cold: str = ""


@dataclass(frozen=True)
class Endurance:
    """All that was looked at besides a measurement; None and empty where it was not asked for."""

    model: str
    machine: str
    made_on: str = ""
    sustained: Sustained | None = None
    interference: tuple[Interference, ...] = field(default=())
    threads: ThreadsCurve | None = None
    footprint: Footprint | None = None
