"""Nothing phones home: what switches off the telemetry of the packages that we load.

ONNX Runtime's wheels look up a host from every process, and keep a device id and a database of events, the
names of graphs among them, under the user's cache. The switch works only before the package is loaded, so
`paredown/__init__.py` sets it first of all, and the processes that we start inherit it. The bundle's
`detect.py` sets the same.

OpenVINO says that it was imported, through the package openvino_telemetry that comes with it and has no such
switch. It goes without where that package cannot be loaded, so here it cannot.
"""

from __future__ import annotations

import os
import sys

OPT_OUTS = {
    "onnxruntime": {"ORT_DISABLE_TELEMETRY": "1"},
    "ray": {"RAY_USAGE_STATS_ENABLED": "0"},
}
"""Package -> the environment variables that keep it silent. A runtime that is added is entered here."""

UNLOADED = {"openvino": ("openvino_telemetry",)}
"""Package -> those that it loads to report itself and does without: no process of ours loads them."""

_late: list[str] = []


def opt_out() -> None:
    """Sets every switch in this process's environment, and notes the packages that were loaded before."""
    for package, switches in OPT_OUTS.items():
        set_before = all(os.environ.get(name) == value for name, value in switches.items())
        if package in sys.modules and not set_before:
            _late.append(package)
    os.environ.update(all_switches())
    for package in all_unloaded():
        if sys.modules.get(package) is not None:
            _late.append(package)
        else:
            sys.modules[package] = None  # type: ignore[assignment]  # makes its import fail


def all_switches() -> dict[str, str]:
    """The variables of every package."""
    return {name: value for switches in OPT_OUTS.values() for name, value in switches.items()}


def all_unloaded() -> tuple[str, ...]:
    """The packages that are kept from loading."""
    return tuple(name for names in UNLOADED.values() for name in names)


def too_late_for() -> tuple[str, ...]:
    """The packages that this process loaded before Paredown: theirs may be on."""
    return tuple(_late)
