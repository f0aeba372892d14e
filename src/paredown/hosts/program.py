"""A program started by a command line here, with pipes to it: a `Process`.

A host whose programs are reached through a command of this machine (ssh, an emulator) starts them with this.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO


class Program:
    """A running command. It has a session of its own, so that Ctrl-C reaches the parent only."""

    def __init__(self, command: Sequence[str], surroundings: Mapping[str, str] | None = None) -> None:
        """surroundings: environment variables; None are those of this process."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
            env=surroundings,
        )

    @property
    def stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def wait(self, timeout_s: float) -> int | None:
        """The exit code, minus the signal's number where one ended it; None where it still runs."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End it by force, if it has not ended, with all that it started, and wait until it has."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):  # it ended just now
                os.killpg(self._process.pid, signal.SIGKILL)  # one that lives on would keep its pipes open
            self._process.wait()

    def lost(self) -> bool:
        """False: its pipes are of this machine."""
        return False

    def errors(self) -> str:
        """What it wrote to stderr so far."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def close(self) -> None:
        """Give back the pipes; a program that still runs is ended by force."""
        self.kill()
        for stream in (self.stdin, self.stdout):
            with suppress(OSError):  # what was not read any more by a dead process
                stream.close()
        self._errors.close()
