"""Writing that leaves the old file or the new one, never half of one; the lock of a directory; TOML text."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from paredown.errors import StorageError


def make_directory(directory: Path) -> None:
    """Creates it with its parents. Raises StorageError."""
    with storage_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Writes to a temporary name, syncs, renames. Raises StorageError, and then leaves `path` as it was."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with storage_errors(path):
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns an OSError into a StorageError that names the path."""
    try:
        yield
    except OSError as e:
        hint = "free some space, or choose another --out" if e.errno == 28 else "choose another --out"
        raise StorageError(f"cannot write {path}", got=e.strerror or str(e), hint=hint) from e


class Lock:
    """Held by one process at a time; the system frees it when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Takes the lock. Raises StorageError naming the process that holds it."""
        with storage_errors(path):
            self._file = path.open("a+", encoding="ascii")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise StorageError(
                f"{path.parent} is in use by another run",
                got=f"in use by pid {holder}",
                hint="wait for it, or choose another --out",
            ) from e
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Frees it; a second call does nothing."""
        self._file.close()


def toml_text(tables: Mapping[str, Mapping[str, object]]) -> str:
    """TOML of flat tables of strings, numbers, booleans and lists of strings. None is left out."""
    parts = []
    for table, values in tables.items():
        lines = [f"{key} = {_toml_value(value)}" for key, value in values.items() if value is not None]
        parts.append("\n".join([f"[{table}]", *lines]))
    return "\n\n".join(parts) + "\n"


def _toml_value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case list() | tuple():
            return f"[{', '.join(_toml_value(v) for v in value)}]"
        case _:
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
