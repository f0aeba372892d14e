"""What is asked of a study, besides the model and the images: values that go to study.toml and come back."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, Self

from paredown._measure.energy.power import PowerFrom
from paredown._measure.scope import Scope
from paredown._measure.timing.sustained import check_sustained
from paredown.checking import check_fields
from paredown.errors import UnknownName, UsageError
from paredown.families.hints import Hints
from paredown.study.limits import Limits, read_limits
from paredown.toml import read_toml
from paredown.typed import Misfit, UnknownKey, build

CALIBRATION_IMAGES = 100  # more hardly move a range


@dataclass(frozen=True)
class Options:
    """How a study is done. `recipes` empty: the default ones; "int8,int4" will do for ("int8", "int4").
    `runtimes`: what opens the models ("all": every one that is installed); empty: the target's usual one.
    `host`: the machine that stands for the target ("ssh:user@board"); `accuracy_on`: where models answer.
    `sizes`: longer sides of the input, in pixels, that every recipe is tried at; empty: the model's own.
    `auto_size`: find the smallest size that keeps the limit; `sizes="auto"` says the same.
    `card`: the path of a card.toml. `scale`, `colour`, `fit`: how the model is fed, as on the command line.
    `decode`: the path of a Python file that reads the model's answer. `input`: shapes of inputs that are left
    open, `inputs`: an .npz file for those beside the image, `dequantize`: of a quantized model, as there.
    `learn_from`: unlabelled images for the steps that learn, a path as on the command line.

    allow_outside: data sets may name files outside their own folders.

    keep_other: leave what was measured on other machines or runtimes as it is, instead of measuring it again.
    power_log, power_model, sensor: where watts come from, as on the command line; none: the machine's own.
    sustained_s: how long the best model and the float model then run without a pause, each; 0: not at all.
    classes, conf, iou: which answers of a detector count, as on the command line. fps: the frame rate that a
    model must keep up with, for the report.
    evaluation_images: how many of the images are judged on, always the same; 0: all of them. timing_s: how
    long each model is timed at least; None: as long as a figure takes (`TimingPlan`).
    search: how many recipes a search may propose beyond those; 0: as the budget allows; None: no search.
    """

    target: str = "local"
    host: str = "local"
    accuracy_on: Literal["host", "here"] = "host"
    runtimes: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    auto_size: bool = False
    budget_s: float | None = None
    search: int | None = None
    family: str | None = None
    card: str | None = None
    scale: str | None = None
    colour: str | None = None
    fit: str | None = None
    decode: str | None = None
    input: tuple[str, ...] = ()
    inputs: str | None = None
    dequantize: bool = False
    keep_float: tuple[str, ...] = ()
    threads: int = 0
    max_bad: int = 0
    allow_overlap: bool = False
    allow_outside: bool = False
    seed: int = 0
    learn_from: str | None = None
    keep_other: bool = False
    power_log: str | None = None
    power_model: tuple[float, ...] = ()
    sensor: str = ""
    sustained_s: float = 0.0
    calibration_images: int = CALIBRATION_IMAGES
    evaluation_images: int = 0
    timing_s: float | None = None
    classes: tuple[str, ...] = ()
    conf: float | None = None
    iou: float | None = None
    fps: float | None = None

    def __post_init__(self) -> None:
        for name in ("runtimes", "recipes", "keep_float", "classes", "input"):
            given = getattr(self, name)
            parts = (part.strip() for part in given.split(",")) if isinstance(given, str) else given
            if isinstance(given, str | list):
                object.__setattr__(self, name, tuple(part for part in parts if part))
        if self.sizes == "auto":  # type: ignore[comparison-overlap]
            object.__setattr__(self, "sizes", ())
            object.__setattr__(self, "auto_size", True)
        check_fields(self)
        check_sustained(self.sustained_s)
        if self.timing_s is not None and self.timing_s <= 0:
            raise UsageError(
                "no time to time a model in", got=f"{self.timing_s:g} s", expected="more than 0 s"
            )
        if self.evaluation_images < 0:
            raise UsageError(
                "no image to judge on", got=self.evaluation_images, expected="a number of images, 0 for all"
            )
        if self.auto_size and self.sizes:
            raise UsageError("sizes are named, and to be found", got=f"auto and {self.sizes}")

    @property
    def power(self) -> PowerFrom:
        """Where watts come from. Raises UsageError where that contradicts itself."""
        return PowerFrom(self.power_log, self.power_model, self.sensor)

    @property
    def scope(self) -> Scope:
        """Which answers count. Raises UsageError for a threshold that is none."""
        return Scope(self.classes, self.conf, self.iou)

    @property
    def hints(self) -> Hints:
        """What is said about the model."""
        fed = (self.scale, self.colour, self.fit, self.decode)
        return Hints(self.family, self.card, *fed, self.input, self.inputs, self.dequantize)


@dataclass(frozen=True)
class Asked:
    """A whole study as it was asked for: the model, the images, the limits and the options."""

    model: str
    data: str
    calib: str | None = None
    limits: Limits = field(default_factory=Limits)
    options: Options = field(default_factory=Options)

    def tables(self) -> dict[str, dict[str, object]]:
        """The tables of study.toml."""
        return {
            "asked": {"model": self.model, "data": self.data, "calib": self.calib},
            "limits": self.limits.table(),
            "options": asdict(self.options),
        }

    @classmethod
    def parse(cls, tables: Mapping[str, Mapping[str, object]]) -> Self:
        """The study that `tables` ask for. Raises UsageError on an unknown key or a wrong type."""
        for name, table in tables.items():
            if not isinstance(table, Mapping):
                raise UsageError(
                    "study.toml holds tables only", got=name, expected="[asked], [limits], [options]"
                )
            if name not in ("asked", "limits", "options", "settings", "made"):
                raise UnknownName("table in study.toml", name, ("asked", "limits", "options"))
        asked = dict(tables.get("asked", {}))
        for key in ("model", "data"):
            if not isinstance(asked.get(key), str):
                raise UsageError(f"study.toml must say [asked] {key}", got=asked.get(key))
        for key in asked:
            if key not in ("model", "data", "calib"):
                raise UnknownName("key in [asked]", key, ("model", "data", "calib"))
        with in_table("limits"):
            limits = read_limits(tables.get("limits", {}))
        with in_table("options"):
            options = build(Options, dict(tables.get("options", {})))
        calib = None if asked.get("calib") is None else str(asked["calib"])
        return cls(str(asked["model"]), str(asked["data"]), calib, limits, options)


def read_asked(path: Path) -> Asked:
    """The study that a TOML file asks for. Raises UsageError."""
    return Asked.parse(read_toml(path, what="the study", error=UsageError))


@contextlib.contextmanager
def in_table(where: str, known: Collection[str] = ()) -> Iterator[None]:
    """What does not fit as an error of the user's study.toml. known: the keys, where some may not stand."""
    try:
        yield
    except UnknownKey as e:
        raise UnknownName(f"key in [{where}]", e.key, known or e.known) from e
    except Misfit as e:
        key = e.where.partition("[")[0]
        raise UsageError(
            f"[{where}] {key} has a value of the wrong type", got=repr(e.got), expected=e.expected
        ) from e
