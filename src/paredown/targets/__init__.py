"""Targets: `target(name)` gives the place a model runs, `devices()` all that are known.

A device on a known runtime is a TOML file in `devices/` and nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from paredown.device import Device
from paredown.errors import UnknownName, UsageError
from paredown.hosts import open_host
from paredown.machine import Machine
from paredown.protocols import Host
from paredown.runtimes import RUNTIMES
from paredown.targets.device_file import read_device_file
from paredown.targets.target import Target, unfit_reasons

__all__ = ["Target", "devices", "local_device", "read_device", "target", "unfit_reasons"]

_DEVICES = Path(__file__).parent / "devices"


def target(name: str, host: Host | None = None, runtime: str = "") -> Target:
    """The target of a known name ("local", "raspberry-pi-5", ...) or of a device's file ("my-board.toml").

    host: the machine that stands for it; None is this one. runtime: a key of RUNTIMES; "" is the usual one of
    the device.
    """
    where = open_host() if host is None else host
    machine = where.facts()
    device = read_device(name, machine)
    used = runtime or device.runtimes[0]
    if used not in RUNTIMES:
        raise UnknownName("runtime" if runtime else f"runtime of device {device.name}", used, RUNTIMES)
    where = where.with_modules([RUNTIMES[used]])
    return Target(device.name, device, used, where, unfit_reasons(device, machine), name.endswith(".toml"))


def read_device(name: str, machine: Machine) -> Device:
    """The device of a known name, or of a file whose path ends in ".toml". machine: what "local" is."""
    if name in _HERE:
        return _HERE[name](machine)
    path = _DEVICES / f"{name}.toml"
    if name.endswith(".toml"):
        return read_device_file(Path(name))
    if name not in _names():
        raise UnknownName("target", name, [*_HERE, *_names()])
    return read_device_file(path)


def devices(machine: Machine) -> dict[str, Device]:
    """Every known device by name: first those that the machine stands for whatever it is."""
    return {name: read_device(name, machine) for name in [*_HERE, *_names()]}


def local_device(machine: Machine) -> Device:
    """The machine itself, from what its processor says."""
    if not machine.saturates:
        note = "8-bit products do not saturate"
    elif machine.tells_instruction_sets:
        note = "8-bit products are summed in 16 bits and saturate"
    else:
        note = "instruction sets unknown: 7-bit weights, which are right on every x86"
    return Device(
        name="local",
        summary=f"this machine{_named(machine)}, ONNX Runtime on the CPU",
        arch=machine.arch,
        isa=tuple(sorted(machine.instruction_sets)),
        saturates=machine.saturates,
        threads=machine.cores_usable,
        notes=(note,),
    )


def _named(machine: Machine) -> str:
    """ " (AMD EPYC, 2 cores)", or nothing where the system does not tell its processor."""
    cores = machine.cores_usable
    return f" ({machine.cpu}, {cores} core{'' if cores == 1 else 's'})" if machine.cpu else ""


def _reference(machine: Machine) -> Device:
    return replace(
        local_device(machine),
        name="reference",
        summary="the ONNX reference evaluator on this machine: slow, obvious, defines the truth",
        runtimes=("reference",),
        saturates=False,
        notes=("numpy arithmetic as the ONNX standard writes it",),
    )


def _null(machine: Machine) -> Device:
    return replace(
        local_device(machine),
        name="null",
        summary="answers zeros at once: measures the harness instead of the model",
        runtimes=("null",),
        notes=("never a device",),
    )


_HERE = {"local": local_device, "reference": _reference, "null": _null}


def _names() -> list[str]:
    names = sorted(p.stem for p in _DEVICES.glob("*.toml"))
    if not names:
        raise UsageError("the installation lacks its device tables", hint="install paredown again")
    return names
