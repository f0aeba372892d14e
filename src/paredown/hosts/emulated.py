"""The host `emulated:aarch64`: another processor, imitated by qemu's user mode on this machine.

    emulated:aarch64               a Cortex-A76, as in a Raspberry Pi 5
    emulated:aarch64:cortex-a72    another one that `qemu-aarch64 -cpu help` names
    emulated:x86_64:Haswell        an x86 without VNNI

Does the file load there, does it answer the same? Never a time: what qemu takes tells nothing of one.
The programs and libraries of the other processor lie in a folder that `hosts/sysroot.py` lays out, and the
runtime's wheels for it beside that; for an x86-64 on an x86-64 those of this machine do.

Source: QEMU documentation, user mode emulation (`-L`, `-cpu`).
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from paredown.errors import StorageError, TargetError, UnknownName
from paredown.hosts import cpu, wheels
from paredown.hosts.device_package import device_package
from paredown.hosts.local import LocalHost
from paredown.hosts.program import Program
from paredown.hosts.sysroot import kept, python_of, sysroot
from paredown.hosts.told import machine_of
from paredown.machine import Counters, Machine
from paredown.program_answer import answer_of
from paredown.protocols import Host

SUMMARY = (
    "another processor imitated by qemu: answers, never times: emulated:aarch64, emulated:x86_64:Haswell"
)
QEMU = "PAREDOWN_QEMU"
"""Environment variable: the emulator to use, a program called qemu-ARCH or qemu-ARCH-static."""

USUAL_CPU = {"aarch64": "cortex-a76", "x86_64": "max"}
LEAST_QEMU = {"aarch64": (8, 0), "x86_64": (7, 2)}
"""Version 7.2 crashes as ONNX Runtime for aarch64 loads; before 7.2 there is no AVX2."""
_NAMED = re.compile(r"\s*(?:x86 )?([A-Za-z0-9][\w.-]*)(?:\s*$|\s*\(|\s{2,})")
"""A line of `-cpu help`: a name alone, or before two spaces and what it is."""
_FAILED = "the emulated processor does not run our programs"
_ASK_S = 120.0  # for a small Python program there


@dataclass(frozen=True)
class EmulatedHost:
    """modules: of ours, that what runs there imports by name."""

    arch: str
    processor: str
    modules: tuple[str, ...] = ()
    times: bool = False

    @property
    def name(self) -> str:
        usual = self.processor == USUAL_CPU[self.arch]
        return f"emulated:{self.arch}" + ("" if usual else f":{self.processor}")

    def facts(self) -> Machine:
        return _facts(self)

    def counters(self, pids: Sequence[int] = ()) -> Counters:
        """Those of the machine that emulates."""
        return LocalHost().counters(pids)

    def put(self, file: Path) -> str:
        return str(file.resolve())  # the emulator sees this machine's files

    def with_modules(self, modules: Sequence[str]) -> EmulatedHost:
        return replace(self, modules=tuple(sorted({*self.modules, *modules})))

    def spawn(self, module: str, arguments: Sequence[str] = ()) -> Program:
        able = self.with_modules([module])
        surroundings = {**os.environ, **({} if able.is_native else able.place())}
        return Program([*able.python(), "-s", "-P", "-m", module, *arguments], surroundings)

    @property
    def is_native(self) -> bool:
        """Whether this machine's own programs run on the emulated processor."""
        return self.arch == cpu.arch()

    def python(self) -> list[str]:
        """The command that starts Python there. Raises TargetError."""
        command = [str(_emulator(self.arch, self.processor)), "-cpu", self.processor]
        if self.is_native:
            return [*command, str(python_of(None))]
        root = sysroot(self.arch)
        return [*command, "-L", str(root), str(python_of(root))]

    def place(self) -> dict[str, str]:
        """What leads Python to our code and to that processor's packages; both are laid out once."""
        package = device_package(self.modules)
        seen = _look(self)
        folder = kept(self.arch)
        code = _appear(folder / "code" / package.sha256, lambda part: _unzip(part, package.zipped))
        packages = folder / "packages" / wheels.venv_key(seen, package.pins)
        if not packages.is_dir():
            fetched = wheels.fetched(seen, package.pins, "an emulated machine installs nothing itself")
            _appear(packages, lambda part: _extract(part, fetched))
        return {"PYTHONPATH": f"{packages}{os.pathsep}{code}"}


def open(address: str = "") -> Host:
    """The emulated processor; it is not started yet. Raises UnknownName."""
    arch, _, processor = address.partition(":")
    if arch not in USUAL_CPU:
        raise UnknownName("processor architecture to emulate", arch, USUAL_CPU)
    return EmulatedHost(arch, processor or USUAL_CPU[arch])


@cache
def _facts(host: EmulatedHost) -> Machine:
    """As Python sees them there; an emulated processor does not change, and starting it takes seconds."""
    found = machine_of(answer_of(host.spawn("paredown.hosts.in_emulator"), _FAILED, _ASK_S))
    version = ".".join(map(str, _version(_emulator(host.arch, host.processor))))
    return replace(
        found,
        cpu=f"{host.processor} (emulated by qemu {version})",
        board="",
        virtualization="emulated processor",
        sensors=(),
        no_sensor="an emulated processor takes no power of its own",
    )


@cache
def _look(host: EmulatedHost) -> dict[str, Any]:
    """Python's version, the processor and the C library there, which decide what wheels fit."""
    asked = (
        "import json, platform as p; libc, v = p.libc_ver(); print(json.dumps({'python': p.python_version(), "
        "'machine': p.machine(), 'libc': libc, 'libc_version': v}))"
    )
    found: dict[str, Any] = answer_of(Program([*host.python(), "-I", "-c", asked]), _FAILED, _ASK_S)
    return found


def _emulator(arch: str, processor: str) -> Path:
    """The program, checked. Raises TargetError where it is missing or too old, UnknownName."""
    named = os.environ.get(QEMU)
    found = (
        shutil.which(named) if named else shutil.which(f"qemu-{arch}") or shutil.which(f"qemu-{arch}-static")
    )
    least = LEAST_QEMU[arch]
    wanted = f"qemu-{arch} {'.'.join(map(str, least))} or newer"
    hint = f"install qemu-user (Debian 13 has 10.0), or name a program with {QEMU}"
    if found is None:
        raise TargetError(
            f"there is no emulator for {arch} here", got=named or "none", expected=wanted, hint=hint
        )
    version = _version(Path(found))
    if version < least:
        got = ".".join(map(str, version))
        raise TargetError("the emulator is too old", got=f"{found} {got}", expected=wanted, hint=hint)
    if processor not in (known := _processors(Path(found))):
        raise UnknownName(f"processor of qemu-{arch}", processor, known)
    return Path(found)


@cache
def _version(emulator: Path) -> tuple[int, ...]:
    told = _said(emulator, "--version")
    match = re.search(r"version (\d+)\.(\d+)", told)
    if match is None:
        raise TargetError("this is no qemu", got=f"{emulator} says {told[:80]!r}", expected="qemu-ARCH")
    return int(match[1]), int(match[2])


@cache
def _processors(emulator: Path) -> tuple[str, ...]:
    told = _said(emulator, "-cpu", "help").partition("Recognized")[0]  # behind it, on x86: single features
    lines = (_NAMED.match(line) for line in told.splitlines())
    return tuple(m[1] for m in lines if m)


def _said(emulator: Path, *words: str) -> str:
    try:
        done = subprocess.run([emulator, *words], capture_output=True, text=True, timeout=_ASK_S)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise TargetError("the emulator cannot be started", got=f"{emulator}: {e}") from e
    return done.stdout


def _appear(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder that `make` fills; it appears once it is whole. Raises StorageError."""
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=folder.parent) as part:
            whole = Path(part, "whole")
            whole.mkdir()
            make(whole)
            if not folder.is_dir():  # else another process was faster
                whole.rename(folder)
    except OSError as e:
        if not folder.is_dir():
            raise StorageError("what the emulated processor runs cannot be laid out", got=str(e)) from e
    return folder


def _unzip(folder: Path, zipped: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        archive.extractall(folder)


def _extract(folder: Path, files: Sequence[Path]) -> None:
    for file in files:
        with zipfile.ZipFile(file) as archive:
            archive.extractall(folder)
