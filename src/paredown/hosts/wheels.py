"""Wheels for a board, chosen by what the board said of itself: for one without network, or without pip.

They come from a folder that the user names, else this machine's pip fetches them for the board's platform.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, NormalizedName, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from paredown.errors import TargetError, UsageError

FOLDER = "PAREDOWN_WHEELS"
"""Environment variable: a folder of wheels to install boards from."""

_OLDEST_GLIBC = 5  # manylinux1, minor version of glibc 2
_ALIASES = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}


def venv_key(seen: dict[str, Any], pins: Sequence[str]) -> str:
    """The name of the venv of those versions for the board's Python."""
    digest = hashlib.sha256("\n".join(sorted(pins)).encode()).hexdigest()
    return f"{seen['python']}-{digest[:16]}"


def folder() -> Path | None:
    """The folder that the user named. Raises UsageError where it is none."""
    named = os.environ.get(FOLDER)
    if not named:
        return None
    if not Path(named).is_dir():
        raise UsageError(f"{FOLDER} names no folder", got=named, expected="a folder of wheels")
    return Path(named)


def fetched(seen: dict[str, Any], pins: Sequence[str], reason: str) -> list[Path]:
    """A wheel for each pin. reason: why the board does not install them itself. Raises TargetError."""
    tags = board_tags(seen)
    named = folder()
    if named is not None:
        return _chosen(named, pins, tags, "put it there, or unset the variable where the board has a network")
    kept = Path.home() / ".cache" / "paredown" / "wheels"
    try:
        return _chosen(kept, pins, tags, "")
    except TargetError:
        _download(seen, pins, tags, kept, reason)
    return _chosen(kept, pins, tags, f"name a folder that has it with {FOLDER}")


def board_tags(seen: dict[str, Any]) -> frozenset[Tag]:
    """What the name of a wheel may end in for the board's Python, processor and C library."""
    python = tuple(map(int, seen["python"].split(".")[:2]))
    platforms = platforms_of(seen)
    return frozenset(
        [*cpython_tags(python, platforms=platforms), *compatible_tags(python, platforms=platforms)]
    )


def platforms_of(seen: dict[str, Any]) -> list[str]:
    """ "manylinux_2_36_aarch64", ... newest first; of another C library than glibc, only "linux_aarch64"."""
    arch = {"amd64": "x86_64", "arm64": "aarch64"}.get(seen["machine"], seen["machine"])
    found = []
    if seen["libc"] == "glibc":
        newest = int(seen["libc_version"].split(".")[1])
        for minor in range(newest, _OLDEST_GLIBC - 1, -1):
            found.append(f"manylinux_2_{minor}_{arch}")
            found += [f"{_ALIASES[minor]}_{arch}"] if minor in _ALIASES else []
    return [*found, f"linux_{arch}"]


def content(file: Path) -> tuple[bytes, str]:
    """The bytes of a file and their sha256."""
    read = file.read_bytes()
    return read, hashlib.sha256(read).hexdigest()


def _chosen(where: Path, pins: Sequence[str], tags: frozenset[Tag], hint: str) -> list[Path]:
    """The wheel of each pin that fits the board. Raises TargetError naming the first that is missing."""
    fitting: dict[tuple[NormalizedName, Version], Path] = {}
    for path in sorted(where.glob("*.whl")):
        try:
            name, version, _, its_tags = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue  # no wheel, whatever it is called
        if tags & its_tags:
            fitting[name, version] = path
    found = []
    for pin in pins:
        wanted, _, number = pin.partition("==")
        key = (canonicalize_name(wanted), Version(number))
        if key not in fitting:
            raise TargetError(f"no wheel of {pin} fits the board", got=where.name, hint=hint or None)
        found.append(fitting[key])
    return found


def _download(
    seen: dict[str, Any], pins: Sequence[str], tags: frozenset[Tag], into: Path, reason: str
) -> None:
    """By this machine's pip. Raises TargetError where it has none, or finds none for the board."""
    hint = f"put wheels for the board in a folder and name it with {FOLDER}"
    what = "the device package cannot be installed on the board"
    if importlib.util.find_spec("pip") is None:
        raise TargetError(what, got=f"{reason}; this machine: no pip either", hint=hint)
    into.mkdir(parents=True, exist_ok=True)
    platforms = [word for p in platforms_of(seen) for word in ("--platform", p)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
         "--only-binary", ":all:", "--implementation", "cp", *platforms, "--dest", str(into),
         "--python-version", ".".join(seen["python"].split(".")[:2]), *pins],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise TargetError(what, got=f"{reason}; this machine: {last}", hint=hint)
