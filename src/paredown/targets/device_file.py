"""Reading a device table: a TOML file whose keys are the fields of `Device`, and nothing else."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from paredown.device import Device
from paredown.errors import UnknownName, UsageError
from paredown.reading import read_toml

_WORDS = {"activations": ("", "uint8", "int8"), "weights": ("", "int8", "uint8")}
_LISTS = ("runtimes", "isa", "sensors", "notes")
_SWITCHES = ("saturates", "per_channel")
_COUNTS = ("memory_bytes", "threads")
_TEXTS = ("name", "summary", "arch", "board")


def read_device_file(path: Path) -> Device:
    """The device in `path`; its name is the file's, unless the file names it. Raises UsageError."""
    table = read_toml(path, what="the device table", error=UsageError)
    return parse_device({"name": path.stem, **table}, path.name)


def parse_device(table: dict[str, Any], source: str) -> Device:
    """The device that a table of plain values spells. `source` names it in errors.

    `runtime = "x"` is another spelling of `runtimes = ["x"]`, in files written when a device had but one.
    """
    if "runtime" in table:
        table = {**table, "runtimes": [table["runtime"]]}
        del table["runtime"]
    known = [f.name for f in fields(Device)]
    for key in table:
        if key not in known:
            raise UnknownName(f"key in {source}", key, known)
    if not table.get("summary"):
        raise UsageError(f"{source} has no summary", expected='summary = "one sentence"')
    return Device(**{key: _checked(key, value, source) for key, value in table.items()})


def _checked(key: str, value: Any, source: str) -> Any:
    if key in _LISTS:
        if isinstance(value, list) and all(isinstance(v, str) for v in value):
            return tuple(value)
        expected = "a list of texts"
    elif key in _WORDS:
        if value in _WORDS[key]:
            return value
        expected = " or ".join(word for word in _WORDS[key] if word)
    elif key in _SWITCHES:
        if isinstance(value, bool):
            return value
        expected = "true or false"
    elif key in _COUNTS:
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
        expected = "a whole number above 0"
    else:
        if isinstance(value, str) and key in _TEXTS:
            return value
        expected = "a text"
    raise UsageError(f"{source}: {key} has a wrong value", got=repr(value), expected=expected)
