"""The lock of a study directory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from paredown.errors import StorageError
from paredown.files import check_plain, storage_errors
from paredown.hosts.processes import started_s


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
        if not self._file.closed:
            self._file.truncate(0)
        self._file.close()


def holder(path: Path) -> int | None:
    """The process that holds the lock; None where none does. It is only read: taking it to see whether it is
    free could keep a run from starting."""
    try:
        pid, since_s = int(path.read_text(encoding="ascii")), path.stat().st_mtime
    except (OSError, ValueError):
        return None
    began_s = started_s(pid)
    return pid if began_s is not None and began_s <= since_s + 1 else None  # numbers are given again
