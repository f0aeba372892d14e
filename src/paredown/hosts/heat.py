"""Clock rate and temperature of this machine at a moment, as far as its system shows them.

Sources: Linux kernel documentation, cpufreq (scaling_cur_freq in kHz), thermal (thermal_zone*/temp in
thousandths of a degree) and hwmon (temp*_input in the same; the names of processors' chips).
"""

from __future__ import annotations

import re
from glob import glob

from paredown.cores import read_text
from paredown.hosts import system

_CHIPS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")


def clock_mhz() -> float | None:
    """The mean over the cores of their clock rates; None where the system shows none."""
    files = glob("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq")
    rates = [float(text) / 1e3 for text in map(read_text, files) if text and text.isdigit()]
    if not rates:
        rates = [
            float(m) for m in re.findall(r"^cpu MHz\s*:\s*([\d.]+)", read_text("/proc/cpuinfo") or "", re.M)
        ]
    return sum(rates) / len(rates) if rates else None


def temperature_c() -> float | None:
    """The hottest place that the system shows of its processor; None where it shows none."""
    zones = glob("/sys/class/thermal/thermal_zone*/temp")
    chips = [c for c in glob("/sys/class/hwmon/hwmon*") if read_text(f"{c}/name") in _CHIPS]
    files = zones + [file for chip in chips for file in glob(f"{chip}/temp*_input")]
    found = [float(text) / 1e3 for text in map(read_text, files) if text and text.lstrip("-").isdigit()]
    return max(found) if found else None


def clock_tells() -> bool:
    """Whether the clock rate is one that is read now: a virtual machine shows its nominal one for ever."""
    return bool(glob("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq"))


def throttling_tells() -> bool:
    """Whether the kernel or the board's firmware says anything of throttling here."""
    return bool(glob("/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count")) or (
        read_text(system.BOARD) is not None
    )


def resident_bytes(pid: int) -> int | None:
    """What a process holds in memory; None where it has ended or the system does not tell."""
    found = re.search(r"^VmRSS:\s*(\d+) kB", read_text(f"/proc/{pid}/status") or "", re.M)
    return int(found[1]) * 1024 if found else None
