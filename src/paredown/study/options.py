"""What is asked of a study, besides the model and the images: values that go to study.toml and come back."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self, get_args, get_origin, get_type_hints

from paredown.checking import check_fields
from paredown.errors import UnknownName, UsageError
from paredown.families.hints import Hints
from paredown.reading import read_toml
from paredown.study.limits import Limits

CALIBRATION_IMAGES = 100  # more hardly move a range


@dataclass(frozen=True)
class Options:
    """How a study is done. `recipes` empty: the default ones; "int8,int4" will do for ("int8", "int4").
    `card`: the path of a card.toml. `scale`, `colour`, `fit`: how the model is fed, as on the command line.
    `learn_from`: further images for the steps that learn, a path as on the command line.

    allow_outside: data sets may name files outside their own folders.

    keep_other: leave what was measured on other machines or runtimes as it is, instead of measuring it again.
    search: how many recipes a search may propose beyond those; 0: as the budget allows; None: no search.
    """

    target: str = "local"
    recipes: tuple[str, ...] = ()
    budget_s: float | None = None
    search: int | None = None
    family: str | None = None
    card: str | None = None
    scale: str | None = None
    colour: str | None = None
    fit: str | None = None
    keep_float: tuple[str, ...] = ()
    threads: int = 0
    max_bad: int = 0
    allow_overlap: bool = False
    allow_outside: bool = False
    seed: int = 0
    learn_from: str | None = None
    keep_other: bool = False
    calibration_images: int = CALIBRATION_IMAGES

    def __post_init__(self) -> None:
        for name in ("recipes", "keep_float"):
            given = getattr(self, name)
            parts = (part.strip() for part in given.split(",")) if isinstance(given, str) else given
            if isinstance(given, str | list):
                object.__setattr__(self, name, tuple(part for part in parts if part))
        check_fields(self)

    @property
    def hints(self) -> Hints:
        """What is said about the model."""
        return Hints(self.family, self.card, self.scale, self.colour, self.fit)


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
            "limits": asdict(self.limits),
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
        return cls(
            model=str(asked["model"]),
            data=str(asked["data"]),
            calib=None if asked.get("calib") is None else str(asked["calib"]),
            limits=_from_table(Limits, tables.get("limits", {}), "limits"),
            options=_from_table(Options, tables.get("options", {}), "options"),
        )


def read_asked(path: Path) -> Asked:
    """The study that a TOML file asks for. Raises UsageError."""
    return Asked.parse(read_toml(path, what="the study", error=UsageError))


def _from_table(cls: type[Any], table: Mapping[str, object], where: str) -> Any:
    hints = get_type_hints(cls)
    values = {}
    for key, value in table.items():
        if key not in hints:
            raise UnknownName(f"key in [{where}]", key, [f.name for f in fields(cls)])
        if not _fits(value, hints[key]):
            raise UsageError(
                f"[{where}] {key} has a value of the wrong type", got=repr(value), expected=hints[key]
            )
        values[key] = tuple(value) if isinstance(value, list) else value
    return cls(**values)


def _fits(value: object, hint: Any) -> bool:
    """Whether a TOML value may stand where `hint` is: str, int, float, bool, X | None or tuple[str, ...]."""
    if get_origin(hint) is types.UnionType:
        return any(_fits(value, part) for part in get_args(hint) if part is not types.NoneType)
    if get_origin(hint) is tuple:
        return isinstance(value, list) and all(isinstance(v, str) for v in value)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)
