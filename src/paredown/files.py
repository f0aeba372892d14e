"""Writing that leaves the old file or the new one, and never touches what is no plain file of ours.

Two kinds of paths are written. What the user named (`--out m.json`) may replace a file only where that was
asked for: `write_named`, `check_named`. What lies in a directory of ours (a study, a bundle) is replaced:
`write_whole`; which directory is ours is said by its `Layout`: `check_directory`. Neither ever replaces or
follows a link, a device, a pipe or a socket; folders above the name may be links.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from paredown.errors import StorageError, UsageError

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFREG: "a file",
}
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)  # file systems without hard links, such as FAT


@dataclass(frozen=True)
class Layout:
    """How a directory that Paredown made is known: every file of `marks` lies in it, or nothing but `names`
    (patterns), as in one that was not finished. what: it in words."""

    what: str
    marks: tuple[str, ...]
    names: tuple[str, ...] = ()


def write_whole(path: Path, data: bytes) -> None:
    """Writes to a temporary name, syncs, renames. A plain file is replaced, in a directory that is ours.

    Raises StorageError, and then leaves `path` as it was.
    """
    _write(path, data, replace=True)


def write_named(path: Path, data: bytes, *, force: bool) -> None:
    """Writes the file that the user named, whole or not at all.

    Raises: UsageError where a file stands there and `force` does not say to replace it, StorageError.
    """
    check_named(path, force=force)
    try:
        _write(path, data, replace=force)
    except FileExistsError:  # it came since
        raise _there_already(path) from None


def check_named(path: Path, *, force: bool) -> None:
    """Raises, before long work, what `write_named` would raise about the path."""
    check_plain(path)
    if not force and os.path.lexists(path):
        raise _there_already(path)


def check_plain(path: Path) -> None:
    """Raises StorageError where something stands at `path` that is no plain file."""
    kind = _kind(path)
    if kind is not None and kind != stat.S_IFREG:
        raise StorageError(
            f"cannot write {path}: it is {_KINDS.get(kind, 'no plain file')}",
            expected="a new name, or that of a plain file",
            hint="choose another --out",
        )


def make_directory(directory: Path) -> None:
    """Creates it with its parents. Raises StorageError, also where a link or a file has its name."""
    check_folder(directory)
    with storage_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)


def check_folder(directory: Path) -> None:
    """Raises StorageError where something stands there that is no folder, or a link to one."""
    kind = _kind(directory)
    if kind is not None and kind != stat.S_IFDIR:
        real = directory.resolve()
        raise StorageError(
            f"cannot write into {directory}: it is {_KINDS.get(kind, 'no folder')}",
            expected="a new name, or that of a folder",
            hint=f"the folder itself: {real}" if directory.is_dir() else "choose another --out",
        )


def check_directory(directory: Path, layout: Layout, *, force: bool) -> None:
    """Raises UsageError where the directory holds something and is not ours, unless `force`; StorageError."""
    kind = _kind(directory)
    if kind is None:
        return
    check_folder(directory)
    with storage_errors(directory):
        names = sorted(entry.name for entry in directory.iterdir())
    unfinished = (*layout.names, ".*.part")
    others = [name for name in names if not any(fnmatchcase(name, known) for known in unfinished)]
    ours = not others or all(_kind(directory / mark) == stat.S_IFREG for mark in layout.marks)
    if not ours and not force:
        raise UsageError(
            f"the folder {directory} is not empty, and not {layout.what}", got=", ".join(others[:5]),
            expected=f"a new or empty folder, or {layout.what}",
            hint="choose another --out, or say --force to write into it",
        )  # fmt: skip


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns an OSError into a StorageError that names the path."""
    try:
        yield
    except OSError as e:
        hint = (
            "free some space, or choose another --out" if e.errno == errno.ENOSPC else "choose another --out"
        )
        raise StorageError(f"cannot write {path}", got=e.strerror or str(e), hint=hint) from e


def _write(path: Path, data: bytes, *, replace: bool) -> None:
    """Raises StorageError, and FileExistsError where not to `replace` and a file stands there."""
    check_plain(path)
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")  # nobody has put a link under it
    try:
        with storage_errors(path), temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        check_plain(path)
        if replace:
            with storage_errors(path):
                temporary.replace(path)
        else:
            _name(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _name(temporary: Path, path: Path) -> None:
    """Gives the file its name, where no other has it. Raises FileExistsError, StorageError."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError as e:
        with storage_errors(path):
            if e.errno not in _NO_LINKS:
                raise
            temporary.replace(path)


def _there_already(path: Path) -> UsageError:
    return UsageError(f"{path} is there already", hint="choose another --out, or say --force to replace it")


def _kind(path: Path) -> int | None:
    """The type of what stands there, links not followed; None where nothing does. Raises StorageError."""
    with storage_errors(path):
        try:
            return stat.S_IFMT(path.lstat().st_mode)
        except FileNotFoundError:
            return None
