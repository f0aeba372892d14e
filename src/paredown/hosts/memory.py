"""Resident memory of this process, in bytes. On Linux from /proc, so that reading it imports nothing."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def resident_bytes() -> int:
    """What this process holds in memory now."""
    if _STATUS.exists():
        return _status("VmRSS")
    return int(importlib.import_module("psutil").Process().memory_info().rss)


def peak_resident_bytes() -> int:
    """The most this process has held since it started."""
    if _STATUS.exists():
        return _status("VmHWM")
    if sys.platform == "darwin":
        resource = importlib.import_module("resource")
        return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # bytes on macOS
    return int(importlib.import_module("psutil").Process().memory_info().peak_wset)


def _status(key: str) -> int:
    for line in _STATUS.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0]) * 1024
    return 0  # a kernel without the accounting of this number
