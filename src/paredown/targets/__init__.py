"""Targets: `target(name)` gives the place a model runs, `devices()` all that are known.

A device on a known runtime is a TOML file in `devices/` and nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from paredown.cores import usable_cores
from paredown.device import Device
from paredown.errors import UnknownName, UsageError
from paredown.hosts import cpu
from paredown.runtimes import RUNTIMES
from paredown.targets.device_file import read_device_file
from paredown.targets.target import Target, unfit_reasons

__all__ = ["Target", "devices", "local_device", "read_device", "target", "unfit_reasons"]

_DEVICES = Path(__file__).parent / "devices"


def target(name: str) -> Target:
    """The target of a known name ("local", "raspberry-pi-5", ...) or of a device's file ("my-board.toml")."""
    device = read_device(name)
    usual = device.runtimes[0]
    if usual not in RUNTIMES:
        raise UnknownName(f"runtime of device {device.name}", usual, RUNTIMES)
    return Target(device.name, device, usual, unfit_reasons(device), name.endswith(".toml"))


def read_device(name: str) -> Device:
    """The device of a known name, or the one in a file whose path ends in ".toml"."""
    if name in _HERE:
        return _HERE[name]()
    path = _DEVICES / f"{name}.toml"
    if name.endswith(".toml"):
        return read_device_file(Path(name))
    if name not in _names():
        raise UnknownName("target", name, [*_HERE, *_names()])
    return read_device_file(path)


def devices() -> dict[str, Device]:
    """Every known device by name: those of this machine first, then the devices."""
    return {name: read_device(name) for name in [*_HERE, *_names()]}


def local_device() -> Device:
    """This machine, from what its processor says of itself."""
    if not cpu.saturates():
        note = "8-bit products do not saturate"
    elif cpu.features_known():
        note = "8-bit products are summed in 16 bits and saturate"
    else:
        note = "instruction sets unknown: 7-bit weights, which are right on every x86"
    return Device(
        name="local",
        summary=f"this machine{_named()}, ONNX Runtime on the CPU",
        arch=cpu.arch(),
        isa=tuple(sorted(cpu.features())),
        saturates=cpu.saturates(),
        threads=usable_cores(),
        notes=(note,),
    )


def _named() -> str:
    """ " (AMD EPYC, 2 cores)", or nothing where the system does not tell its processor."""
    cores = usable_cores()
    return f" ({cpu.model_name()}, {cores} core{'' if cores == 1 else 's'})" if cpu.model_name() else ""


def _reference() -> Device:
    return replace(
        local_device(),
        name="reference",
        summary="the ONNX reference evaluator on this machine: slow, obvious, defines the truth",
        runtimes=("reference",),
        saturates=False,
        notes=("numpy arithmetic as the ONNX standard writes it",),
    )


def _null() -> Device:
    return replace(
        local_device(),
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
