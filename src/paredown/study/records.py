"""A Trial as plain JSON values and back, without losing a bit.

JSON has no nan and no infinity, so they are written as {"$float": "nan"}. numpy scalars become the Python
numbers of the same value. Tuples inside `environment` and `StepRecord.data` come back as lists.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.errors import StorageError
from paredown.measurement import Doubt, Measurement, Quantity, StepRecord, Trial
from paredown.printable import quoted
from paredown.study.private import Hide, hidden


def to_line(trial: Trial, hide: Hide = str) -> str:
    """One line of strict JSON, without the line feed. hide: applied to every text."""
    values = hidden(plain(trial), hide)
    return quoted(json.dumps(values, allow_nan=False, ensure_ascii=False, separators=(",", ":")))


def json_text(value: object) -> str:
    """Readable strict JSON of any value that `plain` takes; a terminal that shows it obeys nothing in it."""
    return quoted(json.dumps(plain(value), allow_nan=False, ensure_ascii=False, indent=2))


def from_line(line: str) -> Trial:
    """The trial that `to_line` wrote. Raises ValueError on anything else."""
    try:
        return _trial(_unplain(json.loads(line)))
    except (KeyError, TypeError, AttributeError) as e:
        raise ValueError(f"no trial: {e!r}") from e


def plain(value: object) -> Any:
    """The value as dict, list, str, int, float, bool and None. Raises StorageError on anything else."""
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            number = float(value)
            return number if math.isfinite(number) else {"$float": str(number)}
        case np.generic():
            return plain(value.item())
        case np.ndarray():
            return plain(value.tolist())
        case Mapping():
            return {str(k): plain(v) for k, v in value.items()}
        case tuple() | list() | set() | frozenset():
            return [plain(v) for v in value]
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    raise StorageError(f"a {type(value).__name__} cannot be written as JSON", got=repr(value)[:80])


def _unplain(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"$float"}:
            return float(value["$float"])
        return {k: _unplain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_unplain(v) for v in value]
    return value


def _trial(d: dict[str, Any]) -> Trial:
    measured = d["measurement"]
    log = tuple(StepRecord(**record) for record in d["log"])
    return Trial(**{**d, "log": log, "measurement": None if measured is None else _measurement(measured)})


def _measurement(d: dict[str, Any]) -> Measurement:
    quantities = tuple(_quantity(q) for q in d["quantities"])
    curves = {name: tuple(values) for name, values in d["curves"].items()}
    return Measurement(
        **{**d, "quantities": quantities, "curves": curves, "doubts": tuple(map(_doubt, d["doubts"]))}
    )


def _quantity(d: dict[str, Any]) -> Quantity:
    """Older studies called ratios and differences "measured"."""
    derived = d["name"] == "latency_ratio" or d["name"].endswith("_drop")
    how = "derived" if derived and d["how"] == "measured" else d["how"]
    return Quantity(**{**d, "how": how, "samples": tuple(d["samples"])})


def _doubt(d: Any) -> Doubt:
    """Older studies kept the sentence alone: those that differ in their figures only are of one kind."""
    return Doubt(re.sub(r"[\d.,+%-]+", "", d), d) if isinstance(d, str) else Doubt(**d)
