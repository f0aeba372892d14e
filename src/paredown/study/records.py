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
from paredown.measurement import Trial
from paredown.printable import quoted
from paredown.study.private import Hide, hidden
from paredown.typed import build

_LONGEST_NUMBER = 300  # digits


def to_line(trial: Trial, hide: Hide = str) -> str:
    """One line of strict JSON, without the line feed. hide: applied to every text."""
    values = hidden(plain(trial), hide)
    return quoted(json.dumps(values, allow_nan=False, ensure_ascii=False, separators=(",", ":")))


def json_text(value: object) -> str:
    """Readable strict JSON of any value that `plain` takes; a terminal that shows it obeys nothing in it."""
    return quoted(json.dumps(plain(value), allow_nan=False, ensure_ascii=False, indent=2))


def from_line(line: str) -> Trial:
    """The trial that `to_line` wrote. Raises ValueError on anything else."""
    return build(Trial, _modern(read_json(line)))


def read_json(text: str) -> Any:
    """The values that `plain` made JSON of. Raises ValueError on anything that is no strict JSON."""
    try:
        return _unplain(json.loads(text, parse_constant=_refuse, parse_int=_whole))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _whole(digits: str) -> int:
    """The number. Raises ValueError where it is beyond what a float holds: nothing here counts so far."""
    if len(digits) > _LONGEST_NUMBER:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def plain(value: object) -> Any:
    """The value as dict, list, str, int, float, bool and None. Raises StorageError on anything else."""
    match value:
        case str():
            return _writable(value)
        case None | bool() | int():
            return value
        case float():
            number = float(value)
            return number if math.isfinite(number) else {"$float": str(number)}
        case np.generic():
            return plain(value.item())
        case np.ndarray():
            return plain(value.tolist())
        case Mapping():
            return {_writable(str(k)): plain(v) for k, v in value.items()}
        case tuple() | list() | set() | frozenset():
            return [plain(v) for v in value]
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    raise StorageError(f"a {type(value).__name__} cannot be written as JSON", got=repr(value)[:80])


def _unplain(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"$float"}:
            if value["$float"] not in ("nan", "inf", "-inf"):
                raise ValueError("$float is nan, inf or -inf")
            return float(value["$float"])
        return {_text(k): _unplain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_unplain(v) for v in value]
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    """The text itself. Raises ValueError where it holds half a character, which no file can."""
    text.encode()
    return text


def _writable(text: str) -> str:
    """The text, with what UTF-8 cannot hold (a file name of other bytes) written as an escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def _modern(trial: Any) -> Any:
    """A trial as older studies wrote it, as it is written now: what is not understood stays as it is."""
    if isinstance(trial, dict) and trial.get("target") in ("reference", "null"):
        trial = {"runtime": trial["target"], **trial}  # the runtime had the target's name
    measured = trial.get("measurement") if isinstance(trial, dict) else None
    if not isinstance(measured, dict):
        return trial
    quantities, doubts = (measured.get(k) for k in ("quantities", "doubts"))
    changed = dict(measured)
    if isinstance(quantities, list):
        changed["quantities"] = [_modern_quantity(q) for q in quantities]
    if isinstance(doubts, list):
        changed["doubts"] = [_modern_doubt(d) if isinstance(d, str) else d for d in doubts]
    return {**trial, "measurement": changed}


def _modern_quantity(quantity: Any) -> Any:
    """Older studies called ratios and differences "measured"."""
    if not isinstance(quantity, dict):
        return quantity
    name = str(quantity.get("name"))
    derived = name == "latency_ratio" or name.endswith("_drop")
    return {**quantity, "how": "derived"} if derived and quantity.get("how") == "measured" else quantity


def _modern_doubt(text: str) -> dict[str, Any]:
    """Older studies kept the sentence alone: those that differ in their figures only are of one kind."""
    return {"kind": re.sub(r"[\d.,+%-]+", "", text), "text": text}
