"""What one reading of a data set may touch, and what it has touched.

A data set of a stranger can name any file of the machine: in a CSV, as `file_name` in a COCO file, as `path:`
in a data.yaml, or by a symbolic link. Every file that a reader opens goes through `enter`, which refuses what
lies outside the data set's folder unless the user allowed it. The folder itself may be a link: the user
named it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from paredown.errors import DataError

# More names than that in one folder take minutes and hundreds of MB to list; ImageNet's 1.28 million training
# images are no set to judge or calibrate on.
MAX_NAMES = 500_000
_PARTS = frozenset({"annotations", "labels", "imagesets", "data"})  # a file in one speaks of the folder above


@dataclass
class Fence:
    """`root`: the folder, without links. `opened`: every file that was read, as it was named."""

    root: str
    allow_outside: bool
    opened: set[Path] = field(default_factory=set)
    folders: dict[str, str] = field(default_factory=dict)  # real paths of the folders seen so far
    listings: dict[Path, list[Path]] = field(default_factory=dict)


_current: ContextVar[Fence | None] = ContextVar("fence", default=None)


@contextmanager
def reading(path: Path, allow_outside: bool) -> Iterator[Fence]:
    """The fence around the data set at `path`, for as long as it is being read."""
    fence = Fence(os.path.realpath(folder_of(path)), allow_outside)
    token = _current.set(fence)
    try:
        yield fence
    finally:
        _current.reset(token)


def folder_of(path: Path) -> Path:
    """The folder of the data set that `path` stands for: itself, or where the file named belongs to."""
    if os.path.isdir(path):
        return path
    folder = Path(os.path.abspath(path)).parent
    return folder.parent if folder.name.lower() in _PARTS else folder


def enter(path: Path, *, noted: bool = True) -> None:
    """Notes that `path` is read. Raises: DataError where it lies outside the data set's folder."""
    fence = _current.get()
    if fence is None:
        return
    if noted:
        fence.opened.add(path)
    if fence.allow_outside:
        return
    real = _real(path, fence)
    if real != fence.root and not real.startswith(fence.root.rstrip(os.sep) + os.sep):
        raise DataError(
            "the data set names a file outside its own folder",
            got=f"{_from(fence.root, path)!r}" + (f", a link to {real!r}" if os.path.islink(path) else ""),
            expected="files inside the folder of the data set",
            hint="--allow-outside, where you made the links or lists yourself and know what they name "
            "(in Python: read_dataset(path, allow_outside=True))",
        )


def _from(root: str, path: Path) -> str:
    """The path as seen from the data set's folder, whose own path may lead through a link."""
    return os.path.relpath(os.path.join(os.path.realpath(path.parent), path.name), root)


def listing(folder: Path) -> list[Path]:
    """Visible files in `folder` and below. Links to folders are not followed: they may form a ring.

    Raises: DataError where there are more than MAX_NAMES.
    """
    fence = _current.get()
    if fence is not None and folder in fence.listings:
        return fence.listings[folder]
    found: list[Path] = []
    seen = 0
    for here, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith(".")]
        seen += len(names) + len(folders)
        check_names(seen, folder)
        found += [Path(here, name) for name in names if not name.startswith(".")]
    if fence is not None:
        fence.listings[folder] = found
    return found


def opened() -> frozenset[Path]:
    """The files that the reading under way has read."""
    fence = _current.get()
    return frozenset() if fence is None else frozenset(fence.opened)


def check_names(count: int, folder: Path) -> None:
    """Raises: DataError where `count` names are more than are listed."""
    if count > MAX_NAMES:
        raise DataError(
            f"{str(folder)!r} holds too many files",
            got=f"more than {MAX_NAMES:,} names",
            expected=f"at most {MAX_NAMES:,}",
            hint="name a smaller folder: some hundred images are enough to calibrate, some thousand to judge",
        )


def _real(path: Path, fence: Fence) -> str:
    """`os.path.realpath`, each folder resolved once."""
    if os.path.islink(path) or path.name in ("", ".", ".."):
        return os.path.realpath(path)
    folder = os.path.dirname(path)
    if folder not in fence.folders:
        fence.folders[folder] = os.path.realpath(folder)
    return os.path.join(fence.folders[folder], path.name)
