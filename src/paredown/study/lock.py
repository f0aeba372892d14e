"""The lock of a study directory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from paredown.errors import StorageError
from paredown.files import check_plain, storage_errors


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
