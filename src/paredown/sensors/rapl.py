"""Energy counters of x86 processors (RAPL), as Linux shows them under powercap.

Source: Linux kernel documentation, power/powercap: every zone has energy_uj, microjoules that begin again at
0 behind max_energy_range_uj. "core" and "uncore" lie inside of their package, "dram" beside it; "psys" holds
packages again. AMD's processors show the same tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paredown.sensors.sensor import Absent, Sensor, number, unreadable, word

SUMMARY = "x86 processors: energy counters of packages and memory (RAPL)"


class Rapl:
    """The sum of the zones, each followed across its wrap-around."""

    name, counts = "rapl", True

    def __init__(self, zones: Sequence[Path]) -> None:
        self._zones = tuple(zones)
        self._range_uj = [number(zone / "max_energy_range_uj") for zone in zones]
        self._last_uj = [number(zone / "energy_uj") for zone in zones]
        self._total_uj = 0.0

    @property
    def covers(self) -> str:
        names = sorted({word(zone / "name") for zone in self._zones})
        return f"processor: {', '.join(names)}; not the rest of the machine"

    def read(self) -> float:
        """Joules since it was found. Every zone is read before any counts: a failed read loses nothing."""
        now_uj = [number(zone / "energy_uj") for zone in self._zones]
        for i, (now, last) in enumerate(zip(now_uj, self._last_uj, strict=True)):
            self._total_uj += now - last if now >= last else now - last + self._range_uj[i]
        self._last_uj = now_uj
        return self._total_uj * 1e-6


def find(root: Path = Path("/")) -> Sensor | Absent:
    """The packages and their memory, of all sockets."""
    folders = sorted((root / "sys/class/powercap").glob("intel-rapl:*"))  # zones and their children alike
    zones = [z for z in folders if word(z / "name").startswith("package") or word(z / "name") == "dram"]
    if not zones:
        return Absent("rapl: no /sys/class/powercap/intel-rapl zones")
    try:
        return Rapl(zones)
    except PermissionError:
        return unreadable(zones[0] / "energy_uj", "rapl")
    except (OSError, ValueError) as e:
        return Absent(f"rapl: {e}")
