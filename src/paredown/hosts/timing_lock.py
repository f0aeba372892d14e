"""The process that holds a machine's lock for one timing. `python -m paredown.hosts.timing_lock`

Two runs of Paredown that time on one machine measure each other, whoever started them and from wherever. So
every timing holds this lock: a file of the machine that the system frees when its process ends, however that
ends. It writes lines of JSON: {"waits_for": who holds it} where it has to wait, {"held": true} once it is
its own, {"refused": why} where there can be no lock. The end of its input ends it.

Source: flock(2); who waits first is served first.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress

FILE = "PAREDOWN_TIMING_LOCK"
"""Environment variable: another file, such as one that the containers of a machine share."""

USUAL = "/tmp/paredown-timing.lock"  # one for all accounts; TMPDIR may be of a single process
_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # anybody may have put anything there
_MOST_TOLD = 100  # bytes of the file that are looked at


def main() -> None:
    """Hold the lock, or wait for it, until the input ends."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        descriptor = _opened(os.environ.get(FILE) or USUAL)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say({"waits_for": os.pread(descriptor, _MOST_TOLD, 0).decode(errors="replace")})
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        _say({"refused": str(error)})
    else:
        with suppress(OSError):  # another account's file, which may be locked and not written
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} of {_account()}".encode(), 0)
        _say({"held": True})
    threading.Event().wait()


def _opened(path: str) -> int:
    """The lock file, made where it is missing, for all accounts. Raises OSError."""
    try:
        descriptor = _existing(path)
    except FileNotFoundError:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o666)
            os.fchmod(descriptor, 0o666)
        except FileExistsError:  # another process was faster
            descriptor = _existing(path)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(f"{path} is no plain file")
    return descriptor


def _existing(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | _FLAGS)
    except PermissionError:
        return os.open(path, os.O_RDONLY | _FLAGS)


def _account() -> str:
    """The user's name as the environment has it: asking the system for it may open a socket."""
    return os.environ.get("LOGNAME") or os.environ.get("USER") or f"user {os.getuid()}"


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)  # also out of the wait for the lock


def _say(message: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
