"""Puts files out of the page cache, so that loading them reads the disk. `python -m paredown.hosts.page_cache
FILE ...`

Answers with one JSON object: "how" it was done and which share of the files is still "cached" (null where the
file system does not tell).

Sources: Linux kernel documentation, admin-guide/sysctl/vm (drop_caches); posix_fadvise(2) and preadv2(2):
with RWF_NOWAIT a read of what is not in the cache fails.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Sequence

_PIECE = 1 << 16


def main(files: Sequence[str]) -> dict[str, object]:
    """These files out of the cache; all of it is dropped where that did not do and this user may."""
    for file in files:
        _forget(file)
    how, cached = "the system was asked to forget the files (posix_fadvise)", _share(files)
    if cached:
        try:
            with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as switch:
                switch.write("3\n")
            how, cached = "the page cache of the machine was dropped", _share(files)
        except OSError:
            pass  # not permitted: the share that is left says so
    return {"how": how, "cached": cached}


def _share(files: Sequence[str]) -> float | None:
    shares = [share for file in files if (share := _cached(file)) is not None]
    return sum(shares) / len(shares) if shares else None


def _forget(file: str) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


def _cached(file: str) -> float | None:
    """The share of a file's pieces that are in the cache; None where that cannot be asked."""
    size, handle = os.path.getsize(file), os.open(file, os.O_RDONLY)
    found, buffer = [], bytearray(1)
    try:
        for offset in range(0, size, max(_PIECE, size // 256)):
            try:
                found.append(os.preadv(handle, [buffer], offset, os.RWF_NOWAIT) > 0)
            except BlockingIOError:
                found.append(False)
            except OSError as e:
                if e.errno in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                    return None
                raise
    finally:
        os.close(handle)
    return sum(found) / len(found) if found else None


if __name__ == "__main__":
    json.dump(main(sys.argv[1:]), sys.stdout)
