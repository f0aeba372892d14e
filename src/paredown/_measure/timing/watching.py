"""Our end of the process that watches a host (`hosts/watch.py`): power, clock rate, heat and memory over
time."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from paredown.errors import TargetError
from paredown.protocols import Host
from paredown.sensors.series import PowerSeries

PERIOD_S = 0.1
_START_S, _END_S = 30.0, 5.0


@dataclass(frozen=True)
class Moment:
    """The state of a machine at a moment of its clock. None where its system does not tell."""

    time_s: float
    clock_mhz: float | None = None
    temperature_c: float | None = None
    events: int = 0  # of throttling, as the kernel counts them
    states: tuple[str, ...] = ()  # that the board's firmware names
    memory_bytes: int = 0  # of the processes that were asked for


@dataclass(frozen=True)
class Watched:
    """What was seen. power: None where there is no sensor, and `why`. covers: what the sensor sees.

    missed: samples that it did not give. clock_tells: whether the clock rate is read, not nominal.
    throttling_tells: whether the kernel or the firmware says anything of throttling.
    """

    moments: tuple[Moment, ...]
    power: PowerSeries | None = None
    sensor: str = ""
    covers: str = ""
    why: str = ""
    missed: int = 0
    clock_tells: bool = False
    throttling_tells: bool = False


class Watch:
    """Watches a host from now on. Leaving the `with` ends it.

    sensor: a key of SENSORS; "" is the first that can be read. Raises TargetError where the host does not run
    our programs, or the sensor that is named cannot be read.
    """

    def __init__(
        self, host: Host, pids: Sequence[int] = (), period_s: float = PERIOD_S, sensor: str = ""
    ) -> None:
        self._period_s = period_s
        self._process = host.spawn("paredown.hosts.watch")
        self._lines: list[Mapping[str, Any]] = []
        self._broken = ""
        self._first = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        with suppress(OSError):  # a dead process: that it says nothing is told below
            job = {"period_s": period_s, "pids": list(pids), "sensor": sensor}
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()
        self._first.wait(_START_S)
        if not self._lines:
            tail = self._broken or self._process.errors()[-500:]
            self._process.close()
            raise TargetError(f"the host {host.name} cannot be watched", got=tail or None)
        if sensor and self.why:
            self._process.close()
            raise TargetError(f"the sensor {sensor} cannot be read on {host.name}", got=self.why)

    @property
    def why(self) -> str:
        """Why there is no sensor of power; "" where there is one."""
        return str(self._lines[0].get("why", ""))

    def stop(self) -> Watched:
        """All that was seen; the watching process ends."""
        with suppress(OSError):
            self._process.stdin.close()
        self._reader.join(_END_S)
        if self._broken:
            raise TargetError("what watches the host said something else than its samples", got=self._broken)
        head, *samples = self._lines
        powered = [s for s in samples if "power" in s]
        series = PowerSeries.of(
            [s["time_s"] for s in powered],
            [s["power"] for s in powered],
            bool(head.get("counts")),
            self._period_s,
        )
        return Watched(
            tuple(_moment(s) for s in samples if "clock_mhz" in s),
            None if head["sensor"] is None else series,
            head["sensor"] or "",
            head.get("covers", ""),
            head.get("why", ""),
            sum("missing" in s for s in samples),
            head["clock_tells"],
            head["throttling_tells"],
        )

    def settle(self, periods: int = 2) -> None:
        """Wait for so many samples more: what is timed after lies between two of them."""
        time.sleep(periods * self._period_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.close()

    def _read(self) -> None:
        with suppress(ValueError):  # the pipe was closed by us
            for line in self._process.stdout:
                if not self._keep(line):
                    break
                self._first.set()
        self._first.set()

    def _keep(self, line: bytes) -> bool:
        """Whether it was a sample; a last line that was cut off with the connection is none, and no error."""
        try:
            self._lines.append(json.loads(line))
        except ValueError:
            self._broken = repr(line[:80]) if line.endswith(b"\n") else ""
            return False
        return True


def _moment(sample: Mapping[str, Any]) -> Moment:
    return Moment(
        sample["time_s"],
        sample["clock_mhz"],
        sample["temperature_c"],
        sample["events"],
        tuple(sample["states"]),
        sample["memory_bytes"],
    )
