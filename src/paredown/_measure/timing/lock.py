"""Our end of the lock that a host is timed under (`hosts/timing_lock.py`): one timing at a time on a machine,
whichever process asks for it, from whichever machine."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from paredown.errors import ConnectionLost, TargetError
from paredown.measurement import Doubt
from paredown.printable import printable
from paredown.protocols import Host, Progress, silent

WAITING = "waiting: another run times on"
"""How a wait begins in what `progress` is told."""

_START_S = 120.0  # a small board under load
_LOOK_S = 1.0


class TimingLock:
    """A host for this timing alone; entering waits for whoever times there. Leaving the `with` frees it.

    Raises TargetError, ConnectionLost where the host does not run our programs.
    """

    def __init__(self, host: Host, progress: Progress = silent) -> None:
        self._host, self._progress = host, progress
        self._refused = ""
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._process = host.spawn("paredown.hosts.timing_lock")
        threading.Thread(target=self._read, daemon=True).start()

    def doubts(self) -> tuple[Doubt, ...]:
        """Why another timing may have run beside this one. Raises as `__init__` where the lock is lost."""
        if self._refused:
            text = f"nothing keeps another run from timing here meanwhile: {self._refused}"
            return (Doubt("unlocked", text),)
        if self._process.wait(0) is not None:
            raise self._ended()
        return ()

    def lost(self) -> bool:
        """Whether the connection to it broke."""
        return self._process.lost()

    def __enter__(self) -> Self:
        try:
            answer = self._answer(_START_S)
            if "waits_for" in answer:
                answer = self._awaited(printable(str(answer["waits_for"])))
            self._refused = printable(str(answer.get("refused", "")))
        except BaseException:
            self._process.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.close()

    def _awaited(self, holder: str) -> Mapping[str, Any]:
        """The answer once the holder is done, whenever that is."""
        found: list[Mapping[str, Any]] = []

        def seconds() -> Iterator[int]:
            waited = 0
            while not found:
                with suppress(queue.Empty):
                    found.append(self._told(self._lines.get(timeout=_LOOK_S)))
                waited += 1
                yield waited

        who = f" ({holder})" if holder else ""
        for _ in self._progress(seconds(), f"{WAITING} {self._host.name}{who}, seconds"):
            pass
        return found[0]

    def _answer(self, timeout_s: float) -> Mapping[str, Any]:
        try:
            return self._told(self._lines.get(timeout=timeout_s))
        except queue.Empty:
            raise TargetError(
                f"the host {self._host.name} cannot be locked for a timing",
                got=f"no answer within {timeout_s:g} s",
            ) from None

    def _told(self, line: bytes) -> Mapping[str, Any]:
        if not line.endswith(b"\n"):
            raise self._ended()
        try:
            answer: Mapping[str, Any] = json.loads(line)
        except ValueError:
            what = f"{self._host.name} does not tell whether it is locked"
            raise TargetError(what, got=repr(line[:80]), expected="a line of JSON") from None
        return answer

    def _ended(self) -> TargetError:
        """Why it is not there any more."""
        kind = ConnectionLost if self._process.lost() else TargetError
        what = f"the lock that keeps other timings off {self._host.name} was lost"
        return kind(what, got=self._process.errors()[-500:].strip() or None)

    def _read(self) -> None:
        with suppress(ValueError):  # the pipe was closed by us
            for line in self._process.stdout:
                self._lines.put(line)
        self._lines.put(b"")  # it has ended
