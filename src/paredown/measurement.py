"""The nouns `Quantity`, `Doubt`, `Readings`, `Measurement`, `Trial`: a number keeps its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from paredown.quantities import QUANTITIES, Better, How


@dataclass(frozen=True)
class Quantity:
    """One reported number with all it was made of.

    `value` is what is shown. `samples` are the raw readings behind it (empty where there is only one).
    `low`, `high`: 95 % confidence interval, where one was computed; `ci` says by which method.
    """

    name: str  # "map50_95", "latency_s", "latency_ratio", "peak_memory_bytes", ...
    value: float
    unit: str  # a key of `quantities.UNITS`
    better: Better
    how: How = "measured"
    samples: tuple[float, ...] = field(default=(), repr=False)
    low: float | None = None
    high: float | None = None
    ci: str = ""

    @staticmethod
    def listed(
        name: str,
        value: float | None = None,
        *,
        how: How | None = None,
        samples: tuple[float, ...] = (),
        low: float | None = None,
        high: float | None = None,
        ci: str = "",
    ) -> Quantity:
        """A quantity of the table `QUANTITIES`, by default obtained in the first way that its row allows.

        value: None for the median of the samples. Raises: ValueError where the row does not allow `how`.
        """
        kind = QUANTITIES[name]
        how = how or kind.how[0]
        if how not in kind.how:
            raise ValueError(f"{name} cannot be {how}, only {' or '.join(kind.how)}")
        value = float(median(samples)) if value is None else float(value)
        return Quantity(name, value, kind.unit, kind.better, how, samples, low, high, ci)


@dataclass(frozen=True)
class Doubt:
    """Why the numbers of one measurement should not be believed, or only roughly.

    kind: doubts of several trials are summed up by it ("busy", "spread", ...). size: how bad, within the
    kind. unfit: so bad that nothing can be said about the speed.
    """

    kind: str
    text: str  # "other processes used 1.2 of 4 cores meanwhile"
    size: float = 0.0
    unfit: bool = False

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Measurement:
    """Quantities of one model on one target in one environment.

    `curves` holds what plots need besides quantities, by name (confidence histogram, memory over time ...).
    absent: what was asked for and could not be had ("energy"), and why.
    """

    subject_sha256: str
    target: str
    environment: Mapping[str, object]
    quantities: tuple[Quantity, ...]
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict, repr=False)
    doubts: tuple[Doubt, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: str) -> Quantity | None:
        return next((q for q in self.quantities if q.name == name), None)

    def value(self, name: str) -> float | None:
        q = self.get(name)
        return None if q is None else q.value


@dataclass(frozen=True)
class Readings:
    """What one look at a model gave: a part of its measurement.

    seconds: taken, by what was done. absent: what could not be had, and why.
    """

    quantities: tuple[Quantity, ...] = ()
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict, repr=False)
    doubts: tuple[Doubt, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)


def machine_name(measurement: Measurement) -> str:
    """The target with the processor that stood for it: "local (AMD EPYC, 2 cores)"."""
    facts = measurement.environment
    cores = facts.get("cores_usable")
    parts = [str(facts[key]) for key in ("board", "cpu") if facts.get(key)]
    parts += [f"{cores} core{'' if cores == 1 else 's'}"] if cores else []
    return f"{measurement.target} ({', '.join(parts)})" if parts else measurement.target


@dataclass(frozen=True)
class StepRecord:
    """What one step did to one place in the graph, or why it did nothing there.

    action: "quantized", "float", "skipped", "changed", "note". `data`: plain JSON values for the report.
    """

    step: str
    where: str  # node or tensor name; "" for the whole graph
    action: str
    why: str
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """One line of trials.jsonl: recipe x model x target x seed -> measurement, or what stopped it.

    target: the device's name; with `runtime` and `host` it is the whole of it.
    """

    recipe: str  # Recipe name; "float" is the untouched model
    label: str  # what the table shows: the preset's name where it has one
    source_sha256: str
    model_file: str | None  # relative to the study directory
    target: str
    seed: int
    measurement: Measurement | None
    log: tuple[StepRecord, ...] = ()
    error: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)  # compress, accuracy, latency
    origin: Literal["named", "search"] = "named"  # who asked for this recipe
    model: str = ""  # the float model's name; older studies did not say
    runtime: str = "onnxruntime"
    size: tuple[int, int] | None = None  # height and width that the model is fed with; older: unknown
    host: str = "local"

    @property
    def key(self) -> str:
        """What tells it from the study's other trials: the recipe, and where it ran if that is not usual."""
        places = ((self.runtime, "onnxruntime"), (self.host, "local"))
        return "@".join([self.recipe, *(here for here, usual in places if here != usual)])

    @property
    def short(self) -> str:
        """The label without the place behind it, for tables that have a column for that."""
        return self.label.partition("@")[0]
