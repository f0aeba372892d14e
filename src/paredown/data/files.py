"""Finding and reading files of a data set, without trusting them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from paredown.data.fence import MAX_NAMES, check_names, enter, listing
from paredown.errors import DataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_OTHER_IMAGES = frozenset({".gif", ".heic", ".heif", ".avif", ".jp2", ".dng", ".svg"})


def read_bytes(path: Path, limit: int) -> bytes:
    """The bytes of a file. Raises: DataError where it cannot be read or holds more than `limit` bytes."""
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(limit + 1) if size <= limit else b""
    if max(size, len(data)) > limit:
        raise DataError(
            f"{str(path)!r} is too large",
            got=f"{max(size, len(data))} bytes",
            expected=f"at most {limit} bytes",
        )
    return data


def read_text(path: Path, limit: int) -> str:
    """The text of a UTF-8 file, with or without a byte order mark. Raises: DataError."""
    try:
        return read_bytes(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{str(path)!r} is not UTF-8 text", got=error) from error


def head(path: Path, size: int = 4096) -> bytes:
    """The first bytes of a file, to see what it is; none where it cannot be read.

    Raises: DataError where it lies outside the data set.
    """
    enter(path, noted=False)
    try:
        with open_plain(path, looking=True) as file:
            return file.read(size)
    except DataError:
        return b""


@contextmanager
def open_plain(path: Path, *, looking: bool = False) -> Iterator[BinaryIO]:
    """An ordinary file inside the data set, open for reading. `looking`: only to see what kind of file it is.

    Raises: DataError, also for a disk that fails while the file is read.
    """
    enter(path, noted=not looking)
    try:
        if os.path.exists(path) and not is_file(path):  # a pipe or device could keep us waiting for ever
            raise DataError(f"{str(path)!r} is no ordinary file")
        file = path.open("rb")
    except (OSError, ValueError) as error:  # ValueError: a name no file can have
        raise _unreadable(path, error) from error
    with file:
        try:
            yield file
        except OSError as error:
            raise _unreadable(path, error) from error


def is_file(path: Path) -> bool:
    """Whether a file stands there; False for a name no file can have (too long, a null byte)."""
    return os.path.isfile(path)


def is_image_name(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES and not os.path.basename(name).startswith(".")


def sub_folders(folder: Path) -> list[Path]:
    """Visible folders directly in `folder`, sorted by name."""
    return sorted(p for p in _entries(folder) if os.path.isdir(p))


def sub_folder(folder: Path, *names: str) -> Path | None:
    """The folder directly in `folder` with the first of these names, in upper or lower case; None without."""
    by_name = {p.name.lower(): p for p in sub_folders(folder)}
    return next((by_name[n] for n in names if n in by_name), None)


def files_in(folder: Path, suffix: str) -> list[Path]:
    """Visible files directly in `folder` whose name ends in `suffix` (any case), sorted by name."""
    return sorted(p for p in _entries(folder) if p.name.lower().endswith(suffix) and is_file(p))


def files_below(folder: Path, suffix: str) -> list[Path]:
    """Visible files in `folder` and below whose name ends in `suffix` (any case), sorted."""
    return sorted(p for p in listing(folder) if p.name.lower().endswith(suffix) and is_file(p))


def image_files(folder: Path) -> list[Path]:
    """Image files in `folder` and below, sorted. Raises: DataError where there are far too many files."""
    return sorted(p for p in listing(folder) if is_image_name(p.name))


def has_images(folder: Path) -> bool:
    """Whether `folder` itself holds an image file."""
    return any(is_image_name(p.name) for p in _entries(folder))


def unread_images(folder: Path) -> tuple[str, ...]:
    """One note for images of formats that are not read, so that nobody thinks they were."""
    names = [relative_name(p, folder) for p in listing(folder) if p.suffix.lower() in _OTHER_IMAGES]
    if not names:
        return ()
    return (f"{len(names)} files of formats that are not read were left out, such as {min(names)!r}",)


def dataset_name(path: Path) -> str:
    """What a data set at `path` is called: the folder's name, or the file's without its suffix."""
    whole = path.resolve()
    return (whole.stem if is_file(whole) else whole.name) or str(whole)


def relative_name(path: Path, root: Path) -> str:
    """The name of a file as seen from `root`, with forward slashes."""
    return Path(os.path.relpath(path, root)).as_posix()


def _entries(folder: Path) -> list[Path]:
    found: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    found.append(Path(entry.path))
                if len(found) > MAX_NAMES:
                    check_names(len(found), folder)
    except (OSError, ValueError):
        return []
    return found


def _unreadable(path: Path, error: OSError | ValueError) -> DataError:
    return DataError(f"cannot read {str(path)!r}", got=getattr(error, "strerror", None) or error)
