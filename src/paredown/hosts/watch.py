"""The process that watches a machine while models run on it. `python -m paredown.hosts.watch`

Talks JSON lines. It reads a job {"period_s", "pids", "sensor"}, answers which sensor of power it found or why
none, then writes a sample every `period_s`: the moment (`time.monotonic`, which all processes of a machine
share, so that it is the measured process's clock as well) with watts or joules, and every second also clock
rate, temperature, throttling and the memory of the processes. The end of its input ends it.

It is a process of its own, so that neither the model's latency nor its memory has the sampling in it; what it
takes of a core is in the idle baseline too.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from paredown.hosts import heat, system
from paredown.machine import STATES
from paredown.sensors import find_sensor
from paredown.sensors.sensor import Absent, Sensor

_SLOW_S = 1.0  # files that take longer to read, and change slowly


def main() -> None:
    """Sample until the input ends."""
    job = json.loads(sys.stdin.readline())
    sensor = find_sensor(name=job.get("sensor", ""))
    tells = {"clock_tells": heat.clock_tells(), "throttling_tells": heat.throttling_tells()}
    if isinstance(sensor, Absent):
        _say({"sensor": None, "why": sensor.why, **tells})
    else:
        _say({"sensor": sensor.name, "covers": sensor.covers, "counts": sensor.counts, **tells})
    ended = threading.Event()
    threading.Thread(target=_await_end, args=(ended,), daemon=True).start()
    _sample(None if isinstance(sensor, Absent) else sensor, job["period_s"], job["pids"], ended)


def _sample(sensor: Sensor | None, period_s: float, pids: Sequence[int], ended: threading.Event) -> None:
    """Samples at even distances; one that comes late is followed by the next that is due."""
    start = time.monotonic()
    due, slow_due = start, start
    while True:
        sample = _power(sensor)
        if time.monotonic() >= slow_due:
            sample |= _state(pids)
            slow_due += _SLOW_S
        if len(sample) > 1:
            _say(sample)
        due = max(due + period_s, time.monotonic())
        if ended.wait(due - time.monotonic()):
            _say(_power(sensor))  # so that the last turn has a reading behind it
            return


def _power(sensor: Sensor | None) -> dict[str, Any]:
    """A reading at the middle of the time that it took; without "power" where there is none."""
    before = time.monotonic()
    if sensor is None:
        return {"time_s": before}
    try:
        power = sensor.read()
    except (OSError, ValueError) as e:
        return {"time_s": time.monotonic(), "missing": str(e)[:200]}
    return {"time_s": (before + time.monotonic()) / 2, "power": power}


def _state(pids: Sequence[int]) -> dict[str, Any]:
    throttling = system.throttling()
    held = [heat.resident_bytes(pid) for pid in pids]
    return {
        "clock_mhz": heat.clock_mhz(),
        "temperature_c": heat.temperature_c(),
        "events": throttling.events,
        "states": [name for name in STATES if name in throttling.now],
        "memory_bytes": sum(b for b in held if b is not None),
    }


def _await_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def _say(message: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
