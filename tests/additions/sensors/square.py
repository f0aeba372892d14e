"""A sensor as anyone may add one: a square wave of 2 and 6 watts, 20 milliseconds each, counted in joules."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from paredown.sensors.sensor import Absent, Sensor

SUMMARY = "a square wave"
LOW_W, HIGH_W, HALF_S = 2.0, 6.0, 0.02


@dataclass(frozen=True)
class Square:
    name: str = "square"
    covers: str = "nothing but a known wave"
    counts: bool = True

    def read(self) -> float:
        waves, rest = divmod(time.monotonic(), 2 * HALF_S)
        high_s = min(rest, HALF_S)
        return waves * HALF_S * (LOW_W + HIGH_W) + high_s * HIGH_W + (rest - high_s) * LOW_W


def find(root: Path = Path("/")) -> Sensor | Absent:
    return Square()
