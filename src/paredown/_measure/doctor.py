"""Is a host fit to time on, and is it the device that a model was made for?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from paredown._measure.timing.noise import SPREAD_LIMIT, UNFIT_SPREAD, spread
from paredown._measure.timing.steadiness import steadiness
from paredown._measure.timing.throttling import listed
from paredown.device import DOT_PRODUCTS
from paredown.errors import UnknownName
from paredown.machine import Counters, Machine, Throttling
from paredown.no_telemetry import all_switches, too_late_for
from paredown.protocols import Host
from paredown.targets import Target, read_device, unfit_reasons

Level = Literal["ok", "warn", "bad"]
_HOT_C = 80.0  # a Raspberry Pi 4 or 5 begins to slow down here (Raspberry Pi's documentation)
_LOOK_S = 0.4  # how long the load of the machine is looked at


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `why` says what it matters for, `hint` what to do; "" where there is nothing."""

    level: Level
    what: str
    why: str = ""
    hint: str = ""


def check(where: Target, metadata: Mapping[str, str] | None = None) -> tuple[Finding, ...]:
    """All findings on the target's host, and for a model with that metadata. Takes two seconds."""
    machine = where.host.facts()
    asked = () if metadata is None else (_model(metadata, machine),)
    if not where.host.times:
        return (_runtime(machine), _telemetry(), _device(where), _instructions(machine), _untimed(), *asked)
    counters, steady = where.host.counters(), steadiness(where.host)
    return (
        _runtime(machine),
        _telemetry(),
        _device(where),
        *_on_the_device(where),
        _instructions(machine),
        _governor(machine, where.device.governor if where.runs_here else ""),
        _turbo(machine),
        _heat(counters),
        _throttled(counters.throttling),
        _memory(where, machine, counters),
        _swap(machine, counters),
        _virtual(machine),
        _load(where.host, machine),
        _clock(steady.clock_step_s),
        _spread(steady.work_s),
        _sensors(machine, where),
        *asked,
    )


def fit_to_time(findings: tuple[Finding, ...]) -> bool:
    """Whether latencies taken there can be believed."""
    return all(f.level != "bad" for f in findings)


def made_for_another(metadata: Mapping[str, str], machine: Machine) -> Finding | None:
    """The warning that a model was made for another CPU than this one, None where nothing speaks for it.

    Reads the metadata "paredown.profile" (a profile's name) and "paredown.weight_bits".
    """
    name = metadata.get("paredown.profile")
    if name is None:
        return None
    what, hint = f"the model was made for {name}", "compress it again for this machine"
    if machine.saturates and metadata.get("paredown.weight_bits") == "8":
        why = "its 8-bit weights saturate on this CPU (no VNNI): boxes get lost"
        return Finding(
            "warn", what, why, f"{hint}, or see docs/cpus.md for the session option that avoids it"
        )
    try:
        reasons = unfit_reasons(read_device(name, machine), machine)
    except UnknownName:
        return Finding("warn", what, "this installation knows no such profile: whether it fits is unknown")
    return Finding("warn", what, "; ".join(reasons), hint) if reasons else None


def _model(metadata: Mapping[str, str], machine: Machine) -> Finding:
    name, bits = metadata.get("paredown.profile"), metadata.get("paredown.weight_bits")
    if name is None:
        return Finding("ok", "the model does not say which device it was made for")
    how = f", {bits}-bit weights" if bits else ""
    return made_for_another(metadata, machine) or Finding("ok", f"the model was made for {name}{how}")


def _runtime(machine: Machine) -> Finding:
    found = machine.packages.get("onnxruntime")
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
    whose = "this machine" if where.is_this_machine else _described(where.host.facts())
    if where.runs_here:
        known = f"{whose} is a {where.name!r}" if where.name != "local" else f"target: {whose}"
        return Finding("ok", known)
    hint = "run paredown on the device itself, or reach it with --host, to time it"
    return Finding("bad", f"{whose} is not {where.name!r}", "; ".join(where.unfit), hint)


def _on_the_device(where: Target) -> tuple[Finding, ...]:
    """What its table says of a device that this machine is not."""
    device = where.device
    if where.runs_here:
        return ()
    found = []
    if device.governor:
        found.append(Finding("ok", f"before timing on a {where.name}: {device.governor}"))
    if device.sensors:
        found.append(Finding("ok", f"sensors of power on a {where.name}: {', '.join(device.sensors)}"))
    if len(device.runtimes) > 1:
        found.append(Finding("ok", f"runtimes for a {where.name}: {', '.join(device.runtimes)}"))
    return tuple(found)


def _described(machine: Machine) -> str:
    """A machine elsewhere in words: "Raspberry Pi 5 Model B Rev 1.0 (4 cores)"."""
    return f"{machine.board or machine.cpu or machine.arch} ({machine.cores_usable} cores)"


def _untimed() -> Finding:
    why = "how long it takes says nothing of the processor that is imitated"
    return Finding("bad", "it answers and is never timed", why, "time on the device itself: --host ssh:...")


def _instructions(machine: Machine) -> Finding:
    have = machine.instruction_sets
    if not machine.tells_instruction_sets:
        return Finding(
            "warn", "the instruction sets of this CPU are unknown", "whether INT8 pays cannot be told"
        )
    what = f"{machine.cpu or machine.arch}: {', '.join(sorted(have))}"
    if have & DOT_PRODUCTS:
        return Finding("ok", what, "INT8 has its own instructions here")
    if machine.arch == "x86_64":
        why = "without VNNI, INT8 gains little and 8-bit weights saturate; recipes use 7 bits here"
    else:
        why = "without dot product instructions INT8 gains less over float"
    return Finding("warn", what, why)


def _governor(machine: Machine, advice: str) -> Finding:
    """advice: what the device's table says to do about it."""
    found = sorted(machine.governors)
    if not found:
        return Finding("ok", "frequency governor not visible", "usual on a virtual machine")
    if found == ["performance"]:
        return Finding("ok", "frequency governor: performance")
    what, why = f"frequency governor: {', '.join(found)}", "the clock rate changes while a model is timed"
    return Finding("warn", what, why, advice or "sudo cpupower frequency-set -g performance")


def _turbo(machine: Machine) -> Finding:
    if machine.turbo:
        why = "short runs are faster than long ones: read the median, not the minimum"
        return Finding("warn", "turbo is on", why, "turn it off to compare small differences")
    return Finding("ok", "turbo not visible" if machine.turbo is None else "turbo is off")


def _heat(counters: Counters) -> Finding:
    clock, heat = counters.clock_mhz, counters.temperature_c
    words = [f"{clock:.0f} MHz"] if clock is not None else []
    words += [f"{heat:.0f} °C"] if heat is not None else []
    if heat is not None and heat >= _HOT_C:
        return Finding(
            "warn", f"now at {', '.join(words)}", "small boards slow down from here on", "let it cool"
        )
    return Finding("ok", f"now at {', '.join(words)}" if words else "clock and temperature not visible")


def _throttled(state: Throttling) -> Finding:
    """What the firmware of a board says of its power and heat."""
    hint = "a stronger power supply and cable, or better cooling"
    if state.now:
        words = ", ".join(listed(state.now))
        return Finding("bad", f"the board is slowed down now: {words}", "times taken now are too long", hint)
    if state.since_start:
        words = ", ".join(listed(state.since_start))
        what = f"since the start of the board: {words}"
        return Finding("warn", what, "it may happen again under load", hint)
    return Finding("ok", "no throttling visible")


def _memory(where: Target, machine: Machine, counters: Counters) -> Finding:
    free, total = counters.free_memory_bytes, machine.memory_bytes
    what = f"memory: {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
    if free < 512 * 2**20:
        return Finding("bad", what, "a model that does not fit is swapped or killed", "close other programs")
    sizes = where.device.memory_bytes
    if sizes and not where.runs_here:
        sold = " or ".join(f"{size / 2**30:.2g}" for size in sizes)
        return Finding("ok", what, f"a {where.name} has {sold} GiB in all")
    return Finding("ok", what)


def _swap(machine: Machine, counters: Counters) -> Finding:
    total, used = machine.swap_bytes, counters.used_swap_bytes
    if total and used > 0.25 * total:
        what = f"{used / 2**30:.1f} GiB of swap in use"
        return Finding("warn", what, "memory read back from disk shows up as latency", "close other programs")
    return Finding("ok", "swap is hardly used" if total else "no swap")


def _virtual(machine: Machine) -> Finding:
    kind = machine.virtualization
    if "virtual machine" in kind:
        return Finding(
            "warn", f"runs in a {kind}", "neighbours on the same host change the times; ratios hold better"
        )
    return Finding("ok", f"runs in a {kind}" if kind else "runs on bare metal, as far as can be seen")


def _load(host: Host, machine: Machine) -> Finding:
    """How much of all cores is in use or withheld, over less than half a second."""
    before = host.counters()
    time.sleep(_LOOK_S)
    after = host.counters()
    taken_s = after.busy_s + after.withheld_s - before.busy_s - before.withheld_s
    all_s = (after.time_s - before.time_s) * (machine.cores_logical or 1)
    busy = min(100.0, 100 * taken_s / all_s)  # the clocks tick in hundredths of a second
    what, why, hint = (
        f"other programs use {busy:.0f} % of the CPU",
        "they take time from the model",
        "stop them",
    )
    if busy > 50:
        return Finding("bad", what, why, hint)
    return Finding("warn", what, why, hint) if busy > 10 else Finding("ok", what)


def _clock(step_s: float) -> Finding:
    step_ns = round(step_s * 1e9)
    if step_ns > 10_000:
        return Finding("warn", f"timer resolution {step_ns / 1000:.0f} µs", "too coarse for small models")
    return Finding("ok", f"timer resolution {step_ns} ns")


def _spread(work_s: tuple[float, ...]) -> Finding:
    wide = spread(work_s)
    what = f"the same work, {len(work_s)} times over: spread {100 * wide:.0f} %"
    if wide > UNFIT_SPREAD:
        return Finding(
            "bad", what, "differences between models drown in this", "find out what else is running"
        )
    if wide > SPREAD_LIMIT:
        return Finding("warn", what, "small differences between models drown in this")
    return Finding("ok", what)


def _sensors(machine: Machine, where: Target) -> Finding:
    if machine.sensors:
        return Finding("ok", f"energy sensors: {', '.join(machine.sensors)}")
    expected = where.device.sensors if where.runs_here else ()
    if expected and not machine.virtualization:
        what = f"energy cannot be measured here, though a {where.name} has {' or '.join(expected)}"
        return Finding("warn", what, machine.no_sensor, "docs/energy.md tells what each needs")
    hint = "" if machine.virtualization else "an external meter will do: --power-log FILE (docs/energy.md)"
    return Finding("ok", "energy cannot be measured here", machine.no_sensor or "no sensor", hint)
