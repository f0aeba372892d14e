"""The host `local`: this machine. Linux tells most; what another system does not tell is left out."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from paredown.cores import usable_cores
from paredown.errors import UsageError
from paredown.hosts import cpu, heat, system
from paredown.hosts.program import Program
from paredown.machine import Counters, Machine
from paredown.protocols import Host
from paredown.sensors import find_sensor, kinds
from paredown.sensors.sensor import Absent

SUMMARY = "this machine, and the Python that paredown runs in"


@dataclass(frozen=True)
class LocalHost:
    """This machine, and the Python that runs here."""

    name: str = "local"
    times: bool = True

    def facts(self) -> Machine:
        frequency = psutil.cpu_freq()
        return Machine(
            arch=cpu.arch(),
            cpu=cpu.model_name(),
            board=cpu.board_name(),
            instruction_sets=cpu.features(),
            tells_instruction_sets=cpu.features_known(),
            cores_physical=psutil.cpu_count(logical=False),
            cores_logical=psutil.cpu_count(),
            cores_usable=usable_cores(),
            frequency_max_mhz=frequency.max if frequency and frequency.max else None,
            governors=system.governors(),
            turbo=system.turbo(),
            memory_bytes=psutil.virtual_memory().total,
            swap_bytes=psutil.swap_memory().total,
            os=system.os_name(),
            kernel=system.kernel(),
            virtualization=system.virtualization(),
            sensors=kinds(),
            no_sensor=sensor.why if isinstance(sensor := find_sensor(), Absent) else "",
            python=system.python(),
            packages=system.package_versions(),
        )

    def counters(self, pids: Sequence[int] = ()) -> Counters:
        """The process that asks counts among `pids`."""
        ours = [psutil.Process(), *(psutil.Process(pid) for pid in pids)]
        busy_s, withheld_s = _machine_seconds()
        return Counters(
            time_s=time.monotonic(),
            busy_s=busy_s,
            withheld_s=withheld_s,
            ours_s=float(sum(t.user + t.system for t in (p.cpu_times() for p in ours))),
            free_memory_bytes=psutil.virtual_memory().available,
            used_swap_bytes=psutil.swap_memory().used,
            clock_mhz=heat.clock_mhz(),
            temperature_c=heat.temperature_c(),
            throttling=system.throttling(),
        )

    def put(self, file: Path) -> str:
        return str(file.resolve())  # it lies here already

    def with_modules(self, modules: Sequence[str]) -> LocalHost:
        return self  # all that is installed can be imported

    def spawn(self, module: str, arguments: Sequence[str] = ()) -> Program:
        return Program([sys.executable, "-P", "-m", module, *arguments])


def open(address: str = "") -> Host:
    """This machine. Raises UsageError for an address: there is only one."""
    if address:
        raise UsageError("the host `local` has no address", got=address, expected="local")
    return LocalHost()


def _machine_seconds() -> tuple[float, float]:
    """Seconds all cores together were busy, and seconds the host of a virtual machine withheld."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    steal = float(getattr(times, "steal", 0.0))
    guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # already in user and nice
    return float(sum(times) - idle - steal - guest), steal
