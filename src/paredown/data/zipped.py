"""A zip of class folders (CLASS/name.jpg), or of images without folders, read in place.

Nothing is extracted to disk, so a member's path can lead nowhere; one that tries to is refused all the
same. A member is read up to MAX_MEMBER_BYTES, whatever size the archive claims for it.
"""

from __future__ import annotations

import lzma
import os
import zipfile
import zlib
from functools import partial
from pathlib import Path, PurePosixPath

from paredown.data.fence import enter
from paredown.data.files import is_file, is_image_name
from paredown.data.images import make_sample
from paredown.data.labels import shown, to_class_names
from paredown.data.split_names import split_kind
from paredown.errors import DataError, ImageError
from paredown.sample import Dataset

MAX_MEMBER_BYTES = 64 << 20
MAX_DIRECTORY_BYTES = 24 << 20  # of the archive's list of members; some 300,000 names, 300 MB once read
_TAIL_BYTES = (
    66_000  # the end of a zip: a record of 22 bytes, a comment of up to 65,535, and the 64-bit records
)
_FAULTS = (
    zipfile.BadZipFile,
    OSError,
    EOFError,
    RuntimeError,  # encrypted, or a compression that is not built in (NotImplementedError)
    ValueError,
    zlib.error,
    lzma.LZMAError,
)


def looks_like(path: Path) -> bool:
    return is_file(path) and path.suffix.lower() == ".zip"


def splits(path: Path) -> tuple[str, ...]:
    members = _members(path)
    tops = {member.parts[0] for member in members if len(member.parts) > 2}
    flat = any(len(member.parts) < 3 for member in members)
    return tuple(sorted(tops)) if tops and not flat and all(split_kind(t) for t in tops) else ()


def read(path: Path, split: str | None) -> Dataset:
    members = {m: n for m, n in _members(path).items() if split is None or m.parts[0] == split}
    if not members:
        raise DataError(f"no image in {str(path)!r}", expected="CLASS/name.jpg, or images without folders")
    archive = _Archive(path)
    folders = {m.parent.as_posix() for m in members}
    labelled = "." not in folders
    if not labelled and len(folders) > 1:
        raise DataError(
            f"{str(path)!r} holds images in class folders and images outside",
            got=f"folders {len(folders) - 1}",
        )
    classes = to_class_names((PurePosixPath(f).name for f in sorted(folders)), str(path)) if labelled else ()
    if len(set(classes)) != len(classes):
        raise DataError(f"two folders of one name in {str(path)!r}", expected="one folder per class")
    place = {folder: i for i, folder in enumerate(sorted(folders))}
    samples = tuple(
        make_sample(
            m.as_posix(),
            partial(archive.fetch, name),
            f"{path}:{m}",
            place[m.parent.as_posix()] if labelled else None,
        )
        for m, name in members.items()
    )
    return Dataset(path.stem, "zip", str(path), classes, samples, split)


class _Archive:
    """A zip held open, so that its members are read without finding them again. Another process, which it
    was sent to, opens it anew."""

    def __init__(self, path: Path) -> None:
        self._path, self._zip = path, _open(path)

    def __reduce__(self) -> tuple[type[_Archive], tuple[Path]]:
        return _Archive, (self._path,)

    def fetch(self, name: str) -> bytes:
        """The bytes of a member. Raises: ImageError."""
        where = os.fspath(self._path) + ":" + name
        try:
            with self._zip.open(name) as member:
                data = member.read(MAX_MEMBER_BYTES + 1)
        except _FAULTS as error:
            raise ImageError(f"the image {where!r} cannot be unpacked", got=error) from error
        if len(data) > MAX_MEMBER_BYTES:
            raise ImageError(
                f"the image {where!r} is too large", expected=f"at most {MAX_MEMBER_BYTES} bytes"
            )
        return data


def _open(path: Path) -> zipfile.ZipFile:
    enter(path)
    if not is_file(path):
        raise DataError(f"{str(path)!r} is no zip that can be read", got="no ordinary file")
    _check_directory(path)
    try:
        return zipfile.ZipFile(path)
    except _FAULTS as error:
        raise DataError(f"{str(path)!r} is no zip that can be read", got=error) from error


def _check_directory(path: Path) -> None:
    """Raises: DataError where the list of members is too long: once read it takes ten times its room."""
    with path.open("rb") as file:
        file.seek(max(0, os.path.getsize(path) - _TAIL_BYTES))
        tail = file.read(_TAIL_BYTES)
    at = tail.rfind(b"PK\x05\x06")
    size = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
    if size == 0xFFFFFFFF:  # said in the 64-bit record
        at = tail.rfind(b"PK\x06\x06")
        size = int.from_bytes(tail[at + 40 : at + 48], "little") if at >= 0 else 0
    if size > MAX_DIRECTORY_BYTES:
        raise DataError(
            f"{str(path)!r} lists too many members",
            got=f"a list of {size:,} bytes",
            expected=f"at most {MAX_DIRECTORY_BYTES:,} bytes, some {MAX_DIRECTORY_BYTES // 80:,} names",
        )


def _members(path: Path) -> dict[PurePosixPath, str]:
    """Image members, sorted, each a relative path that stays inside; with its own spelling."""
    with _open(path) as archive:
        names = archive.namelist()
    images = [n for n in sorted(names) if is_image_name(n) and not n.startswith("__MACOSX/")]
    members = {PurePosixPath(n): n for n in images}
    for member in members:
        if (
            member.is_absolute()
            or ".." in member.parts
            or "\\" in str(member)
            or not str(member).isprintable()
        ):
            raise DataError(
                f"{str(path)!r} holds a member with a path that leads outside", got=shown(str(member))
            )
    if len(members) != len(images):
        raise DataError(f"{str(path)!r} holds two members of one name")
    return members
