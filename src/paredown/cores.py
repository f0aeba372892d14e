"""How many threads this process should take: the physical cores that it may run on."""

from __future__ import annotations

import os
from pathlib import Path


def usable_cores() -> int:
    """Physical cores this process may run on: affinity and container limits counted, never less than 1."""
    try:
        allowed = set(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1
    siblings = {
        read_text(f"/sys/devices/system/cpu/cpu{n}/topology/thread_siblings_list") or n for n in allowed
    }
    limit, _, period = (read_text("/sys/fs/cgroup/cpu.max") or "max").partition(" ")
    quota = int(float(limit) / float(period)) if period and limit != "max" else len(siblings)
    return max(1, min(len(siblings), quota))


def read_text(path: str) -> str | None:
    """The stripped text of a small system file, None where the system has no such file or keeps it."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip().strip("\0")
    except OSError:
        return None
