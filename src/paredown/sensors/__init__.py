"""Sensors of power and energy, as the machine that they are read on shows them. Standard library only.

A sensor is a file with SUMMARY and `find(root) -> Sensor | Absent`, and a line in SENSORS. It is read where
the model runs, by `hosts/watch.py`; a meter outside of the machine is a series of its own (`meter.py`).
"""

from __future__ import annotations

import importlib
from pathlib import Path

from paredown.sensors.sensor import Absent, Sensor

SENSORS = {
    "pmic": "paredown.sensors.pmic",
    "ina3221": "paredown.sensors.ina3221",
    "ina238": "paredown.sensors.ina238",
    "rapl": "paredown.sensors.rapl",
    "battery": "paredown.sensors.battery",
}
"""Name -> module, imported when asked; those that see more of the machine stand in front."""


def find_sensor(root: Path = Path("/"), name: str = "") -> Sensor | Absent:
    """The sensor of that name, else the first of this machine that can be read; or why there is none.

    name: a key of SENSORS.
    """
    if name:
        named: Sensor | Absent = importlib.import_module(SENSORS[name]).find(root)
        return named
    found = _all(root)
    present = (sensor for sensor in found if not isinstance(sensor, Absent))
    reasons = "; ".join(sensor.why for sensor in found if isinstance(sensor, Absent))
    return next(present, Absent(f"no energy sensor can be read here ({reasons})"))


def kinds(root: Path = Path("/")) -> tuple[str, ...]:
    """The names of the sensors that can be read on this machine."""
    return tuple(sensor.name for sensor in _all(root) if not isinstance(sensor, Absent))


def _all(root: Path) -> list[Sensor | Absent]:
    return [importlib.import_module(module).find(root) for module in SENSORS.values()]
