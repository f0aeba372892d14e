"""What a meter outside of the machine wrote: a CSV file, or lines on a serial port. Its clock is its own.

CSV: a line of names, then numbers. Time: a column whose name begins with "time" or "t" ("ms" in it for
milliseconds, "us" for microseconds), seconds from anywhere or ISO 8601. Power: a column named power, watt or
W ("mW", "uW", "kW"), else a voltage and a current, V and A ("mV", "mA", "uA"), which are multiplied. Without
names: seconds, watts. Serial: every line holds watts, or volts and amperes; its moment is that of its
arrival.
"""

from __future__ import annotations

import csv
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from paredown.errors import DataError
from paredown.sensors.series import PowerSeries

BAUD = 115200
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_PREFIXES = {
    "m": 1e-3,
    "u": 1e-6,
    "\u00b5": 1e-6,
    "\u03bc": 1e-6,
    "n": 1e-9,
    "k": 1e3,
}  # both signs for micro
_PREFIX = f"[{''.join(_PREFIXES)}]"
_UNIT = re.compile(rf"(?:\b|_)({_PREFIX})[swva]\b")
_HINT = "a first line of names: time_s,power_w; or time_s,voltage_v,current_a"


class Meter:
    """A meter that writes to a file or a serial port ("/dev/ttyUSB0", "/dev/ttyUSB0@9600").

    A port is read from now on until the `with` is left. Raises DataError where it cannot be, and where the
    names at the head of a file are not understood: a run of hours is not to end with that.
    """

    def __init__(self, path: str) -> None:
        name, _, baud = path.rpartition("@")
        self._path = Path(name if name and baud.isdecimal() else path)
        self._lines: list[tuple[float, str]] = []
        self._port: int | None = None
        try:
            if stat.S_ISCHR(os.stat(self._path).st_mode):
                self._port = _open_port(self._path, int(baud) if name and baud.isdecimal() else BAUD)
                threading.Thread(target=self._listen, args=(self._port,), daemon=True).start()
            elif rows := _rows(self._path):
                _reader(rows[0], self._path)
        except OSError as e:
            raise DataError(f"the power log {self._path} cannot be read", got=str(e)) from e

    def series(self) -> PowerSeries:
        """All that it wrote so far, on its own clock. Raises DataError."""
        if self._port is not None:
            pairs = [(t, _watts_of_line(line)) for t, line in tuple(self._lines)]
            return _series([p for p in pairs if p[1] is not None], len(pairs), self._path)  # type: ignore[misc]
        return read_csv(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        port, self._port = self._port, None
        if port is not None:
            os.close(port)

    def _listen(self, port: int) -> None:
        rest = b""
        with suppress(OSError):  # closed by us, or unplugged: the log ends there
            while self._port is not None:
                if not (read := os.read(port, 4096)):
                    return
                moment = time.monotonic()
                *lines, rest = (rest + read).split(b"\n")
                self._lines += [(moment, line.decode(errors="replace")) for line in lines if line.strip()]


def read_csv(path: Path) -> PowerSeries:
    """The readings in a CSV file, those that are no numbers left out. Raises DataError."""
    rows = _rows(path)
    if not rows:
        raise DataError(f"the power log {path} is empty", hint=_HINT)
    read = _reader(rows[0], path)
    body = rows if read is _bare else rows[1:]
    pairs = [pair for row in body if (pair := _row(read, row)) is not None]
    return _series(pairs, len(body), path)


def _rows(path: Path) -> list[list[str]]:
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as e:
        raise DataError(f"the power log {path} cannot be read", got=str(e)) from e
    return [row for row in rows if row and not row[0].startswith("#")]


Pair = tuple[float, float]


def _reader(first: Sequence[str], path: Path) -> Callable[[Sequence[str]], Pair]:
    """What reads a row of a file that begins with `first`: names, or numbers already."""
    return _bare if _number(first[-1]) is not None else _columns(first, path)


def _series(pairs: Sequence[Pair], lines: int, path: Path) -> PowerSeries:
    pairs = sorted(dict(pairs).items())
    if len(pairs) < 10 or 2 * len(pairs) < lines:
        raise DataError(
            f"the power log {path} holds too little",
            got=f"{len(pairs)} readings in {lines} lines",
            hint=_HINT,
        )
    times, watts = np.array(pairs).T
    return PowerSeries(times, watts, period_s=float(np.median(np.diff(times))))


def _row(read: Callable[[Sequence[str]], Pair], row: Sequence[str]) -> Pair | None:
    try:
        return read(row)
    except (ValueError, IndexError):
        return None


def _bare(row: Sequence[str]) -> Pair:
    seconds, watts = row
    return float(seconds), float(watts)


def _columns(names: Sequence[str], path: Path) -> Callable[[Sequence[str]], Pair]:
    """What reads a row, as the names say. Raises DataError where they do not."""
    clean = [name.strip().lower() for name in names]
    words = (
        r"time|date|t\b|t_",
        rf"power|watt|p\b|p_|{_PREFIX}?w\b",
        rf"volt|u\b|{_PREFIX}?v\b|bus",
        rf"curr|amp|i\b|{_PREFIX}?a\b",
    )
    when, power, volts, amperes = (
        next((i for i, name in enumerate(clean) if re.match(f"({word})", name)), None) for word in words
    )
    if when is None or (power is None and (volts is None or amperes is None)):
        raise DataError(
            f"the columns of the power log {path} are not understood", got=", ".join(names), expected=_HINT
        )
    scale = [_scale(name) for name in clean]

    def read(row: Sequence[str]) -> Pair:
        seconds = _seconds(row[when]) * (scale[when] if _number(row[when]) is not None else 1.0)
        if power is not None:
            return seconds, float(row[power]) * scale[power]
        assert volts is not None
        assert amperes is not None
        return seconds, float(row[volts]) * scale[volts] * float(row[amperes]) * scale[amperes]

    return read


def _scale(name: str) -> float:
    """What a column's numbers are multiplied by, as the unit in its name says: 1e-6 for "Current(uA)"."""
    prefix = _UNIT.search(name)
    if prefix is not None:
        return _PREFIXES[prefix[1]]
    return 1e-3 if "milli" in name else 1e-6 if "micro" in name else 1.0


def _seconds(text: str) -> float:
    number = _number(text)
    return datetime.fromisoformat(text.strip()).timestamp() if number is None else number


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _watts_of_line(line: str) -> float | None:
    """Of one number, watts; of two, volts and amperes."""
    numbers = [float(n) for n in _NUMBER.findall(line)]
    if len(numbers) == 2:
        return numbers[0] * numbers[1]
    return numbers[0] if len(numbers) == 1 else None


def _open_port(path: Path, baud: int) -> int:
    """The port, set to raw bytes at that rate. Raises OSError, DataError."""
    import termios  # no such thing on Windows, where a port has to be logged to a file

    rate = getattr(termios, f"B{baud}", None)
    if rate is None:
        raise DataError("no such rate of a serial port", got=baud, expected="9600, 115200, ...")
    port = os.open(path, os.O_RDONLY | os.O_NOCTTY)
    try:
        settings = termios.tcgetattr(port)
        settings[0] = settings[1] = settings[3] = 0  # nothing is translated, echoed or waited for
        settings[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
        settings[4] = settings[5] = rate
        termios.tcsetattr(port, termios.TCSANOW, settings)
    except termios.error as e:
        os.close(port)
        raise OSError(f"no serial port: {e}") from e
    return port
