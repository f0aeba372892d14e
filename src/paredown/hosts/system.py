"""What the system of this machine tells beyond its processor: the operating system, packages, power, heat.

Two places tell of throttling: the kernel's counters (Intel), and the Raspberry Pi firmware's word. Bits of
the latter, from Raspberry Pi's documentation of `vcgencmd get_throttled`: 0 under-voltage, 1 clock capped,
2 throttled, 3 soft temperature limit; the same plus 16: has been so since the board was started.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import cache
from glob import glob
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from paredown.cores import read_text
from paredown.machine import STATES, Throttling

BOARD = "/sys/devices/platform/soc/soc:firmware/get_throttled"  # hexadecimal, with or without 0x
_SINCE_START = 16
_PACKAGES = (
    "paredown",
    "onnxruntime",
    "onnx",
    "onnx-ir",
    "numpy",
    "opencv-python-headless",
    "faster-coco-eval",
    *("openvino", "ai-edge-litert", "ncnn", "pnnx", "tensorrt"),
)


@cache
def package_versions() -> Mapping[str, str]:
    """Version by package, of those that can change a result and are installed. Read once: it takes 30 ms."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def os_name() -> str:
    """ "Debian GNU/Linux 12 (bookworm)" """
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return f"{platform.system()} {platform.version()}"


def kernel() -> str:
    """ "Linux 6.1.0" """
    return f"{platform.system()} {platform.release()}"


def python() -> str:
    """ "3.12.3" """
    return platform.python_version()


def virtualization() -> str:
    """ "virtual machine", "container", both, or "" on bare metal as far as can be seen."""
    flags = read_text("/proc/cpuinfo") or ""
    signs = {
        "virtual machine": " hypervisor" in flags,
        "container": any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv")),
    }
    return ", ".join(word for word, seen in signs.items() if seen)


def governors() -> frozenset[str]:
    """The frequency governors in use; empty where the system shows none."""
    files = glob("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")
    return frozenset(word for word in map(read_text, files) if word)


def turbo() -> bool | None:
    """Whether the clock may rise above its nominal rate; None where the system does not tell."""
    off = read_text("/sys/devices/system/cpu/intel_pstate/no_turbo")
    boost = read_text("/sys/devices/system/cpu/cpufreq/boost")
    if off == "0" or boost == "1":
        return True
    return False if off == "1" or boost == "0" else None


def throttling() -> Throttling:
    """The state at this moment; nothing where the system shows nothing."""
    counters = glob("/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count")
    events = sum(int(text) for text in map(read_text, counters) if text and text.isdigit())
    try:
        bits = int(read_text(BOARD) or "0", 16)
    except ValueError:
        bits = 0
    return Throttling(events, states(bits), states(bits >> _SINCE_START))


def states(bits: int) -> frozenset[str]:
    """The names of the lowest four bits that are set."""
    return frozenset(name for i, name in enumerate(STATES) if bits >> i & 1)
