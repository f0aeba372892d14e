"""Finding and reading files of a data set, without trusting them."""

from __future__ import annotations

import os
from pathlib import Path

from paredown.errors import DataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_OTHER_IMAGES = frozenset({".gif", ".heic", ".heif", ".avif", ".jp2", ".dng", ".svg"})


def read_bytes(path: Path, limit: int) -> bytes:
    """The bytes of a file. Raises: DataError where it cannot be read or holds more than `limit` bytes."""
    try:
        if path.exists() and not path.is_file():  # a pipe or device could keep us waiting for ever
            raise DataError(f"{str(path)!r} is no ordinary file")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:  # ValueError: a name no file can have
        raise DataError(
            f"cannot read {str(path)!r}", got=getattr(error, "strerror", None) or error
        ) from error
    if len(data) > limit:
        raise DataError(
            f"{str(path)!r} is too large", got=f"over {limit} bytes", expected=f"at most {limit} bytes"
        )
    return data


def read_text(path: Path, limit: int) -> str:
    """The text of a UTF-8 file, with or without a byte order mark. Raises: DataError."""
    try:
        return read_bytes(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{str(path)!r} is not UTF-8 text", got=error) from error


def is_file(path: Path) -> bool:
    """Whether a file stands there; False for a name no file can have (too long, a null byte)."""
    return os.path.isfile(path)


def is_image_name(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES and not os.path.basename(name).startswith(".")


def sub_folders(folder: Path) -> list[Path]:
    """Visible folders directly in `folder`, sorted by name."""
    return sorted(p for p in _entries(folder) if os.path.isdir(p))


def files_in(folder: Path, suffix: str) -> list[Path]:
    """Visible files directly in `folder` whose name ends in `suffix` (any case), sorted by name."""
    return sorted(p for p in _entries(folder) if p.name.lower().endswith(suffix) and is_file(p))


def image_files(folder: Path) -> list[Path]:
    """Image files in `folder` and below, sorted. Links to folders are not followed: they may form a ring."""
    return sorted(p for p in _all_files(folder) if is_image_name(p.name))


def has_images(folder: Path) -> bool:
    """Whether `folder` itself holds an image file."""
    return any(is_image_name(p.name) for p in _entries(folder))


def unread_images(folder: Path) -> tuple[str, ...]:
    """One note for images of formats that are not read, so that nobody thinks they were."""
    names = [str(p) for p in _all_files(folder) if p.suffix.lower() in _OTHER_IMAGES]
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
    try:
        return [p for p in folder.iterdir() if not p.name.startswith(".")]
    except (OSError, ValueError):
        return []


def _all_files(folder: Path) -> list[Path]:
    found = []
    for here, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith(".")]
        found += [Path(here, name) for name in names if not name.startswith(".")]
    return found
