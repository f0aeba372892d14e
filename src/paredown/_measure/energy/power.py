"""Where watts come from while a model is timed: the host's own sensor, an external meter's log, or a
model."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from paredown._measure.energy.marker import burst, on_host_clock
from paredown._measure.timing.watching import Watch
from paredown.errors import UnknownName, UsageError
from paredown.protocols import Host
from paredown.sensors import SENSORS
from paredown.sensors.meter import Meter
from paredown.sensors.series import PowerSeries


@dataclass(frozen=True)
class PowerFrom:
    """What was asked. log: a meter's CSV file or serial port. model: idle and busy watts of the machine.
    sensor: of the host's own, a key of SENSORS.

    None of them: the first of the host's own sensors. Raises UsageError for two: watts have one source.
    """

    log: str | None = None
    model: tuple[float, ...] = ()
    sensor: str = ""

    def __post_init__(self) -> None:
        named = {"a power log": self.log, "a power model": self.model, "a sensor": self.sensor}
        given = [what for what, value in named.items() if value]
        if len(given) > 1:
            raise UsageError(
                "watts have one source, measured or estimated",
                got=" and ".join(given),
                expected="one of them",
            )
        if self.sensor and self.sensor not in SENSORS:
            raise UnknownName("sensor", self.sensor, SENSORS)
        if self.model and not (len(self.model) == 2 and 0 <= self.model[0] < self.model[1]):
            raise UsageError(
                "a power model is two numbers of watts",
                got=",".join(f"{w:g}" for w in self.model),
                expected="W_IDLE,W_BUSY, at rest and with all cores at work: 2.5,7",
            )

    def require_log(self) -> None:
        """Nothing, or DataError where a log is named that cannot be read: said before any work."""
        if self.log:
            with Meter(self.log):
                pass


@dataclass(frozen=True)
class Power:
    """Watts on the host's clock. covers: what draws them. missed: samples that the sensor did not give."""

    series: PowerSeries
    covers: str
    missed: int = 0


class Source(Protocol):
    """Watts are taken between entering its `with` and `finish`."""

    why: str  # there is no sensor: the reason; "" where there is one

    def finish(self) -> Power: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def source(host: Host, asked: PowerFrom) -> Source:
    """The source of measured watts that was asked for."""
    return Metered(host, asked.log) if asked.log else Sensed(host, asked.sensor)


class Sensed:
    """A sensor that the host itself can read: the one that is named, else the first."""

    def __init__(self, host: Host, sensor: str = "") -> None:
        self._host, self._sensor, self._stack = host, sensor, ExitStack()
        self.why = ""

    def __enter__(self) -> Self:
        self._watch = self._stack.enter_context(Watch(self._host, sensor=self._sensor))
        self.why = self._watch.why
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def finish(self) -> Power:
        seen = self._watch.stop()
        assert seen.power is not None
        return Power(seen.power, f"{seen.covers} ({seen.sensor})", seen.missed)


class Metered:
    """A meter between socket and machine; a burst at either end tells how its clock stands to the host's."""

    why = ""

    def __init__(self, host: Host, path: str) -> None:
        self._host, self._path, self._stack = host, path, ExitStack()

    def __enter__(self) -> Self:
        self._meter = self._stack.enter_context(Meter(self._path))
        self._first = burst(self._host)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def finish(self) -> Power:
        last = burst(self._host)
        return Power(
            on_host_clock(self._meter.series(), self._first, last), "what the external meter feeds (its log)"
        )
