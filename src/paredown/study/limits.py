"""What the result of a study must keep to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from paredown._compress.order import check_order
from paredown._compress.recipe import Bounds, Recipe
from paredown.agreement import is_agreement, least_agreement
from paredown.checking import check_fields
from paredown.errors import UnknownName, UsageError
from paredown.quantities import QUANTITIES, limited
from paredown.typed import UnknownKey, build

DEFAULT_MAX_DROP = 1.0  # points


def in_points(value: float) -> str:
    """ "1 point", "0.5 points"."""
    return f"{value:g} point{'' if value == 1 else 's'}"


@dataclass(frozen=True)
class Limits:
    """What the best model must keep to; None: not asked for. The accuracy is then held to DEFAULT_MAX_DROP,
    or without truth to the agreement with the float model that goes with it (`agreement.least_agreement`).

    max_drop: points of mAP50-95 or top-1, which need truth: 0.5 means 0.414 -> 0.409. min_agreement: per cent
    of agreement with the float model, which judges where there is no truth. more: other quantities that a
    limit can be set on (`QUANTITIES`), name -> the most that it may be, in the quantity's unit.
    """

    max_drop: float | None = None
    max_latency_s: float | None = None
    max_size_bytes: int | None = None
    min_agreement: float | None = None
    more: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self)
        for name in self.more:
            if name not in limited():
                raise UnknownName("quantity that a limit can be set on", name, limited())
        for name, value in self._numbers().items():
            if not value >= 0:
                raise UsageError(f"{name} must not be negative", got=value)
        if self.min_agreement is not None and self.min_agreement > 100:
            raise UsageError(
                "no model agrees more than fully", got=f"{self.min_agreement:g} %", expected="at most 100"
            )
        if self.max_drop is not None and self.min_agreement is not None:
            raise UsageError(
                "points of accuracy and agreement with the float model are two judges",
                got=f"at most {in_points(self.max_drop)} lost, at least {self.min_agreement:g} % agreement",
                expected="--max-drop where the images have truth, --min-agreement where they have none",
            )

    def check(self, metric: str) -> None:
        """Raises UsageError where what was asked for cannot be judged by this metric."""
        if is_agreement(metric) and self.max_drop is not None:
            least = least_agreement(metric, self.max_drop)
            raise UsageError(
                "points of accuracy cannot be counted: the images have no truth",
                got=f"at most {in_points(self.max_drop)} lost",
                expected="labelled images, or a limit on the agreement with the float model",
                hint=f"--min-agreement {least:g}, which goes with that loss as a rule (docs/agreement.md)"
                if least
                else "--min-agreement P, in per cent (docs/agreement.md)",
            )
        if not is_agreement(metric) and self.min_agreement is not None:
            raise UsageError(
                "the images have truth, so models are judged by it and not by their agreement with float",
                got=f"at least {self.min_agreement:g} % agreement",
                expected="a limit on the points of accuracy lost",
                hint="--max-drop P, or plain:PATH to leave the truth aside",
            )

    def on(self, recipe: Recipe) -> Recipe:
        """The recipe with these limits in the steps that choose by limits.

        Raises: UsageError where under these limits a step behind one of them could do nothing.
        """
        bounded = recipe.limited(self._bounds)
        check_order(bounded)
        return bounded

    def taken_by(self, recipe: Recipe) -> bool:
        """Whether some step of the recipe chooses by limits, and by these."""
        return any(step.takes(self._bounds) for step in recipe.steps)

    @property
    def _bounds(self) -> Bounds:
        return Bounds(self.max_drop, self.max_latency_s, self.max_size_bytes, self.min_agreement)

    @property
    def at_most(self) -> dict[str, float]:
        """The quantities that were limited, by name, in the order of `QUANTITIES`."""
        asked = {"latency_s": self.max_latency_s, "size_bytes": self.max_size_bytes, **self.more}
        return {name: value for name in limited() if (value := asked.get(name)) is not None}

    def _numbers(self) -> dict[str, float]:
        return {key: value for key, value in self.table().items() if isinstance(value, int | float)}

    def table(self) -> dict[str, object]:
        """The limits by the keys of study.toml."""
        named = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "more"}
        return {**named, **{QUANTITIES[name].limit_key: value for name, value in self.more.items()}}

    @property
    def drop(self) -> float:
        return DEFAULT_MAX_DROP if self.max_drop is None else self.max_drop

    def allowed(self, metric: str) -> float:
        """Points that may be lost: of the metric, or of full agreement where that is the metric."""
        if not is_agreement(metric):
            return self.drop
        least = self.min_agreement
        return round(100 - (least_agreement(metric, DEFAULT_MAX_DROP) if least is None else least), 6)

    def asked(self, metric: str) -> float | None:
        """The one of the two limits that counts for this metric; None where it was not asked for."""
        return self.min_agreement if is_agreement(metric) else self.max_drop


def read_limits(table: Mapping[str, object]) -> Limits:
    """The limits by the keys of study.toml. Raises typed.UnknownKey, typed.Misfit, UsageError."""
    own = {f.name for f in fields(Limits)} - {"more"}
    others = {key: name for name in limited() if (key := QUANTITIES[name].limit_key) not in own}
    for key in table:
        if key not in own | others.keys():
            raise UnknownKey("", key, sorted(own | others.keys()))
    more = {others[key]: value for key, value in table.items() if key in others and value is not None}
    return build(Limits, {**{key: value for key, value in table.items() if key in own}, "more": more})
