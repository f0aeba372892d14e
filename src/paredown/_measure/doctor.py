"""Is this machine fit to time on, and is it the device that a model was made for?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from glob import glob
from itertools import pairwise
from typing import Literal

import numpy as np
import psutil

from paredown._measure.environment import package_versions, virtualization
from paredown._measure.noise import SPREAD_LIMIT, UNFIT_SPREAD, governors, spread
from paredown._measure.throttling import listed, throttling
from paredown.errors import UnknownName
from paredown.hosts import cpu
from paredown.profile import DOT_PRODUCTS
from paredown.targets import Target, local_profile, target
from paredown.telemetry import all_switches, too_late_for

Level = Literal["ok", "warn", "bad"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `why` says what it matters for, `hint` what to do; "" where there is nothing."""

    level: Level
    what: str
    why: str = ""
    hint: str = ""


def check(target_name: str = "local", metadata: Mapping[str, str] | None = None) -> tuple[Finding, ...]:
    """All findings on this machine as the target, and for a model with that metadata. Takes a second."""
    where = target(target_name)
    return (
        _runtime(),
        _telemetry(),
        _device(where),
        _instructions(),
        _governor(),
        _turbo(),
        _throttled(),
        _memory(where),
        _swap(),
        _virtual(),
        _load(),
        _timer(),
        _noise(),
        _sensors(),
        *(() if metadata is None else (_model(metadata),)),
    )


def fit_to_time(findings: tuple[Finding, ...]) -> bool:
    """Whether latencies taken on this machine can be believed."""
    return all(f.level != "bad" for f in findings)


def made_for_another(metadata: Mapping[str, str]) -> Finding | None:
    """The warning that a model was made for another CPU than this one, None where nothing speaks for it.

    Reads the metadata "paredown.profile" (a profile's name) and "paredown.weight_bits".
    """
    name = metadata.get("paredown.profile")
    if name is None:
        return None
    what, hint = f"the model was made for {name}", "compress it again for this machine"
    if local_profile().saturates and metadata.get("paredown.weight_bits") == "8":
        why = "its 8-bit weights saturate on this CPU (no VNNI): boxes get lost"
        return Finding(
            "warn", what, why, f"{hint}, or see docs/cpus.md for the session option that avoids it"
        )
    try:
        reasons = target(name).unfit
    except UnknownName:
        return Finding("warn", what, "this installation knows no such profile: whether it fits is unknown")
    return Finding("warn", what, "; ".join(reasons), hint) if reasons else None


def _model(metadata: Mapping[str, str]) -> Finding:
    name, bits = metadata.get("paredown.profile"), metadata.get("paredown.weight_bits")
    if name is None:
        return Finding("ok", "the model does not say which device it was made for")
    how = f", {bits}-bit weights" if bits else ""
    return made_for_another(metadata) or Finding("ok", f"the model was made for {name}{how}")


def _runtime() -> Finding:
    found = package_versions().get("onnxruntime")
    if found is None:
        return Finding("bad", "onnxruntime is not installed", "nothing can be run", "pip install onnxruntime")
    return Finding("ok", f"onnxruntime {found}")


def _telemetry() -> Finding:
    late = too_late_for()
    if not late:
        return Finding("ok", "telemetry of the runtimes is switched off")
    switches = " ".join(f"{name}={value}" for name, value in all_switches().items())
    what = f"{', '.join(late)} was loaded before paredown: its telemetry is on"
    why = "it may send what this process does"
    return Finding("warn", what, why, f"import paredown first, or set {switches}")


def _device(where: Target) -> Finding:
    if where.runs_here:
        return Finding(
            "ok", f"this machine is a {where.name!r}" if where.name != "local" else "target: this machine"
        )
    why = "; ".join(where.unfit)
    return Finding(
        "bad", f"this machine is not {where.name!r}", why, "run paredown on the device itself to time it"
    )


def _instructions() -> Finding:
    have = cpu.features()
    if not cpu.features_known():
        return Finding(
            "warn", "the instruction sets of this CPU are unknown", "whether INT8 pays cannot be told"
        )
    listed = f"{cpu.model_name() or cpu.arch()}: {', '.join(sorted(have))}"
    if have & DOT_PRODUCTS:
        return Finding("ok", listed, "INT8 has its own instructions here")
    if cpu.arch() == "x86_64":
        why = "without VNNI, INT8 gains little and 8-bit weights saturate; recipes use 7 bits here"
    else:
        why = "without dot product instructions INT8 gains less over float"
    return Finding("warn", listed, why)


def _governor() -> Finding:
    found = sorted(governors())
    if not found:
        return Finding("ok", "frequency governor not visible", "usual on a virtual machine")
    if found == ["performance"]:
        return Finding("ok", "frequency governor: performance")
    what, why = f"frequency governor: {', '.join(found)}", "the clock rate changes while a model is timed"
    return Finding("warn", what, why, "sudo cpupower frequency-set -g performance")


def _turbo() -> Finding:
    off = cpu.read_text("/sys/devices/system/cpu/intel_pstate/no_turbo")
    boost = cpu.read_text("/sys/devices/system/cpu/cpufreq/boost")
    if off == "0" or boost == "1":
        why = "short runs are faster than long ones: read the median, not the minimum"
        return Finding("warn", "turbo is on", why, "turn it off to compare small differences")
    return Finding("ok", "turbo is off" if off == "1" or boost == "0" else "turbo not visible")


def _throttled() -> Finding:
    """What the firmware of a board says of its power and heat."""
    state = throttling()
    hint = "a stronger power supply and cable, or better cooling"
    if state.now:
        words = ", ".join(listed(state.now))
        return Finding("bad", f"the board is slowed down now: {words}", "times taken now are too long", hint)
    if state.since_start:
        words = ", ".join(listed(state.since_start))
        what = f"since the start of the board: {words}"
        return Finding("warn", what, "it may happen again under load", hint)
    return Finding("ok", "no throttling visible")


def _memory(where: Target) -> Finding:
    free, total = psutil.virtual_memory().available, psutil.virtual_memory().total
    what = f"memory: {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
    if free < 512 * 2**20:
        return Finding("bad", what, "a model that does not fit is swapped or killed", "close other programs")
    device = where.profile.memory_bytes
    if device is not None and not where.runs_here:
        return Finding("ok", what, f"{where.name} has {device / 2**30:.1f} GiB in all")
    return Finding("ok", what)


def _swap() -> Finding:
    swap = psutil.swap_memory()
    if swap.total and swap.used > 0.25 * swap.total:
        what = f"{swap.used / 2**30:.1f} GiB of swap in use"
        return Finding("warn", what, "memory read back from disk shows up as latency", "close other programs")
    return Finding("ok", "swap is hardly used" if swap.total else "no swap")


def _virtual() -> Finding:
    kind = virtualization()
    if "virtual machine" in kind:
        return Finding(
            "warn", f"runs in a {kind}", "neighbours on the same host change the times; ratios hold better"
        )
    return Finding("ok", f"runs in a {kind}" if kind else "runs on bare metal, as far as can be seen")


def _load() -> Finding:
    busy = psutil.cpu_percent(interval=0.4)
    what, why, hint = (
        f"other programs use {busy:.0f} % of the CPU",
        "they take time from the model",
        "stop them",
    )
    if busy > 50:
        return Finding("bad", what, why, hint)
    return Finding("warn", what, why, hint) if busy > 10 else Finding("ok", what)


def _timer() -> Finding:
    ticks = [time.perf_counter_ns() for _ in range(2000)]
    steps = [b - a for a, b in pairwise(ticks) if b > a]
    resolution_ns = min(steps)
    if resolution_ns > 10_000:
        return Finding(
            "warn", f"timer resolution {resolution_ns / 1000:.0f} µs", "too coarse for small models"
        )
    return Finding("ok", f"timer resolution {resolution_ns} ns")


def _noise() -> Finding:
    """The spread of fifty repetitions of the same small calculation."""
    values = np.random.default_rng(0).random(200_000, dtype=np.float32)
    times = []
    for _ in range(55):
        start = time.perf_counter()
        for _ in range(10):
            np.sqrt(values * values + np.float32(1))
        times.append(time.perf_counter() - start)
    wide = spread(times[5:])
    what = f"the same work, 50 times over: spread {wide:.0%}"
    if wide > UNFIT_SPREAD:
        return Finding(
            "bad", what, "differences between models drown in this", "find out what else is running"
        )
    if wide > SPREAD_LIMIT:
        return Finding("warn", what, "small differences between models drown in this")
    return Finding("ok", what)


def _sensors() -> Finding:
    found = []
    if glob("/sys/class/powercap/*/energy_uj"):
        found.append("powercap")
    if glob("/sys/class/hwmon/hwmon*/energy*_input") or glob("/sys/class/hwmon/hwmon*/power*_input"):
        found.append("hwmon")
    if found:
        return Finding("ok", f"energy sensors: {', '.join(found)}")
    return Finding("ok", "no energy sensor", "energy cannot be measured here; nothing else depends on it")
