"""The battery of a laptop or handheld: what it gives while nothing charges it.

Source: Linux kernel documentation, ABI/testing/sysfs-class-power: power_now in microwatts, or current_now in
microamperes (some drivers give it a sign) times voltage_now in microvolts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from paredown.sensors.sensor import Absent, Sensor, number, word

SUMMARY = "laptops on battery: what the battery gives"


@dataclass(frozen=True)
class Battery:
    """One battery. Its chip tells new values every second or slower: short turns are told apart badly."""

    folder: Path
    name: str = "battery"
    covers: str = "the whole machine, as its battery tells it"
    counts: bool = False

    def read(self) -> float:
        status = word(self.folder / "status")
        if status != "Discharging":
            raise ValueError(f"the battery is not what feeds the machine now: {status or 'unknown'}")
        if (self.folder / "power_now").exists():
            return abs(number(self.folder / "power_now")) * 1e-6
        return abs(number(self.folder / "current_now") * number(self.folder / "voltage_now")) * 1e-12


def find(root: Path = Path("/")) -> Sensor | Absent:
    """The first battery that feeds the machine."""
    folders = sorted((root / "sys/class/power_supply").glob("*"))
    batteries = [f for f in folders if word(f / "type") == "Battery" and word(f / "scope") != "Device"]
    if not batteries:
        return Absent("battery: there is none")
    sensor = Battery(batteries[0])
    try:
        sensor.read()
    except (OSError, ValueError) as e:
        return Absent(f"battery: {e}")
    return sensor
