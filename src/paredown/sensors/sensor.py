"""What a sensor of power or energy is: the protocol, and the reason where there is none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Sensor(Protocol):
    """One source of watts or joules on the machine that asks it.

    counts: `read` gives joules since some moment, which only grow; else watts of this moment.
    """

    @property
    def name(self) -> str:
        """Its key in SENSORS."""

    @property
    def covers(self) -> str:
        """What draws what it shows, and what it does not see: "processor packages, without memory"."""

    @property
    def counts(self) -> bool: ...

    def read(self) -> float:
        """Watts, or joules. Raises OSError, ValueError where it does not tell now: a sample is missing."""


@dataclass(frozen=True)
class Absent:
    """Why a sensor is not there or cannot be read."""

    why: str


def number(file: Path) -> float:
    """The number in a file of the system. Raises OSError, ValueError."""
    return float(file.read_text())


def word(file: Path) -> str:
    """The text in a file of the system, "" where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def unreadable(file: Path, kind: str) -> Absent:
    """The reason where a file of the system is there and may not be read."""
    return Absent(f"{kind}: {file.name} may not be read by this user; as root: chmod a+r {file}")


def hwmon(root: Path, *names: str) -> list[Path]:
    """The folders of the hwmon chips of these names, in their order."""
    folders = sorted((root / "sys/class/hwmon").glob("hwmon*"))
    return [folder for folder in folders if word(folder / "name") in names]
