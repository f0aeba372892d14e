"""The answer of a program that is asked once: one JSON object, within a time."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from typing import Any

from paredown.errors import ConnectionLost, TargetError
from paredown.protocols import Process

_LAST_LINES = 2  # of what it said before it failed


def answer_of(process: Process, failed: str, timeout_s: float, given: bytes = b"") -> Any:
    """What the program writes, which is given its input at once; it has ended afterwards, whatever happened.

    failed: what to say where it gives no answer ("the host X does not run our programs"). Raises TargetError,
    ConnectionLost.
    """
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    limit = threading.Timer(timeout_s, end)
    limit.start()
    try:
        with suppress(OSError):  # it has ended: its exit code says so
            process.stdin.write(given)
            process.stdin.close()
        text = process.stdout.read()
        code = process.wait(timeout_s)
        if late.is_set():
            raise TargetError(failed, got=f"no answer within {timeout_s:g} s")
        if process.lost():
            raise ConnectionLost(failed, got=_said(process) or None)
        if code != 0:
            raise TargetError(failed, got=_said(process) or f"exit code {code}")
        try:
            return json.loads(text)
        except ValueError:
            raise TargetError(failed, got=f"it answered {text[:80]!r}", expected="JSON") from None
    finally:
        limit.cancel()
        process.close()


def _said(process: Process) -> str:
    lines = [line.strip() for line in process.errors().splitlines() if line.strip()]
    return "; ".join(lines[-_LAST_LINES:])
