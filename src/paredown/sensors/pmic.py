"""The power management chip of the Raspberry Pi 5, asked through `vcgencmd pmic_read_adc`.

Source: Raspberry Pi documentation, "vcgencmd"; the firmware answers with one line for each current and
voltage:

    VDD_CORE_A current(7)=1.42018700A
    VDD_CORE_V volt(15)=0.72026340V

The 5 V input has a voltage (EXT5V_V) and no current, so the rails are added up. A Raspberry Pi 4 has no such
chip and its firmware refuses the command.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from paredown.sensors.sensor import Absent, Sensor

SUMMARY = "Raspberry Pi 5: currents and voltages of its power chip (vcgencmd)"
_LINE = re.compile(r"^\s*(\w+)_([AV])\b.*=([\d.]+)[AV]\s*$", re.MULTILINE)
_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Pmic:
    """The sum over the rails of current times voltage."""

    program: str
    name: str = "pmic"
    covers: str = "the rails behind the Pi's power chip: not what hangs on USB, nor the chip's own losses"
    counts: bool = False

    def read(self) -> float:
        return watts(self._ask())

    def _ask(self) -> str:
        try:
            done = subprocess.run(
                [self.program, "pmic_read_adc"],
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as e:
            raise OSError("vcgencmd does not answer") from e
        if done.returncode != 0:
            raise OSError((done.stdout + done.stderr).strip() or f"exit code {done.returncode}")
        return done.stdout


def watts(text: str) -> float:
    """Of what the firmware answered. Raises ValueError where no rail has both a current and a voltage."""
    read = {(rail, kind): float(value) for rail, kind, value in _LINE.findall(text)}
    rails = [rail for rail, kind in read if kind == "A" and (rail, "V") in read]
    if not rails:
        raise ValueError(f"no rail with current and voltage in {text[:80]!r}")
    return sum(read[rail, "A"] * read[rail, "V"] for rail in rails)


def find(root: Path = Path("/")) -> Sensor | Absent:
    """The chip, where vcgencmd is installed and the firmware knows it."""
    program = root / "usr/bin/vcgencmd"
    if not program.exists():
        return Absent("pmic: no vcgencmd, which a Raspberry Pi has")
    sensor = Pmic(str(program))
    try:
        sensor.read()
    except (OSError, ValueError) as e:
        return Absent(f"pmic: vcgencmd pmic_read_adc: {e} (only a Raspberry Pi 5 has it)")
    return sensor
