"""Programs on a host that hang or talk nonsense: told, and never waited for without an end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from paredown._measure.energy.power import PowerFrom
from paredown._measure.timing import interference
from paredown._measure.timing.interference import Neighbour
from paredown._measure.timing.watching import Watch
from paredown.errors import TargetError, UnknownName, UsageError
from paredown.hosts.program import Program
from paredown.sensors import find_sensor
from paredown.sensors.sensor import Absent

HEAD = '{"sensor": null, "why": "none", "clock_tells": false, "throttling_tells": false}'


@dataclass
class Scripted:
    """A host whose programs are a line of shell."""

    script: str
    name: str = "scripted"
    spawned: list[Any] = field(default_factory=list)

    def spawn(self, module: str, arguments: object = ()) -> Program:
        return Program(["/bin/sh", "-c", self.script])


def test_a_neighbour_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interference, "_START_S", 0.2)
    monkeypatch.setattr(interference, "_STOP_S", 0.2)
    with pytest.raises(TargetError, match="cannot work on scripted"):
        Neighbour(Scripted("exec sleep 60"), "cpu")  # type: ignore[arg-type]
    with Neighbour(Scripted("echo ready; exec sleep 60"), "cpu") as neighbour:  # type: ignore[arg-type]
        neighbour.go()
        with pytest.raises(TargetError, match="cannot work on scripted"):
            neighbour.stop()


def test_a_sensor_that_is_named_and_cannot_be_read_is_an_error() -> None:
    with pytest.raises(TargetError, match=r"sensor rapl cannot be read[\s\S]*got: none"):
        Watch(Scripted(f"read x; echo '{HEAD}'; read y"), sensor="rapl")  # type: ignore[arg-type]


def test_a_watch_that_talks_nonsense_is_an_error_and_a_line_cut_off_is_none() -> None:
    for end, broken in (("echo nonsense", True), ("printf '{\"time'", False)):
        with Watch(Scripted(f"read x; echo '{HEAD}'; {end}; read y"), [1]) as watch:  # type: ignore[arg-type]
            if broken:
                with pytest.raises(TargetError, match="something else than its samples"):
                    watch.stop()
            else:
                assert watch.stop().moments == ()


def test_watts_have_one_source() -> None:
    assert PowerFrom(sensor="rapl").sensor == "rapl"
    for given in ({"log": "m.csv", "model": (1.0, 2.0)}, {"log": "m.csv", "sensor": "rapl"}):
        with pytest.raises(UsageError, match="watts have one source"):
            PowerFrom(**given)  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="did you mean 'rapl'"):
        PowerFrom(sensor="rappl")
    assert isinstance(find_sensor(name="pmic"), Absent)
