"""`QUANTITIES`: every quantity that is measured of a model besides its metrics, one row each.

Tables, report, CSV, plots, limits and command line read their titles, units and places from here; a new
quantity is one row. The metrics carry the same facts in `METRICS`; `metrics.kind_of` looks in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

How = Literal["measured", "derived", "estimated", "simulated"]
"""measured: read off the models and the machine. derived: computed from measured quantities, as ratios,
differences, rescaled times and accuracy per joule are. estimated: by a model of the device. simulated:
fake-quantized.
"""

Better = Literal["higher", "lower", "neither"]

Place = Literal["tile", "trials", "elsewhere", "bundle"]
"""tile: large, at the head of a report. trials: a column of its table of trials. elsewhere: a column of its
tables of other machines. bundle: a line of the README that ships. Where it was measured, a quantity stands in
every CSV and JSON.
"""


@dataclass(frozen=True)
class Unit:
    """How values are shown, value * scale with so many decimals before `shown`, and how they are typed.

    spellings: suffix -> how many of `shown` it stands for. whole: base units are counted. finer: a thousandth
    of `shown`, in which a text says what is below a tenth of it; tables keep to one unit a column.
    """

    shown: str
    scale: float = 1.0
    decimals: int = 3
    spellings: Mapping[str, float] = field(default_factory=lambda: {"": 1.0})
    example: str = "3"
    whole: bool = False
    finer: str = ""


_MEGABYTES = {"": 1, "mb": 1, "kb": 1e-3, "gb": 1e3}
_MEGABYTES |= {"mib": 2**20 / 1e6, "kib": 2**10 / 1e6, "gib": 2**30 / 1e6}

UNITS: dict[str, Unit] = {
    "s": Unit("ms", 1e3, 1, {"": 1, "ms": 1, "s": 1000, "us": 1e-3}, "33, 33ms or 0.033s", finer="\u00b5s"),
    "bytes": Unit("MB", 1e-6, 1, _MEGABYTES, "3, 3MB or 3000kB", whole=True, finer="kB"),
    "ratio": Unit("\u00d7", 1.0, 2),
    "%": Unit("%", 1.0, 1, {"": 1, "%": 1}, "30 or 30%"),
    "points": Unit("points", 1.0, 2),
    "dB": Unit("dB", 1.0, 1),
    "J": Unit("J", 1.0, 3, {"": 1, "j": 1, "mj": 1e-3}, "0.5, 0.5J or 500mJ"),
    "W": Unit("W", 1.0, 2, {"": 1, "w": 1, "mw": 1e-3}, "5, 5W or 5000mW"),
    "1/s": Unit("FPS", 1.0, 1),
    "points/J": Unit("points/J", 1.0, 1),
    "points/MB": Unit("points/MB", 1.0, 1),
    "": Unit(""),
}


@dataclass(frozen=True)
class Column:
    """A column of the table of trials on a terminal."""

    head: str
    decimals: int


@dataclass(frozen=True)
class Limit:
    """A limit on the quantity that a user may ask for, typed in the unit it is shown in."""

    option: str  # "--max-latency"
    help: str


@dataclass(frozen=True)
class QuantityKind:
    """What is known about a quantity before it is measured.

    how: the ways it may be obtained. places, column: where it is shown besides the tables of everything.
    caption: the sentence under its bars in a report, "{how}" in it for how they were obtained; "" for
    no bars. look: where it is not shown as its unit is. what: the word of `measure --what` that asks for it.
    limit: None where no limit can be set. against_float: says something only beside a baseline. rate: seconds
    of one inference, shown in frames per second as well.
    """

    name: str
    title: str
    unit: str = ""  # a key of UNITS
    better: Better = "neither"
    how: tuple[How, ...] = ("measured", "derived", "estimated", "simulated")
    places: tuple[Place, ...] = ()
    column: Column | None = None
    caption: str = ""
    look: Unit | None = None
    what: str = ""
    limit: Limit | None = None
    against_float: bool = False
    rate: bool = False

    @property
    def limit_key(self) -> str:
        """What a limit on it is called in Python and in study.toml: "max_latency_s"."""
        return f"max_{self.name}"


_COMPARED: tuple[How, ...] = ("derived", "estimated", "simulated")
_POWERED: tuple[How, ...] = ("measured", "estimated")
_MILLIJOULES = Unit("mJ", 1e3, 1)  # an inference takes one to a thousand of them

_ROWS = (
    QuantityKind(
        "latency_s", "latency", "s", "lower", what="latency", rate=True,
        places=("tile", "trials", "elsewhere", "bundle"), column=Column("ms", 2),
        caption="Latency of one inference, {how}: float's own, times the ratio of the rounds both were timed "
        "in. Bars are 95 % intervals.",
        limit=Limit("--max-latency", "milliseconds one inference may take: 33 or 33ms"),
    ),
    QuantityKind(
        "float_latency_s", "float latency, same rounds", "s", "lower", what="latency", rate=True,
        places=("bundle",), against_float=True,
    ),
    QuantityKind("latency_p90_s", "latency, 90th percentile", "s", "lower", what="latency", rate=True),
    QuantityKind("latency_p99_s", "latency, 99th percentile", "s", "lower", what="latency", rate=True),
    QuantityKind(
        "latency_ratio", "latency against float", "ratio", "lower", _COMPARED, what="latency",
        places=("trials", "elsewhere", "bundle"), column=Column("ratio", 2), against_float=True,
        caption="Latency divided by the float model's, {how} from interleaved rounds; below 1 is faster.",
    ),
    QuantityKind(
        "size_bytes", "file size", "bytes", "lower",
        places=("tile", "trials", "elsewhere"), column=Column("MB", 2),
        caption="Size of the model file, {how}. MB is 1,000,000 bytes.",
        limit=Limit("--max-size", "megabytes the model file may have: 3 or 3MB"),
    ),
    QuantityKind("packed_bytes", "packed (.pdz)", "bytes", "lower", places=("trials", "bundle")),
    QuantityKind(
        "peak_memory_bytes", "peak memory", "bytes", "lower", what="memory",
        places=("tile", "trials", "bundle"), column=Column("mem MB", 0),
        caption="Peak resident memory of a process that runs only this model, runtime included, {how}.",
    ),
    QuantityKind("model_memory_bytes", "model memory", "bytes", "lower", what="memory"),
    QuantityKind(
        "cpu_percent", "CPU use (of one core)", "%", "lower", what="latency", places=("trials", "bundle"),
    ),
    QuantityKind("load_s", "load", "s", "lower", what="latency"),
    QuantityKind(
        "energy_j", "energy", "J", "lower", _POWERED, what="energy", look=_MILLIJOULES,
        places=("tile", "trials", "elsewhere", "bundle"), column=Column("J", 3),
        caption="Energy of one inference, {how}, with what the machine takes at rest in it. Bars are 95 % "
        "intervals.",
        limit=Limit("--max-energy", "joules one inference may take: 0.5, 0.5J or 500mJ"),
    ),
    QuantityKind(
        "dynamic_energy_j", "dynamic energy", "J", "lower", _POWERED, what="energy", look=_MILLIJOULES,
        caption="Energy of one inference above what the machine takes at rest, {how}.",
    ),
    QuantityKind(
        "energy_ratio", "energy against float", "ratio", "lower", _COMPARED, what="energy",
        against_float=True,
    ),
    QuantityKind("idle_power_w", "power at rest", "W", "lower", _POWERED, what="energy"),
    QuantityKind(
        "loaded_power_w", "power under load", "W", "lower", _POWERED, what="energy", places=("bundle",),
    ),
    QuantityKind("dynamic_power_w", "dynamic power", "W", "lower", _POWERED, what="energy"),
    QuantityKind(
        "accuracy_per_j", "accuracy per joule", "points/J", "higher", _COMPARED, what="energy",
        caption="Points of accuracy divided by the energy of one inference, {how}.",
    ),
    QuantityKind(
        "accuracy_per_mb", "accuracy per megabyte", "points/MB", "higher", _COMPARED,
        caption="Points of accuracy divided by the megabytes of the model file, {how}.",
    ),
    QuantityKind("latency_cold_s", "latency, cold", "s", "lower", what="sustained", rate=True),
    QuantityKind("latency_hot_s", "latency, hot", "s", "lower", what="sustained", rate=True),
    QuantityKind("hot_ratio", "hot against cold", "ratio", "lower", _COMPARED, what="sustained"),
    QuantityKind("held_rate", "frames per second that hold", "1/s", "higher", what="sustained"),
    QuantityKind("latency_p95_s", "latency, 95th percentile", "s", "lower", what="interference"),
    QuantityKind("beside_ratio", "beside the neighbour", "ratio", "lower", _COMPARED, what="interference"),
    QuantityKind("load_cold_s", "load, cold", "s", "lower", what="footprint"),
    QuantityKind("pipeline_memory_bytes", "peak memory of the pipeline", "bytes", "lower", what="footprint"),
    QuantityKind("pre_s", "preprocessing", "s", "lower"),
    QuantityKind("inference_s", "inference", "s", "lower"),
    QuantityKind("post_s", "decoding", "s", "lower"),
)  # fmt: skip

QUANTITIES: dict[str, QuantityKind] = {kind.name: kind for kind in _ROWS}


def limited() -> dict[str, Limit]:
    """The limits that can be set, by the name of the quantity."""
    return {name: kind.limit for name, kind in QUANTITIES.items() if kind.limit is not None}


def in_unit(value: float, unit: str, form: str = "g") -> str:
    """A value in the unit it is shown in: in_unit(0.033, "s") is "33 ms"; signs stand close."""
    look = UNITS[unit]
    if look.finer and 0 < abs(value * look.scale) < 0.1:
        return f"{value * look.scale * 1e3:{form}} {look.finer}"
    text = f"{value * look.scale:{form}}"
    return f"{text} {look.shown}" if look.shown.isalpha() else text + look.shown
