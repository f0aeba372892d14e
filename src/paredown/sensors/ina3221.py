"""The INA3221 power monitors of Jetson boards: three rails a chip.

Sources: Linux kernel documentation, hwmon/ina3221 (in[123]_label, in[123]_input in mV, curr[123]_input in
mA); NVIDIA's older driver shows /sys/bus/i2c/drivers/ina3221x/*/iio:device*/ with rail_name_N and
in_powerN_input in mW. Which rail feeds the module: NVIDIA Jetson Linux Developer Guide, "Power Monitor"
(VDD_IN on Orin Nano, Orin NX, Xavier NX and TX2, POM_5V_IN on Nano; AGX boards have no such rail, their rails
add up).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from paredown.sensors.sensor import Absent, Sensor, hwmon, number, unreadable, word

SUMMARY = "Jetson boards: INA3221 monitors of the power rails"
_WHOLE = ("VDD_IN", "POM_5V_IN", "5V_IN")  # rails that feed everything on the module


@dataclass(frozen=True)
class Rail:
    """One rail of a chip; `watts` reads it."""

    label: str
    watts: Callable[[], float]


@dataclass(frozen=True)
class Ina3221:
    """The rail that feeds the module, or the sum of all where there is none such."""

    rails: tuple[Rail, ...]
    name: str = "ina3221"
    counts: bool = False

    @property
    def covers(self) -> str:
        labels = ", ".join(rail.label for rail in self.rails)
        whole = self.rails[0].label in _WHOLE
        return f"the module, at its input {labels}" if whole else f"the rails {labels}"

    def read(self) -> float:
        return sum(rail.watts() for rail in self.rails)


def find(root: Path = Path("/")) -> Sensor | Absent:
    """The rails in hwmon, else in the older driver's tree."""
    rails = _in_hwmon(root) or _in_iio(root)
    if not rails:
        return Absent("ina3221: no such chip under /sys/class/hwmon or /sys/bus/i2c/drivers/ina3221x")
    whole = [rail for rail in rails if rail.label in _WHOLE]
    sensor = Ina3221(tuple(whole[:1] or rails))
    try:
        sensor.read()
    except PermissionError as e:
        return unreadable(Path(e.filename), "ina3221")
    except (OSError, ValueError) as e:
        return Absent(f"ina3221: {e}")
    return sensor


def _in_hwmon(root: Path) -> list[Rail]:
    """Channels 1 to 3; those behind are shunt voltages and sums of these. A channel can be switched off."""
    found = []
    for chip in hwmon(root, "ina3221"):
        for i in (1, 2, 3):
            label = word(chip / f"in{i}_label")
            if label and label != "NC" and word(chip / f"in{i}_enable") != "0":
                found.append(Rail(label, _product(chip / f"in{i}_input", chip / f"curr{i}_input")))
    return found


def _in_iio(root: Path) -> list[Rail]:
    names = (root / "sys/bus/i2c/drivers/ina3221x").glob("*/iio:device*/rail_name_*")
    found = []
    for file in sorted(names):
        power = file.parent / f"in_power{file.name.rpartition('_')[2]}_input"
        if power.exists():
            found.append(Rail(word(file), _milliwatts(power)))
    return found


def _product(millivolts: Path, milliamperes: Path) -> Callable[[], float]:
    return lambda: number(millivolts) * number(milliamperes) * 1e-6


def _milliwatts(file: Path) -> Callable[[], float]:
    return lambda: number(file) * 1e-3
