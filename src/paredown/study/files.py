"""The lock of a study directory; TOML text."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path

from paredown.errors import StorageError
from paredown.files import check_plain, storage_errors
from paredown.printable import quoted


class Lock:
    """Held by one process at a time; the system frees it when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Takes the lock. Raises StorageError naming the process that holds it."""
        check_plain(path)
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
            return quoted(json.dumps(str(value), ensure_ascii=False))
