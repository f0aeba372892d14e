"""What others published of an experiment: their figures, and the set-up that they were taken in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from paredown.errors import UnknownName, UsageError
from paredown.metrics.table import METRICS
from paredown.quantities import QUANTITIES


@dataclass(frozen=True)
class Figures:
    """What a source says of one model, made in one way.

    of: it in the source's words ("NanoDet-m, INT8 PTQ"). model, recipe: what of this study they stand beside,
    by label; "" where nothing here is like it. values: by the names of `METRICS` and `QUANTITIES`, in their
    base units (seconds, bytes, accuracy of 0..1). how: "measured", or "simulated" and "estimated" where the
    source says so. note: what is special about these.
    """

    of: str
    values: Mapping[str, float]
    model: str = ""
    recipe: str = ""
    how: str = "measured"
    note: str = ""


@dataclass(frozen=True)
class Published:
    """Figures of one source. models, data, board, runtime, protocol: its set-up in words, each to be set
    beside ours; differs: what else is not the same here, one sentence each."""

    source: str
    models: str = ""
    data: str = ""
    board: str = ""
    runtime: str = ""
    protocol: str = ""
    differs: tuple[str, ...] = ()
    figures: tuple[Figures, ...] = field(default_factory=tuple)

    def check(self, models: Collection[str]) -> None:
        """Raises UnknownName where figures stand beside a model or quantity that there is not; UsageError."""
        known = METRICS.keys() | QUANTITIES.keys()
        for row in self.figures:
            if row.model and row.model not in models:
                raise UnknownName("model of this study in [published]", row.model, models)
            if row.recipe and not row.model:
                raise UsageError(f"[published] {row.of}: a recipe without a model", got=row.recipe)
            for name in row.values:
                if name not in known:
                    raise UnknownName("quantity in [published]", name, known)
