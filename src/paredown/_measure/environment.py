"""The surroundings of a measurement, as plain values. No host name, user name or path: reports travel."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from paredown._measure.noise import governors
from paredown.hosts import cpu

_PACKAGES = (
    "paredown",
    "onnxruntime",
    "onnx",
    "onnx-ir",
    "numpy",
    "opencv-python-headless",
    "faster-coco-eval",
)


def environment(threads: int = 0) -> Mapping[str, object]:
    """CPU, memory, system, package versions and date; what this system does not tell is left out.

    threads: as asked for; 0 is recorded as the number of cores it stands for.
    """
    frequency = psutil.cpu_freq()
    facts: dict[str, object] = {
        "cpu": cpu.model_name(),
        "board": cpu.board_name(),
        "arch": cpu.arch(),
        "instruction_sets": sorted(cpu.features()),
        "cores_physical": psutil.cpu_count(logical=False),
        "cores_logical": psutil.cpu_count(),
        "cores_usable": cpu.usable_cores(),
        "threads": threads or cpu.usable_cores(),
        "frequency_max_mhz": frequency.max if frequency and frequency.max else None,
        "governor": ", ".join(sorted(governors())),
        "memory_bytes": psutil.virtual_memory().total,
        "swap_bytes": psutil.swap_memory().total,
        "os": _os_name(),
        "kernel": f"{platform.system()} {platform.release()}",
        "virtualization": virtualization(),
        "python": platform.python_version(),
        "packages": package_versions(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return {key: value for key, value in facts.items() if value not in (None, "")}


def saturated(facts: Mapping[str, object]) -> bool:
    """Whether the CPU of these surroundings cuts off sums of 8-bit products; False where nothing is known."""
    have = facts.get("instruction_sets")
    return facts.get("arch") == "x86_64" and isinstance(have, list | tuple) and "vnni" not in have


def threads_set(facts: Mapping[str, object]) -> int:
    """The number of threads that somebody chose; 0 where it was one for each usable core."""
    threads = facts.get("threads")
    return threads if isinstance(threads, int) and threads != facts.get("cores_usable") else 0


def package_versions() -> dict[str, str]:
    """Version by package, of those that can change a result and are installed."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def virtualization() -> str:
    """ "virtual machine", "container", both, or "" on bare metal as far as can be seen."""
    flags = cpu.read_text("/proc/cpuinfo") or ""
    signs = {
        "virtual machine": " hypervisor" in flags,
        "container": any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv")),
    }
    return ", ".join(word for word, seen in signs.items() if seen)


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return f"{platform.system()} {platform.version()}"
