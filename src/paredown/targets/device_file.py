"""Reading a device table: a TOML file whose keys are the fields of `Device`, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paredown.device import Device
from paredown.errors import UnknownName, UsageError
from paredown.toml import read_toml
from paredown.typed import Misfit, UnknownKey, build

_COUNTS = ("memory_bytes", "threads")
_POSITIVE = "a whole number above 0"


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
    if not table.get("summary"):
        raise UsageError(f"{source} has no summary", expected='summary = "one sentence"')
    try:
        device = build(Device, table)
    except UnknownKey as e:
        raise UnknownName(f"key in {source}", e.key, e.known) from e
    except Misfit as e:
        expected = _POSITIVE if e.where in _COUNTS else e.expected
        raise _wrong(source, e.where, e.got, expected) from e
    for key in _COUNTS:
        count = getattr(device, key)
        if count is not None and count <= 0:
            raise _wrong(source, key, count, _POSITIVE)
    return device


def _wrong(source: str, key: str, got: object, expected: str) -> UsageError:
    return UsageError(f"{source}: {key} has a wrong value", got=repr(got), expected=expected)
