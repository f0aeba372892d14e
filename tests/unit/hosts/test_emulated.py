"""An emulated processor: it answers and is never timed; an emulator that is missing or too old is told."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from paredown._measure import doctor
from paredown._measure.there import session_on_host
from paredown.errors import TargetError, UnknownName, UsageError
from paredown.hosts import cpu, emulated, open_host
from paredown.hosts.emulated import QEMU
from paredown.hosts.sysroot import FOLDER
from paredown.targets import target

FEEDS = {"x": np.linspace(-1, 1, 4, dtype=np.float32).reshape(1, 4)}
STAND_IN = """#!/bin/sh
[ "$1" = --version ] && echo "qemu version {version}" && exit
[ "$2" = help ] && cat << END && exit
Available CPUs:
  cortex-a76
x86 Haswell               (alias configured by machine type)
x86 max                   Enables all features supported by the accelerator in the current host

Recognized CPUID flags:
  3dnow  3dnowext
END
shift 2
{then}
exec "$@"
"""


@pytest.fixture
def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes a program that is called like qemu and runs what it is given on the processor of this machine."""

    def make(version: str = "10.0.2", then: str = "") -> Path:
        path = tmp_path / "qemu"
        path.write_text(STAND_IN.format(version=version, then=then))
        path.chmod(0o755)
        monkeypatch.setenv(QEMU, str(path))
        for kept in (emulated._version, emulated._processors, emulated._facts, emulated._look):
            kept.cache_clear()
        return path

    return make


def test_it_answers_and_is_never_timed(emulator, tiny: Path) -> None:
    emulator()
    host = open_host(f"emulated:{cpu.arch()}")
    where = target("local", host)
    assert where.host.facts().virtualization == "emulated processor"
    assert "emulated by qemu 10.0" in where.host.facts().cpu
    with session_on_host(where, tiny.read_bytes(), 1) as session:
        assert np.array_equal(session.run(FEEDS)["y"], np.maximum(FEEDS["x"], 0))
    with pytest.raises(TargetError, match="answers, but not in the device's time"):
        where.require_timing()
    findings = doctor.check(where)
    assert not doctor.fit_to_time(findings)
    assert any("never timed" in found.what for found in findings)


def test_an_emulator_that_is_too_old_is_told(emulator) -> None:
    path = emulator("7.2.22")
    with pytest.raises(TargetError, match="too old") as told:
        open_host("emulated:aarch64").facts()
    assert told.value.got == f"{path} 7.2"


def test_the_processors_are_read_with_what_is_said_of_them(emulator) -> None:
    assert emulated._processors(emulator()) == ("cortex-a76", "Haswell", "max")


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("emulated:aarch", UnknownName, "did you mean 'aarch64'"),
        ("emulated:aarch64:cortex-a67", UnknownName, "did you mean 'cortex-a76'"),
        ("emulated:aarch64", TargetError, "paredown.hosts.sysroot aarch64"),
    ],
)
def test_what_cannot_be_emulated_is_told(
    emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, error: type, text: str
) -> None:
    emulator()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(cpu, "arch", lambda: "riscv64")
    with pytest.raises(error, match=text):
        open_host(name).facts()


def test_an_emulator_that_is_missing_or_none_is_told(emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"emulated:{cpu.arch()}"
    emulator("(none)")
    with pytest.raises(TargetError, match="no qemu"):
        open_host(name).facts()
    emulator(then="echo cannot map; exit 3")
    with pytest.raises(TargetError, match="does not run our programs"):
        open_host(name).facts()
    monkeypatch.setenv(QEMU, "/nowhere/qemu")
    with pytest.raises(TargetError, match="no emulator"):
        open_host(name).facts()


def test_a_sysroot_that_is_named_has_to_be_there(emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator()
    monkeypatch.setattr(cpu, "arch", lambda: "riscv64")
    monkeypatch.setenv(FOLDER, "/nowhere")
    with pytest.raises(UsageError, match="names no folder"):
        open_host("emulated:aarch64").facts()


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get(QEMU), reason=f"needs qemu-aarch64 8 or newer, named by {QEMU}, and a laid out sysroot"
)
def test_an_aarch64_wheel_answers_as_here(tiny: Path) -> None:
    """`python -m paredown.hosts.sysroot aarch64` lays out what it needs."""
    where = target("local", open_host("emulated:aarch64"))
    assert {"neon", "dotprod"} <= where.host.facts().instruction_sets
    assert where.policy != target("local").policy or cpu.arch() == "aarch64"
    with session_on_host(where, tiny.read_bytes(), 1) as session:
        assert np.array_equal(session.run(FEEDS)["y"], np.maximum(FEEDS["x"], 0))
