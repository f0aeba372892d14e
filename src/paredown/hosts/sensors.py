"""Energy sensors of this machine: which kinds its system shows. Nothing reads them yet."""

from __future__ import annotations

from glob import glob


def kinds() -> tuple[str, ...]:
    """The kinds of energy sensors that the system shows."""
    kinds = {
        "powercap": ("/sys/class/powercap/*/energy_uj",),
        "hwmon": ("/sys/class/hwmon/hwmon*/energy*_input", "/sys/class/hwmon/hwmon*/power*_input"),
    }
    return tuple(kind for kind, patterns in kinds.items() if any(glob(p) for p in patterns))
