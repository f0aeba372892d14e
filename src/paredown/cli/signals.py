"""SIGTERM and SIGHUP end a command as Ctrl-C does: as an exception, so that everything open is put away."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

STOPPING = (signal.SIGTERM, signal.SIGHUP)
SHELL = 128  # a shell reports 128 + the signal's number
PATIENCE_S = 5.0  # some senders send both at once


class Stopped(KeyboardInterrupt):
    """Raised where the program is when one of `STOPPING` arrives."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.name = signal.Signals(number).name
        self.exit_code = SHELL + number


def ended_by(interrupt: KeyboardInterrupt) -> tuple[str, int]:
    """What ended the work, in words, and the exit code."""
    if isinstance(interrupt, Stopped):
        return f"stopped by {interrupt.name}", interrupt.exit_code
    return "interrupted", SHELL + signal.SIGINT


@contextlib.contextmanager
def stoppable() -> Iterator[list[int]]:
    """While inside, one of `STOPPING` raises `Stopped`; one close behind it does not disturb the cleaning up.

    Gives the signals received. A signal that is ignored (nohup) or handled by somebody else is left alone,
    and so are all where this is not the main thread.
    """
    received: list[int] = []
    raised_at = float("-inf")

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal raised_at
        received.append(number)
        if time.monotonic() - raised_at >= PATIENCE_S:
            raised_at = time.monotonic()
            raise Stopped(number)

    ours: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():
        ours = [s for s in STOPPING if signal.getsignal(s) is signal.SIG_DFL]
    for s in ours:
        signal.signal(s, stop)
    try:
        yield received
    finally:
        for s in ours:
            signal.signal(s, signal.SIG_DFL)
