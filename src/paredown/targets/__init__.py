"""Targets: `target(name)` gives the place a model runs, `profiles()` all that are known.

A runtime is a file with `compile(model, *, threads, extra_outputs, optimized_path) -> Session` and a line in
TARGETS. A device on a known runtime is a TOML file in `profiles/` and nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from paredown.errors import UnknownName, UsageError
from paredown.hosts import cpu
from paredown.profile import Profile
from paredown.targets.profile_file import read_profile_file
from paredown.targets.target import Target, unfit_reasons

__all__ = ["TARGETS", "Target", "local_profile", "profiles", "read_profile", "target", "unfit_reasons"]

TARGETS = {
    "onnxruntime": "paredown.targets.ort",
    "reference": "paredown.targets.reference",
    "null": "paredown.targets.null",
}
"""Runtime -> the module that compiles for it, imported when a model is compiled."""

NODE_TIMERS = {"onnxruntime": "paredown.targets.ort_nodes"}
"""Runtime -> the module that times a model node by node, imported when it is asked."""

_PROFILES = Path(__file__).parent / "profiles"


def target(name: str) -> Target:
    """The target of a known name ("local", "raspberry-pi-5", ...) or of a profile file ("my-board.toml")."""
    profile = read_profile(name)
    if profile.runtime not in TARGETS:
        raise UnknownName(f"runtime in profile {profile.name}", profile.runtime, TARGETS)
    timer = NODE_TIMERS.get(profile.runtime)
    own_file = name.endswith(".toml")
    return Target(profile.name, profile, TARGETS[profile.runtime], unfit_reasons(profile), timer, own_file)


def read_profile(name: str) -> Profile:
    """The profile of a known name, or the one in a file whose path ends in ".toml"."""
    if name in _HERE:
        return _HERE[name]()
    path = _PROFILES / f"{name}.toml"
    if name.endswith(".toml"):
        return read_profile_file(Path(name))
    if name not in _names():
        raise UnknownName("target", name, [*_HERE, *_names()])
    return read_profile_file(path)


def profiles() -> dict[str, Profile]:
    """Every known profile by name: those of this machine first, then the devices."""
    return {name: read_profile(name) for name in [*_HERE, *_names()]}


def local_profile() -> Profile:
    """The profile of this machine on ONNX Runtime, from what its processor says of itself."""
    if not cpu.saturates():
        note = "8-bit products do not saturate"
    elif cpu.features_known():
        note = "8-bit products are summed in 16 bits and saturate"
    else:
        note = "instruction sets unknown: 7-bit weights, which are right on every x86"
    return Profile(
        name="local",
        summary=f"this machine{_named()}, ONNX Runtime on the CPU",
        arch=cpu.arch(),
        isa=tuple(sorted(cpu.features())),
        saturates=cpu.saturates(),
        threads=cpu.usable_cores(),
        notes=(note,),
    )


def _named() -> str:
    """ " (AMD EPYC, 2 cores)", or nothing where the system does not tell its processor."""
    cores = cpu.usable_cores()
    return f" ({cpu.model_name()}, {cores} core{'' if cores == 1 else 's'})" if cpu.model_name() else ""


def _reference_profile() -> Profile:
    return replace(
        local_profile(),
        name="reference",
        summary="the ONNX reference evaluator on this machine: slow, obvious, defines the truth",
        runtime="reference",
        saturates=False,
        notes=("numpy arithmetic as the ONNX standard writes it",),
    )


def _null_profile() -> Profile:
    return replace(
        local_profile(),
        name="null",
        summary="answers zeros at once: measures the harness instead of the model",
        runtime="null",
        notes=("never a device",),
    )


_HERE = {"local": local_profile, "reference": _reference_profile, "null": _null_profile}


def _names() -> list[str]:
    names = sorted(p.stem for p in _PROFILES.glob("*.toml"))
    if not names:
        raise UsageError("the installation lacks its device profiles", hint="install paredown again")
    return names
