"""The programs and libraries of another processor, for its emulation.

    python -m paredown.hosts.sysroot aarch64

lays out Python and the C and C++ libraries for it, from the packages of the Debian that this machine runs:
with its apt, which gets folders of its own, so that nothing is installed here. About 75 MB. Where there is no
apt, any folder with the same in it will do (the files of a container image for that processor):
PAREDOWN_SYSROOT names it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from paredown.errors import ParedownError, StorageError, TargetError, UnknownName, UsageError

FOLDER = "PAREDOWN_SYSROOT"
"""Environment variable: a folder with the root of a system for the emulated processor."""
DEBIAN = {"aarch64": "arm64", "x86_64": "amd64"}
"""Our word for an architecture -> Debian's."""
_PACKAGES = ("python3-minimal", "libpython3-stdlib", "libstdc++6")


def kept(arch: str) -> Path:
    """Where what belongs to an emulated processor lies."""
    return Path.home() / ".cache" / "paredown" / "emulated" / arch


def sysroot(arch: str) -> Path:
    """The folder of the system for that processor. Raises UsageError, TargetError where there is none."""
    named = os.environ.get(FOLDER)
    if named and not Path(named).is_dir():
        raise UsageError(f"{FOLDER} names no folder", got=named, expected="the root of a system")
    root = Path(named) if named else kept(arch) / "root"
    if not root.is_dir():
        raise TargetError(
            f"there is no Python for an emulated {arch} here",
            expected=str(root),
            hint=f"`python -m paredown.hosts.sysroot {arch}` lays it out, or name a folder with {FOLDER}",
        )
    return root


def python_of(root: Path | None) -> Path:
    """The Python of that system, a path of this machine; None is this machine's own. Raises TargetError."""
    if root is None:
        return Path(sys.executable)
    found = root / "usr" / "bin" / "python3"
    if not found.resolve().is_file():
        raise TargetError("the system for the emulated processor has no Python", expected=str(found))
    return found


def lay_out(arch: str) -> Path:
    """The folder of the system, fetched and unpacked. Raises UnknownName, TargetError, StorageError."""
    if arch not in DEBIAN:
        raise UnknownName("processor architecture to emulate", arch, DEBIAN)
    root = kept(arch) / "root"
    if root.is_dir():
        return root
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            hint = f"unpack a system for {arch} elsewhere and name its folder with {FOLDER}"
            raise TargetError(f"a system for {arch} is fetched with apt", got=f"no {tool}", hint=hint)
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=root.parent) as part:
            whole = Path(part, "root")
            for package in _fetched(Path(part), DEBIAN[arch]):
                _run(["dpkg-deb", "-x", str(package), str(whole)], f"{package.name} cannot be unpacked")
            if not (whole / "lib").exists():  # of a Debian whose packages have it under usr only
                (whole / "lib").symlink_to("usr/lib")
            whole.rename(root)
    except OSError as e:
        raise StorageError(f"the system for {arch} cannot be laid out", got=str(e)) from e
    return root


def _fetched(folder: Path, arch: str) -> list[Path]:
    """The packages and all that they need, by the sources that this machine's apt has."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    settings = {
        "APT::Architecture": arch,
        "APT::Architectures": arch,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",  # else apt gives itself no right to this folder
        "Acquire::Languages": "none",
        "Debug::NoLocking": "1",
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
    }
    given = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    _run(["apt-get", *given, "update"], "the lists of packages cannot be fetched")
    wanted = ["--yes", "--download-only", "install", *_PACKAGES]
    _run(["apt-get", *given, *wanted], f"the packages for {arch} cannot be fetched")
    return sorted((folder / "cache" / "archives").glob("*.deb"))


def _run(command: Sequence[str], failed: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise TargetError(failed, got="; ".join(done.stderr.strip().splitlines()[-2:]) or None)


if __name__ == "__main__":
    try:
        print(lay_out(sys.argv[1] if sys.argv[1:] else "aarch64"))
    except ParedownError as error:
        sys.exit(f"error: {error}")
