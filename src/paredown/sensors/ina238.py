"""The INA238 power monitor of newer Jetson boards and carriers, and its relatives that hwmon shows alike.

Source: Linux kernel documentation, hwmon/ina238 and hwmon/ina2xx: power1_input is in microwatts. The chips
watch one rail each.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from paredown.sensors.sensor import Absent, Sensor, hwmon, number, unreadable, word

SUMMARY = "boards with an INA238, INA226, INA219 or INA260 power monitor"
_CHIPS = ("ina238", "ina237", "ina228", "ina226", "ina219", "ina230", "ina231", "ina260")


@dataclass(frozen=True)
class Ina238:
    """The sum of the chips, of which each watches one rail."""

    files: tuple[Path, ...]
    name: str = "ina238"
    counts: bool = False

    @property
    def covers(self) -> str:
        labels = [word(file.parent / "label") or word(file.parent / "name") for file in self.files]
        return f"the rails behind {', '.join(labels)}"

    def read(self) -> float:
        return sum(number(file) for file in self.files) * 1e-6


def find(root: Path = Path("/")) -> Sensor | Absent:
    """All such chips."""
    files = tuple(f for chip in hwmon(root, *_CHIPS) if (f := chip / "power1_input").exists())
    if not files:
        return Absent("ina238: no such chip under /sys/class/hwmon")
    try:
        Ina238(files).read()
    except PermissionError:
        return unreadable(files[0], "ina238")
    except (OSError, ValueError) as e:
        return Absent(f"ina238: {e}")
    return Ina238(files)
