"""Reading a device table: a TOML file whose keys are the fields of `Device`, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paredown.device import Device
from paredown.errors import UnknownName, UsageError
from paredown.toml import read_toml
from paredown.typed import Misfit, UnknownKey, build

_COUNTS = ("memory_bytes", "threads")
_LISTED = {"runtime": "runtimes", "memory_bytes": "memory_bytes"}  # one alone needs no brackets
_POSITIVE = "a whole number above 0"


def read_device_file(path: Path) -> Device:
    """The device in `path`; its name is the file's, unless the file names it. Raises UsageError."""
    table = read_toml(path, what="the device table", error=UsageError)
    return parse_device({"name": path.stem, **table}, path.name)


def parse_device(table: dict[str, Any], source: str) -> Device:
    """The device that a table of plain values spells. `source` names it in errors.

    `runtime = "x"` is another spelling of `runtimes = ["x"]`, and one size of memory needs no brackets. Each
    key of its table `sources` is a field that it fills.
    """
    table = dict(table)
    for one, many in _LISTED.items():
        if one in table and not isinstance(table[one], list):
            table[many] = [table.pop(one)]
    if not table.get("summary"):
        raise UsageError(f"{source} has no summary", expected='summary = "one sentence"')
    try:
        device = build(Device, table)
    except UnknownKey as e:
        raise UnknownName(f"key in {source}", e.key, e.known) from e
    except Misfit as e:
        expected = _POSITIVE if e.where.partition("[")[0] in _COUNTS else e.expected
        raise _wrong(source, e.where, e.got, expected) from e
    for key, count in (("threads", device.threads), *(("memory_bytes", n) for n in device.memory_bytes)):
        if count is not None and count <= 0:
            raise _wrong(source, key, count, _POSITIVE)
    for key in device.sources:
        if key not in table:
            raise UnknownName(f"key in the sources of {source}", key, table)
    return device


def _wrong(source: str, key: str, got: object, expected: str) -> UsageError:
    return UsageError(f"{source}: {key} has a wrong value", got=repr(got), expected=expected)
