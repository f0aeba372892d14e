"""Processes of this machine: whether one still is who it was, and how many had to go for want of memory."""

from __future__ import annotations

from pathlib import Path

import psutil

_COUNTS = Path("/proc/vmstat")


def started_s(pid: int) -> float | None:
    """When the process of that number began, in seconds of the epoch; None where there is none."""
    try:
        return float(psutil.Process(pid).create_time())
    except (psutil.Error, ValueError, OverflowError):
        return None


def memory_kills() -> int:
    """How many the system has ended for want of memory since it started; 0 where it does not tell."""
    if not _COUNTS.is_file():
        return 0
    lines = _COUNTS.read_text(encoding="ascii").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
